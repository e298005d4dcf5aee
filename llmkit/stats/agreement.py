"""Statistic of two ratings of the same rows: a judge's with a human's.

Each function takes labels or numbers of the same rows and gives a float, or None where the statistic is undefined (a
side that never varies, one label only), never NaN. `pooled` gives many at once, with intervals from one stream of
resamples and the reason where there is no value.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from llmkit.stats.bootstrap import check_resamples
from llmkit.stats.cells import Cells, Labels, pair_up
from llmkit.stats.coefficients import COEFFICIENTS, NEEDS_ORDER, Tables
from llmkit.stats.draws import Draws
from llmkit.stats.intervals import mean_estimate, wilson
from llmkit.stats.replicates import replicate
from llmkit.stats.statistic import Statistic
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"
Weighting: TypeAlias = Literal["nominal", "linear", "quadratic"]

STATISTICS: tuple[str, ...] = tuple(COEFFICIENTS)
"""The names of all statistics: `llmkit.stats.coefficients` says what each is."""

RESAMPLES = 2000
_NOMINAL = ("kappa", "ac1", "alpha_nominal")
_MANY_LABELS = 1000
_OF_LABELS = frozenset(
    {"kappa", "kappa_linear", "kappa_quadratic", "ac1", "ac2_linear", "ac2_quadratic", "alpha_nominal"}
)


def accuracy(judge: Labels, human: Labels) -> float | None:
    """Return the share of rows with the same label. Range 0 to 1."""
    return _value("accuracy", judge, human)


def cohen_kappa(
    judge: Labels, human: Labels, *, weights: Weighting = "nominal", scale: Labels | None = None
) -> float | None:
    """Return Cohen's kappa: agreement beyond the chance agreement of two sides with these shares of labels.

    Range -1 to 1, 0 is chance, 1 is perfect. Source: Cohen (1960), Educ. Psychol. Meas. 20:37; weighted: Cohen (1968),
    Psychol. Bull. 70:213. Equals scikit-learn's ``cohen_kappa_score``.

    Args:
        judge: Labels of n rows: text or numbers.
        human: Likewise.
        weights: Whether a disagreement counts by how far apart the labels lie on the scale, or by the square of that.
        scale: All labels there are, lowest first; None for those that occur. Text needs one for weights.
    """
    return _value("kappa" if weights == "nominal" else f"kappa_{weights}", judge, human, scale)


def gwet_ac(
    judge: Labels, human: Labels, *, weights: Weighting = "nominal", scale: Labels | None = None
) -> float | None:
    """Return Gwet's AC1, or AC2 with weights: as kappa, with a chance agreement that a rare label does not push up.

    At most 1, and 0 by chance. Use it where nearly all rows have one label: kappa falls to 0 there although both sides
    agree. Its chance depends on the number of labels, so give the ``scale`` where some do not occur. Source: Gwet
    (2008), Br. J. Math. Stat. Psychol. 61:29; the program irrCAC.
    """
    return _value("ac1" if weights == "nominal" else f"ac2_{weights}", judge, human, scale)


def pearson(judge: Labels, human: Labels) -> float | None:
    """Return Pearson's correlation of two lists of numbers."""
    return _value("pearson", judge, human)


def spearman(judge: Labels, human: Labels, *, scale: Labels | None = None) -> float | None:
    """Return Spearman's rank correlation; ties share the mean of their ranks. Text needs a ``scale``."""
    return _value("spearman", judge, human, scale)


def kendall_tau_b(judge: Labels, human: Labels, *, scale: Labels | None = None) -> float | None:
    """Return Kendall's tau-b: of pairs of rows, the share ordered alike less the share ordered apart, ties allowed for.

    Source: Kendall (1945), Biometrika 33:239. Equals scipy's ``kendalltau``. Text needs a ``scale``.
    """
    return _value("kendall", judge, human, scale)


def _value(name: str, judge: Labels, human: Labels, scale: Labels | None = None) -> float | None:
    import numpy as np

    cells, rows = pair_up(judge, human, scale)
    if why := unfit(cells, name):
        raise ValueError(f"{name} is undefined: {why}")
    counts = np.bincount(rows, minlength=len(cells)).astype(np.float64)
    return plain(COEFFICIENTS[name](Tables(cells, counts[None, :]))[0])


def plain(value: float) -> float | None:
    """Return a float, or None for NaN."""
    return None if isnan(value) else float(value)


