"""The arithmetic of prediction-powered inference in one stratum, and its sum over strata.

With ``lam`` the estimate of a stratum is mean_L(Y) + lam * (mean_U(f) - mean_L(f)): L the n labelled rows, U the N
others, Y the human labels, f the judge. Written with the slope b = lam * (1 + n / N) it is the regression estimator
mean_L(Y) + b * (mean_all(f) - mean_L(f)) of two-phase sampling (Cochran 1977, Sampling Techniques, section 12.6), whose
variance has two parts: that of the residuals over the labelled rows, and that of the judge over all rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.intervals import SAME, dense_codes

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

FEWEST_LABELS = 10
"""Strata with fewer labels are taken together."""

FEW_ERRORS = 10.0
PRIOR_ROWS = 3.84
"""A judge that was seen to err fewer than `FEW_ERRORS` times is taken to be useless on up to this many rows more."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """One stratum: its share of all rows, and the judge's and the humans' values.

    Attributes:
        share: Of all rows.
        human: Shape (n,): the labels.
        judged: Shape (n,): the judge on the labelled rows.
        others: Shape (N,): the judge on the rows without a label.
        labelled: Shape (n,): where the labelled rows stand among all rows.
        unlabelled: Shape (N,), likewise.
    """

    share: float
    human: Array
    judged: Array
    others: Array
    labelled: Array
    unlabelled: Array


@dataclass(frozen=True, slots=True)
class Part:
    """What one stratum adds: variances are of the estimate's part, already times the squared share.

    Attributes:
        value: share * estimate.
        human: share * mean of the labels.
        human_variance: Of ``human``.
        residual: The part of the variance that more labels would lower.
        explained: The part that only more rows would lower.
        df: Degrees of freedom of ``residual``.
        rows_df: Degrees of freedom of ``explained``.
        lam: The weight of the judge.
        tuned: Whether ``lam`` was estimated and lies strictly between 0 and 1.
        errors: Shape (n,): the judge's errors, share * residual of the regression / n.
        residuals: Shape (n,): what each labelled row adds to the estimate's error.
        judge: Shape (N,): what each other row adds.
        leverage: By how much the estimated slope widens ``residual``.
    """

    value: float
    human: float
    human_variance: float
    residual: float
    explained: float
    df: int
    rows_df: int
    lam: float
    tuned: bool
    errors: Array
    residuals: Array
    judge: Array
    leverage: float


def part_of(stratum: Stratum, lam: float | None) -> Part:
    """Return what a stratum of n >= 2 labels adds; ``lam`` None means tuned.

    The tuned weight is the least-squares slope of Y on f among the labelled rows, times N / (n + N), clipped to [0, 1].
    That is Cov_L(Y, f) / (Var_L(f) * (1 + n / N)): the judge's variance is taken where the covariance is, because their
    errors then cancel (a judge that equals the humans gets exactly N / (n + N)), and the two degrees of freedom and
    the leverage of an ordinary regression hold.
    """
    import numpy as np

    y, f, u = stratum.human, stratum.judged, stratum.others
    n, others = len(y), len(u)
    y_off, f_off = y - y.mean(), f - f.mean()
    square, cross = float(f_off @ f_off), float(f_off @ y_off)
    flat = square <= (SAME * float(np.abs(f).max())) ** 2 * n
    if others == 0:
        weight, tuned = 0.0, False
    elif lam is not None:
        weight, tuned = lam, False
    else:
        wished = 0.0 if flat or n <= 2 else cross / square * others / (n + others)  # noqa: PLR2004 - a line has two
        weight = min(1.0, max(0.0, wished))
        tuned = 0.0 < weight < 1.0
    slope = weight * (1 + n / others) if others else 0.0
    shift = _mean(u) - float(f.mean()) if others else 0.0
    residuals = y_off - slope * f_off
    df = n - 1 - int(tuned)
    leverage = n * (shift * others / (n + others)) ** 2 / square if tuned else 0.0
    u_off = u - _mean(u)
    spread = (square + float(u_off @ u_off)) / max(1, n + others - 2)
    explained = slope * (slope * spread + 2 * float(residuals @ f_off) / (n - 1)) / (n + others)
    squared = stratum.share**2
    return Part(
        value=stratum.share * (float(y.mean()) + weight * shift),
        human=stratum.share * float(y.mean()),
        human_variance=squared * float(y_off @ y_off) / (n - 1) / n,
        residual=squared * float(residuals @ residuals) / df / n * (1 + leverage),
        explained=squared * max(0.0, explained),
        df=df,
        rows_df=max(1, n + others - 2),
        lam=weight,
        tuned=tuned,
        errors=stratum.share * residuals / n,
        residuals=stratum.share * (y_off - weight * f_off) / n,
        judge=stratum.share * weight * u_off / max(1, others),
        leverage=leverage,
    )


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else 0.0


def clustered_variance(strata: list[Stratum], parts: list[Part], clusters: Array) -> tuple[float, int]:
    """Return the cluster-robust variance of the estimate, and its degrees of freedom.

    What every row adds is summed within clusters, over labelled and other rows alike: C / (C - k) * sum of squares with
    C clusters that hold a label and k estimated means and slopes, as in Miller (2024), arXiv 2411.00640. Zero degrees
    of freedom or fewer mean that there is no interval.
    """
    import numpy as np

    codes, count = dense_codes(clusters)
    sums, held = np.zeros(count), np.zeros(count, dtype=bool)
    for stratum, part in zip(strata, parts, strict=True):
        sums += np.bincount(codes[stratum.labelled], weights=part.residuals, minlength=count)
        sums += np.bincount(codes[stratum.unlabelled], weights=part.judge, minlength=count)
        held[codes[stratum.labelled]] = True
    labelled = int(held.sum())
    df = labelled - 1 - sum(part.tuned for part in parts)
    leverage = max(part.leverage for part in parts)
    variance = labelled / max(1, df) * float(sums @ sums) * (1 + leverage)
    return variance, df


def guard_weight(parts: list[Part], most: float) -> float:
    """Return how much of the residual variance is to be replaced by ``most``, that of the labels alone: 0 to 1.

    A judge seen to err once or never among n labels may err on every 30th row: the residuals then show no variance and
    the plug-in interval collapses on a biased value. As Agresti and Coull (1998) add z^2 rows to a proportion, up to
    `PRIOR_ROWS` rows on which the judge knows nothing are added, fading out as the number of rows that carry the
    residual variance, (sum r^2)^2 / sum r^4, comes to `FEW_ERRORS`.
    """
    import numpy as np

    squares = np.concatenate([part.errors for part in parts]) ** 2
    total = float(squares.sum())
    carrying = 0.0 if total <= SAME * most else total**2 / float(squares @ squares)
    prior = PRIOR_ROWS * max(0.0, 1 - carrying / FEW_ERRORS)
    return prior / (sum(part.df for part in parts) + prior) if prior else 0.0


def strata_of(scores: Array, labels: Array, where: Array, codes: Array) -> dict[str, Stratum]:
    """Return the strata by the texts of their codes: m scores and codes, and n labels of the rows ``where``."""
    import numpy as np

    names, dense = np.unique(codes, return_inverse=True)
    has_label = np.zeros(len(scores), dtype=bool)
    has_label[where] = True
    found = {}
    for code, name in enumerate(names.tolist()):
        mine = dense == code
        own = dense[where] == code
        others = np.flatnonzero(mine & ~has_label)
        found[str(name)] = Stratum(
            share=float(mine.sum()) / len(scores),
            human=labels[own],
            judged=scores[where[own]],
            others=scores[others],
            labelled=where[own],
            unlabelled=others,
        )
    return found


def merged(strata: dict[str, Stratum], rows: int) -> tuple[list[Stratum], list[str]]:
    """Return strata of at least `FEWEST_LABELS` labels, as far as there are so many, and the names of those merged.

    Those with fewer are taken together; what that makes, if it is still too small, joins the smallest of the others.
    """
    enough = {name: one for name, one in strata.items() if len(one.human) >= FEWEST_LABELS}
    few = {name: one for name, one in strata.items() if name not in enough}
    if not few:
        return list(enough.values()), []
    names = list(few)
    if sum(len(one.human) for one in few.values()) < FEWEST_LABELS and enough:
        joined = min(enough, key=lambda name: len(enough[name].human))
        few[joined] = enough.pop(joined)
        names.append(joined)
    if len(few) == 1:
        return list(strata.values()), []
    return [*enough.values(), _together(list(few.values()), rows)], sorted(names)


def _together(strata: list[Stratum], rows: int) -> Stratum:
    import numpy as np

    labelled = np.concatenate([one.labelled for one in strata])
    unlabelled = np.concatenate([one.unlabelled for one in strata])
    return Stratum(
        share=(len(labelled) + len(unlabelled)) / rows,
        human=np.concatenate([one.human for one in strata]),
        judged=np.concatenate([one.judged for one in strata]),
        others=np.concatenate([one.others for one in strata]),
        labelled=labelled,
        unlabelled=unlabelled,
    )
