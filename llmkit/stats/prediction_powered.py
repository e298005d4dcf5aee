"""Few human labels and many verdicts of a judge make one honest number: prediction-powered inference (PPI++).

Sources: Angelopoulos, Bates, Fannjiang, Jordan and Zrnic (2023), Science 382:669-674; Angelopoulos, Duchi and Zrnic
(2023), "PPI++", arXiv 2311.01453. The estimate is theirs. The interval is not the plug-in normal one, which covers far
less than it says with few labels or a judge that rarely errs; docs/decisions/0005-corrected-scores.md says what is done
instead and why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats._corrected import Ways, spread_of, variance_of
from llmkit.stats._rectifier import FEWEST_LABELS, Part, Stratum, merged, part_of, strata_of
from llmkit.stats.intervals import SAME, dense_codes, mean_estimate
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"
Bounds: TypeAlias = tuple[float, float]

WIDEST = 1.05
"""A corrected interval wider than this times the human labels' own is not used."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """A judge-based mean beside what human labels say of it.

    Attributes:
        judge_only: The judge's mean over all rows, as if it were right; None where there are no rows.
        human_only: The mean of the labels alone; None where there are none.
        corrected: Both together; None where there are no labels.
        lam: The weight given to the judge, 0 to 1 (over strata: weighted by their share of the rows).
        rho: Pearson correlation of judge and humans over the labelled rows; None where one of them does not vary.
        labels: How many rows have a label.
        rows: How many rows there are in all.
        effective_labels: How many labels alone would give the precision of ``corrected``; None without an interval.
        labels_saved: ``effective_labels`` less ``labels``, at least 0.
        human_variance: Variance of ``human_only`` times ``labels``.
        residual_variance: The part of the variance of ``corrected`` that more labels lower, times ``labels``.
        explained_variance: The part that only more rows lower, times ``rows``.
        notes: What a reader must know: strata taken together, a value cut to its bounds, a judge of no use.
    """

    judge_only: Estimate | None
    human_only: Estimate | None
    corrected: Estimate | None
    lam: float = 0.0
    rho: float | None = None
    labels: int = 0
    rows: int = 0
    effective_labels: float | None = None
    labels_saved: float = 0.0
    human_variance: float | None = None
    residual_variance: float | None = None
    explained_variance: float | None = None
    notes: tuple[str, ...] = ()


def prediction_powered_mean(
    judge: Array,
    human: Array,
    rows: Array,
    *,
    binary: bool = False,
    bounds: Bounds | None = None,
    clusters: Array | None = None,
    strata: Array | None = None,
    lam: float | None = None,
    level: float = 0.95,
) -> Corrected:
    """Return the mean that humans would give, from a judge's scores of all rows and the humans' of some.

    The labelled rows must be a random sample of all rows, or of each stratum (`llmkit.stats.plan_labels` draws one);
    judge and humans use one scale. The estimate is mean_L(Y) + lam * (mean_U(f) - mean_L(f)).

    Intervals, all at ``level``:

    - yes/no labels and a judge of two values: Jeffreys' intervals of the share of "yes" among rows that the judge calls
      yes and among those it calls no, and Wilson's of its yeses, put together by recovered variances (MOVER: Zou and
      Donner 2008, Statistics in Medicine 27:1693);
    - other yes/no labels: Wilson's interval at the effective number of labels;
    - else Student's t with the degrees of freedom of the regression (one less for a tuned ``lam``, Satterthwaite's
      approximation over parts), cut to ``bounds``;
    - an interval wider than `WIDEST` times that of the labels alone is not used: the labels then stand alone.

    With ``strata`` the parts are weighted by their share of the rows, and ``human_only`` is weighted so too. Strata of
    fewer than 10 labels are taken together, which ``notes`` say.

    Args:
        judge: Shape (m,): the judge's score of every row; finite.
        human: Shape (n,): labels; finite; zeros and ones where ``binary``.
        rows: Shape (n,): which row each label belongs to, 0 .. m - 1, each at most once.
        binary: Whether humans only say 0 or 1.
        bounds: The least and greatest label there can be; (0, 1) where ``binary``.
        clusters: Shape (m,): rows with one code are not independent.
        strata: Shape (m,): rows with one code form a stratum.
        lam: The judge's weight; tuned where None (power tuning, clipped to [0, 1]).
        level: Of the interval.

    Raises ValueError where a value is not finite, lengths differ, or a row is labelled twice or does not exist.
    """
    import numpy as np

    scores, labels, where = checked_labels(judge, human, rows, binary=binary, lam=lam)
    total = len(scores)
    groups = _groups(clusters, total)
    codes = np.zeros(total, dtype=np.int64) if strata is None else np.asarray(strata)
    if len(codes) != total:
        raise ValueError(f"there are {total} judge scores and {len(codes)} stratum codes")
    limits = (0.0, 1.0) if binary else bounds
    judged = _judge_only(scores, groups, level, binary=binary, bounds=limits)
    if not len(labels):
        return Corrected(judged, None, None, rows=total, notes=("no human labels",))
    own_clusters = None if groups is None else groups[where]
    alone = mean_estimate(labels, binary=binary, clusters=own_clusters, level=level, bounds=limits)
    if len(labels) == 1:
        return Corrected(judged, alone, alone, labels=1, rows=total, notes=("one human label",))
    parted, names = merged(strata_of(scores, labels, where, codes), total)
    notes = [f"strata with fewer than {FEWEST_LABELS} labels were taken together: {', '.join(names)}"] if names else []
    ways = Ways(binary, limits, level, groups)
    plain = [part_of(stratum, 0.0) for stratum in parted]
    variance = variance_of(parted, plain, ways)
    if len(parted) > 1:
        alone = spread_of(parted, plain, ways)[1] or alone
    found = Corrected(
        judged,
        alone,
        alone,
        rho=_correlation(scores[where], labels),
        labels=len(labels),
        rows=total,
        effective_labels=None if alone.low is None else float(len(labels)),
        human_variance=variance.total * len(labels),
        residual_variance=variance.total * len(labels),
        explained_variance=0.0,
        notes=tuple(notes),
    )
    parts = [part_of(stratum, lam) for stratum in parted]
    return _with_judge(found, parted, parts, ways)


def _with_judge(found: Corrected, strata: list[Stratum], parts: list[Part], ways: Ways) -> Corrected:
    """Return the correction, or the labels alone where the judge does not help."""
    alone, notes = found.human_only, found.notes
    assert alone is not None
    assert found.human_variance is not None
    if not any(part.lam for part in parts):
        return replace(found, notes=(*notes, _why_alone(found)))
    variance, estimate = spread_of(strata, parts, ways)
    if estimate is None or (alone.low is not None and _width(estimate) > WIDEST * _width(alone)):
        return replace(found, notes=(*notes, "the judge does not narrow the interval, so the labels stand alone"))
    value = sum(part.value for part in parts)
    if value != estimate.value:
        notes = (*notes, f"the estimate, {value:.4g}, was cut to the bounds of the score")
    effective = found.human_variance / variance.total
    return replace(
        found,
        corrected=estimate,
        lam=sum(part.lam * stratum.share for part, stratum in zip(parts, strata, strict=True)),
        effective_labels=effective,
        labels_saved=max(0.0, effective - found.labels),
        residual_variance=variance.residual * found.labels,
        explained_variance=variance.explained * found.rows,
        notes=notes,
    )


def _width(estimate: Estimate) -> float:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.high - estimate.low


def _why_alone(found: Corrected) -> str:
    if found.labels == found.rows:
        return "every row has a label, so the judge adds nothing"
    if found.rho is None:
        return "the judge or the labels do not vary over the labelled rows, so the labels stand alone"
    return "the judge does not agree with the labels more than chance would, so the labels stand alone"


def prediction_powered_win_rate(
    judge: Array,
    human: Array,
    rows: Array,
    *,
    clusters: Array | None = None,
    strata: Array | None = None,
    lam: float | None = None,
    level: float = 0.95,
) -> Corrected:
    """Return the win rate that humans would give: `prediction_powered_mean` of preferences in [0, 1], ties 1/2.

    Raises ValueError where a preference lies outside [0, 1], and as `prediction_powered_mean` does.
    """
    import numpy as np

    values = np.asarray(human, dtype=np.float64)
    for name, given in (("judge", np.asarray(judge, dtype=np.float64)), ("human", values)):
        if ((given < 0) | (given > 1)).any():
            raise ValueError(f"a {name} preference lies outside 0 to 1: 1 is a win, 0 a loss, 0.5 a tie")
    decided = bool(np.isin(values, (0.0, 1.0)).all())
    return prediction_powered_mean(
        judge, values, rows, binary=decided, bounds=(0, 1), clusters=clusters, strata=strata, lam=lam, level=level
    )


def prediction_powered_difference(
    judge_base: Array,
    judge_candidate: Array,
    human_base: Array,
    human_candidate: Array,
    rows: Array,
    *,
    bounds: Bounds | None = None,
    clusters: Array | None = None,
    strata: Array | None = None,
    lam: float | None = None,
    level: float = 0.95,
) -> Corrected:
    """Return how much better humans would find a candidate than a base on the same rows: the paired mean difference.

    Args:
        judge_base: Shape (m,): the judge on the base's answers.
        judge_candidate: Shape (m,): the judge on the candidate's.
        human_base: Shape (n,): humans on the base's answers of the rows ``rows``.
        human_candidate: Shape (n,): humans on the candidate's answers of the same rows.
        rows: Shape (n,), as in `prediction_powered_mean`.
        bounds: Of one score; a difference lies between their distance and its opposite.
        clusters: Shape (m,), likewise.
        strata: Shape (m,), likewise.
        lam: Likewise.
        level: Of the interval.

    Raises ValueError as `prediction_powered_mean` does.
    """
    import numpy as np

    pairs = [np.asarray(one, dtype=np.float64) for one in (judge_candidate, judge_base, human_candidate, human_base)]
    if len(pairs[0]) != len(pairs[1]) or len(pairs[2]) != len(pairs[3]):
        raise ValueError("a paired difference needs both systems' scores of every row, and both labels of every label")
    span = None if bounds is None else bounds[1] - bounds[0]
    return prediction_powered_mean(
        pairs[0] - pairs[1],
        pairs[2] - pairs[3],
        rows,
        bounds=None if span is None else (-span, span),
        clusters=clusters,
        strata=strata,
        lam=lam,
        level=level,
    )


def _judge_only(
    scores: Array, clusters: Array | None, level: float, *, binary: bool, bounds: Bounds | None
) -> Estimate | None:
    """Return the plain mean; without the labels' bounds where the judge leaves them."""
    import numpy as np

    if not len(scores):
        return None
    if bounds is not None and not (bounds[0] <= scores.min() and scores.max() <= bounds[1]):
        bounds = None
    decided = binary and bool(np.isin(scores, (0.0, 1.0)).all())
    return mean_estimate(scores, binary=decided, clusters=clusters, level=level, bounds=bounds)


