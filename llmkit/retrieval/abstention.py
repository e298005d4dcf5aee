"""From what confidence on a question is answered: a threshold chosen on some questions, held to others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from numpy import bool_, float64
    from numpy.typing import NDArray

_CURVE = 21


@dataclass(frozen=True)
class Trials:
    """Questions that were searched for, and whether answering them would have been right.

    Attributes:
        sure: The confidence of each, shape (n,), 0 to 1.
        holds: Whether the passages that were found hold the answer, shape (n,).
        answerable: Whether the index holds it at all, shape (n,).
    """

    sure: NDArray[float64]
    holds: NDArray[bool_]
    answerable: NDArray[bool_]


@dataclass(frozen=True, slots=True)
class Target:
    """What a threshold is chosen for.

    Attributes:
        kind: ``max_false``: at most this share of the questions without an answer is answered; ``min_precision``: at
            least this share of what is answered has the answer among its passages.
        share: The share, 0 to 1.
    """

    kind: Literal["max_false", "min_precision"] = "max_false"
    share: float = 0.05


def chosen_threshold(trials: Trials, target: Target) -> float | None:
    """Return the threshold that answers most of the trials and meets the target by them; None where none does.

    Of n questions without an answer at most share * (n + 1) - 1 are answered (split conformal prediction, Vovk et al.
    2005): then another one like these is answered with a probability of at most ``share``, on average over sets of n.
    Of m that are answered at most (1 - share) * (m + 1) - 1 are wrong, likewise as if one more wrong one were answered:
    else the surest one alone, right by chance, would meet any share. Since m is chosen as well, that is no guarantee.
    The threshold lies halfway between the least sure of the trials that are answered and the surest that is not. Equal
    confidences are never parted.
    """
    import numpy as np

    order = np.argsort(-trials.sure, kind="stable")
    sure = trials.sure[order]
    ends = np.flatnonzero(np.r_[sure[1:] != sure[:-1], True])
    answered = ends + 1
    if target.kind == "max_false":
        without = np.cumsum(~trials.answerable[order])[ends]
        met = without + 1 <= _rounded(target.share * (int((~trials.answerable).sum()) + 1))
    else:
        wrong = np.cumsum(~trials.holds[order])[ends]
        met = wrong + 1 <= _rounded((1 - target.share) * (answered + 1))
    with_answer = np.cumsum(trials.holds[order])[ends] > 0
    fit = np.flatnonzero(met & with_answer)
    if not len(fit):
        return None
    least = float(sure[ends[fit[-1]]])
    if fit[-1] + 1 == len(ends):
        return least
    below = float(sure[ends[fit[-1] + 1]])
    middle = (least + below) / 2
    return middle if middle > below else least


def _rounded(limit: Any) -> Any:
    """Return a limit to counts without what floating point made of a share: (1 - 0.95) * 20 is 1."""
    import numpy as np

    return np.round(limit, 9)


def figures(trials: Trials, threshold: float) -> dict[str, tuple[int, int]]:
    """Return counts (of how many) at a threshold.

    - ``coverage``: of the questions with an answer those that are answered;
    - ``false``: of the questions without one those that are answered;
    - ``risk``: of what is answered that whose passages do not hold the answer.
    """
    answered = trials.sure >= threshold
    there = trials.answerable
    return {
        "coverage": (int((answered & there).sum()), int(there.sum())),
        "false": (int((answered & ~there).sum()), int((~there).sum())),
        "risk": (int((answered & ~trials.holds).sum()), int(answered.sum())),
    }


def curve(trials: Trials) -> list[dict[str, Any]]:
    """Return coverage, false answers and risk at thresholds from the lowest confidence to the highest, as shares."""
    import numpy as np

    points = []
    for threshold in np.unique(np.quantile(trials.sure, np.linspace(0, 1, _CURVE), method="lower")).tolist():
        counts = figures(trials, threshold)
        shares = {name: round(count / total, 4) if total else None for name, (count, total) in counts.items()}
        points.append({"threshold": round(threshold, 6), **shares})
    return points


def auroc(sure: NDArray[float64], holds: NDArray[bool_]) -> float | None:
    """Return the probability that a question whose passages hold the answer is surer than one whose do not.

    Equal confidences count one half; None where either kind is missing.
    """
    import numpy as np

    right, wrong = sure[holds], np.sort(sure[~holds])
    if not len(right) or not len(wrong):
        return None
    below, upto = np.searchsorted(wrong, right, "left"), np.searchsorted(wrong, right, "right")
    return float((below + upto).mean() / 2 / len(wrong))