def pooled(
    judge: Labels,
    human: Labels,
    *,
    statistics: Sequence[str] = STATISTICS,
    scale: Labels | None = None,
    clusters: Labels | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Statistic]:
    """Return statistics of agreement over all rows, each with its interval.

    Intervals are BCa bootstrap intervals (`llmkit.stats.bca`) from one stream of resamples of rows, or of whole
    clusters; shares and means have Wilson's and Student's (`mean_estimate`). Where both sides agree in every row no
    resample differs, and the lower end of kappa, AC1 and nominal alpha is the one that Wilson's upper limit for the
    share of disagreements leaves. With more than 20,000 different pairs of ratings (scores without steps) intervals are
    those of a jackknife with 200 groups.

    Args:
        judge: Labels of n >= 1 rows, all text or all numbers.
        human: Likewise, of the same rows.
        statistics: Names out of `STATISTICS`.
        scale: All labels there are, lowest first; None for those that occur.
        clusters: Shape (n,): rows with one code are not independent and are drawn together.
        resamples: How many; at least 2 / (1 - level).
        seed: Of the resampling.
        level: Of the intervals.

    Raises ValueError with a sentence where the ratings cannot be paired.
    """
    import numpy as np

    check(statistics, resamples, level)
    cells, rows = pair_up(judge, human, scale)
    draws = Draws(rows, len(cells), None if clusters is None else np.asarray(clusters))
    reasons = {name: unfit(cells, name) for name in statistics}
    known = [name for name in statistics if not reasons[name]]
    means = [name for name in known if name in ("accuracy", "mean_difference")]
    others = [name for name in known if name not in means]
    found = {name: Statistic(None, why) for name, why in reasons.items() if why}
    found |= {name: Statistic(_of_mean(name, cells, rows, clusters, level)) for name in means}
    if others:
        table = Estimator(cells, others)
        found |= table.estimates(draws, resamples=resamples, seed=seed, level=level)
    return {name: found[name] for name in statistics}


def check(statistics: Sequence[str], resamples: int, level: float) -> None:
    """Raise ValueError where a statistic is unknown or an interval cannot be had."""
    from difflib import get_close_matches

    for name in statistics:
        if name not in COEFFICIENTS:
            near = get_close_matches(name, STATISTICS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(STATISTICS)}"
            raise ValueError(f"there is no statistic of agreement {name!r}; {hint}")
    check_resamples(resamples, level)


def unfit(cells: Cells, name: str) -> str:
    """Return why a statistic does not exist for such labels, whatever the rows; empty where it does."""
    if name in NEEDS_ORDER and cells.values is None:
        return "the labels are text without an order; give their scale"
    if name in _OF_LABELS and len(cells.labels) > _MANY_LABELS:
        return f"{len(cells.labels)} different values are no labels; use correlations or alpha_interval"
    return ""


def _of_mean(name: str, cells: Cells, rows: Array, clusters: Labels | None, level: float) -> Estimate:
    import numpy as np

    codes = None if clusters is None else np.asarray(clusters)
    if name == "accuracy":
        return mean_estimate((cells.x == cells.y)[rows].astype(float), binary=True, clusters=codes, level=level)
    assert cells.values is not None
    apart = cells.values[cells.x] - cells.values[cells.y]
    return mean_estimate(apart[rows], binary=False, clusters=codes, level=level)


class Estimator:
    """Several statistics of the same cells, evaluated together.

    Args:
        cells: The cells.
        names: Statistics that exist for them.
    """

    def __init__(self, cells: Cells, names: Sequence[str]) -> None:
        self.cells, self.names = cells, tuple(names)

    @property
    def width(self) -> int:
        """How many numbers one table takes."""
        return len(self.cells)

    def __call__(self, weights: Array) -> Array:
        """Return the statistics of each table: (m, C) -> (m, names), NaN where undefined."""
        import numpy as np

        tables = Tables(self.cells, weights)
        return np.stack([COEFFICIENTS[name](tables) for name in self.names], axis=1)

    def estimates(self, draws: Draws, *, resamples: int, seed: int, level: float) -> dict[str, Statistic]:
        """Return each statistic with its interval, where the kinds that are drawn are the cells."""
        made = replicate(self, draws, resamples=resamples, seed=seed, level=level, width=self.width)
        found = {}
        for i, name in enumerate(self.names):
            estimate = made.estimate(i)
            if estimate is None:
                found[name] = Statistic(None, self.why(draws.counts))
            else:
                found[name] = Statistic(self._perfect(name, estimate, draws))
        return found

    def _perfect(self, name: str, found: Estimate, draws: Draws) -> Estimate:
        """Return an estimate of 1 that no resample moves with the interval that the number of rows allows."""
        import numpy as np

        if found.low is not None or name not in _NOMINAL or found.value < 1 - 1e-12 or draws.units == 1:
            return found
        share = np.bincount(self.cells.x, weights=draws.counts) / len(draws.kinds)
        chance = float(share @ share)
        if name == "ac1":
            chance = (1 - chance) / (self.cells.categories - 1)
        low = 1 - wilson(0, draws.units, found.level)[1] / (1 - chance)
        return Estimate(1.0, max(-1.0, low), 1.0, found.n, "wilson: no disagreement", found.level)

    def why(self, counts: Array, first_side: str = "the judge") -> str:
        """Return why these rows leave a statistic undefined."""
        import numpy as np

        first, second = (len(np.unique(side[counts > 0])) for side in (self.cells.x, self.cells.y))
        if len(counts) and counts.sum() < 2:  # noqa: PLR2004 - a pair of rows
            return "there is one row only"
        if first == second == 1:
            return "both sides give one label only"
        other = "the human side" if first_side == "the judge" else "the others' side"
        return f"{first_side if first == 1 else other} gives one label only"