def _correlation(judged: Array, labels: Array) -> float | None:
    import numpy as np

    x, y = judged - judged.mean(), labels - labels.mean()
    scale = sqrt(float(x @ x) * float(y @ y))
    if scale <= SAME * len(x) * max(float(np.abs(judged).max() * np.abs(labels).max()), 1e-300):
        return None
    return min(1.0, max(-1.0, float(x @ y) / scale))


def checked_labels(
    judge: Array, human: Array, rows: Array, *, binary: bool, lam: float | None
) -> tuple[Array, Array, Array]:
    """Return the three as arrays, or refuse them with every fault in one sentence."""
    import numpy as np

    scores, labels = np.asarray(judge, dtype=np.float64), np.asarray(human, dtype=np.float64)
    where = np.asarray(rows)
    faults = []
    if not np.isfinite(scores).all():
        faults.append("a judge score is not a finite number (leave failed rows out)")
    if not np.isfinite(labels).all():
        faults.append("a human label is not a finite number (leave unlabelled rows out)")
    if len(where) != len(labels):
        faults.append(f"there are {len(labels)} labels and {len(where)} row numbers")
    if len(where) and where.dtype.kind not in "iu":
        faults.append("row numbers are not whole numbers")
    elif len(where) and not (where.min() >= 0 and where.max() < len(scores)):
        faults.append(f"a label belongs to a row that is not among the {len(scores)} rows")
    elif len(np.unique(where)) != len(where):
        faults.append("a row is labelled twice (average its labels first)")
    if binary and not np.isin(labels, (0.0, 1.0)).all():
        faults.append("a yes/no label is neither 0 nor 1")
    if lam is not None and not 0 <= lam <= 1:
        faults.append(f"lam is a weight between 0 and 1, not {lam}")
    if faults:
        raise ValueError("; ".join(faults))
    return scores, labels, where.astype(np.int64)


def _groups(clusters: Array | None, total: int) -> Array | None:
    import numpy as np

    if clusters is None:
        return None
    codes = np.asarray(clusters)
    if len(codes) != total:
        raise ValueError(f"there are {total} judge scores and {len(codes)} cluster codes")
    return dense_codes(codes)[0]
