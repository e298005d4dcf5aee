"""A judge's share of "yes" corrected by how often it is right, for yes/no verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.distributions import normal_quantile
from llmkit.stats.intervals import mean_estimate
from llmkit.stats.prediction_powered import checked_labels
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True, slots=True)
class RoganGladen:
    """The corrected share of yes, and what it is made of.

    Attributes:
        estimate: The share of rows that humans would call yes; None where ``reason`` says why there is none.
        sensitivity: P(judge says yes | humans do), from the labelled rows; None where no label is yes.
        specificity: P(judge says no | humans do); None where no label is no.
        judged: The judge's own share of yes over the rows without a label; None where there are none.
        reason: Why there is no estimate.
        notes: What a reader must know.
    """

    estimate: Estimate | None
    sensitivity: Estimate | None
    specificity: Estimate | None
    judged: Estimate | None
    reason: str = ""
    notes: tuple[str, ...] = ()


def rogan_gladen_share(judge: Array, human: Array, rows: Array, *, level: float = 0.95) -> RoganGladen:
    """Return the share of yes that humans would give: (p + specificity - 1) / (sensitivity + specificity - 1).

    p is the judge's share of yes over the rows *without* a label, so that it is independent of the two rates, which
    come from the labelled rows. The interval is Lang and Reiczigel's (2014, Preventive Veterinary Medicine
    113:13-22): the delta method with added observations and a shifted centre; the plain one covers too little with few
    labels. The estimate is cut to [0, 1]. A judge with sensitivity + specificity <= 1 says nothing about the humans:
    no estimate.

    Unlike prediction-powered inference it stays right where labels were drawn by class (so many yes, so many no), and
    is wider where they are a random sample. Source: Rogan and Gladen (1978), Am. J. Epidemiology 107:71-76.

    Args:
        judge: Shape (m,): 1 or 0 for every row.
        human: Shape (n,): 1 or 0.
        rows: Shape (n,): which row each label belongs to, each at most once.
        level: Of the interval.

    Raises ValueError where a value is neither 0 nor 1, or the labels' rows are no rows.
    """
    import numpy as np

    verdicts, labels, where = checked_labels(judge, human, rows, binary=True, lam=None)
    if not np.isin(verdicts, (0.0, 1.0)).all():
        raise ValueError("a verdict is neither 0 nor 1")
    without = np.ones(len(verdicts), dtype=bool)
    without[where] = False
    of_labelled = verdicts[where]
    sensitivity = _share(of_labelled[labels == 1], level)
    specificity = _share(1 - of_labelled[labels == 0], level)
    judged = _share(verdicts[without], level)
    refused = _refusal(sensitivity, specificity, judged)
    if refused or sensitivity is None or specificity is None or judged is None:
        return RoganGladen(None, sensitivity, specificity, judged, refused)
    youden = sensitivity.value + specificity.value - 1
    value = (judged.value + specificity.value - 1) / youden
    low, high = _lang_reiczigel(judged, sensitivity, specificity, level)
    cut = min(1.0, max(0.0, value))
    notes = () if cut == value else (f"the estimate, {value:.4g}, was cut to the range from 0 to 1",)
    limits = min(cut, max(0.0, low)), max(cut, min(1.0, high))
    estimate = Estimate(cut, *limits, len(labels), "rogan-gladen, lang-reiczigel", level)
    return RoganGladen(estimate, sensitivity, specificity, judged, "", notes)


def _share(verdicts: Array, level: float) -> Estimate | None:
    return mean_estimate(verdicts, binary=True, level=level) if len(verdicts) else None


def _refusal(sensitivity: Estimate | None, specificity: Estimate | None, judged: Estimate | None) -> str:
    if sensitivity is None or specificity is None:
        missing = "yes" if sensitivity is None else "no"
        return f"no label is {missing}, so the judge's rate on those is unknown"
    if judged is None:
        return "every row has a label"
    if sensitivity.value + specificity.value <= 1:
        return "the judge is no better than chance (sensitivity + specificity is at most 1)"
    return ""


def _lang_reiczigel(
    judged: Estimate, sensitivity: Estimate, specificity: Estimate, level: float
) -> tuple[float, float]:
    z = normal_quantile(0.5 + level / 2)
    rows, positives, negatives = judged.n + z * z, sensitivity.n + 2, specificity.n + 2
    p = (judged.n * judged.value + z * z / 2) / rows
    hits = (sensitivity.n * sensitivity.value + 1) / positives
    passes = (specificity.n * specificity.value + 1) / negatives
    youden = hits + passes - 1
    if youden <= 0:
        return 0.0, 1.0
    share = min(1.0, max(0.0, (p + passes - 1) / youden))
    of_hits, of_passes = hits * (1 - hits) / positives, passes * (1 - passes) / negatives
    error = sqrt(p * (1 - p) / rows + share**2 * of_hits + (1 - share) ** 2 * of_passes) / youden
    shift = 2 * z * z * (share * of_hits - (1 - share) * of_passes)
    return share + shift - z * error, share + shift + z * error
