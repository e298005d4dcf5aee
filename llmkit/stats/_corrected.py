"""The interval of a corrected mean: which one, and how wide."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats._rectifier import Part, Stratum, clustered_variance, guard_weight
from llmkit.stats.beta import jeffreys
from llmkit.stats.distributions import t_quantile
from llmkit.stats.intervals import wilson
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True, slots=True)
class Ways:
    """What decides the interval: yes/no labels, the score's bounds, the level, and every row's cluster (or None)."""

    binary: bool
    bounds: tuple[float, float] | None
    level: float
    clusters: Array | None


@dataclass(frozen=True, slots=True)
class Variance:
    """Of an estimate: the part that more labels lower, the part that only more rows lower, and the freedom of both."""

    residual: float
    explained: float
    df: float

    @property
    def total(self) -> float:
        """Both parts together."""
        return self.residual + self.explained


def spread_of(strata: list[Stratum], parts: list[Part], ways: Ways) -> tuple[Variance, Estimate | None]:
    """Return the variance of the sum of the parts, and the estimate with its interval; None where there is none."""
    variance = variance_of(strata, parts, ways)
    labels = sum(len(stratum.human) for stratum in strata)
    value = sum(part.value for part in parts)
    if ways.bounds is not None:
        value = min(ways.bounds[1], max(ways.bounds[0], value))
    if variance.total <= 0 or variance.df <= 0:
        return variance, None
    name = "ppi++" if any(part.lam for part in parts) else "labels"
    if ways.binary and ways.clusters is None:
        return variance, _yes_no(value, strata, parts, ways, name)
    reach = t_quantile(0.5 + ways.level / 2, variance.df) * sqrt(variance.total)
    low, high = value - reach, value + reach
    if ways.bounds is not None:
        low, high = max(ways.bounds[0], low), min(ways.bounds[1], high)
    return variance, Estimate(value, low, high, labels, f"{name}, t", ways.level)


def variance_of(strata: list[Stratum], parts: list[Part], ways: Ways) -> Variance:
    """Return the variance of the sum of the parts, with the guard against errors that were not seen."""
    import numpy as np

    labels = np.concatenate([stratum.human for stratum in strata])
    most = float(labels.var(ddof=1)) / len(labels) * sum(stratum.share for stratum in strata) ** 2
    repeating = 2 * len(np.unique(labels)) <= len(labels)
    guarded = repeating and (len(parts) > 1 or any(part.lam for part in parts))
    guard = guard_weight(parts, most) if guarded else 0.0
    residual = sum(part.residual for part in parts)
    explained = sum(part.explained for part in parts)
    if ways.clusters is not None:
        total, freedom = clustered_variance(strata, parts, ways.clusters)
        share = explained / (residual + explained) if residual + explained else 0.0
        return Variance((1 - guard) * total * (1 - share) + guard * most, total * share, freedom)
    squares = sum(part.residual**2 / part.df + part.explained**2 / part.rows_df for part in parts)
    guarded_residual = (1 - guard) * residual + guard * most
    df = (residual + explained) ** 2 / squares if squares else float(len(labels) - 1)
    return Variance(guarded_residual, explained, df)


def _yes_no(value: float, strata: list[Stratum], parts: list[Part], ways: Ways, name: str) -> Estimate:
    """Return the interval of a share: the strata's own intervals, their distances added up as squares (MOVER)."""
    down = up = 0.0
    method = ""
    for stratum, part in zip(strata, parts, strict=True):
        own = min(1.0, max(0.0, part.value / stratum.share))
        cells = _by_cell(stratum, part, ways.level)
        method = "jeffreys by verdict" if cells else "wilson at the effective number of labels"
        low, high = cells or _effective_wilson(own, stratum, part, ways)
        down += (stratum.share * max(0.0, own - low)) ** 2
        up += (stratum.share * max(0.0, high - own)) ** 2
    if len(strata) > 1:
        method = f"{len(strata)} strata"
    labels = sum(len(stratum.human) for stratum in strata)
    low, high = max(0.0, value - sqrt(down)), min(1.0, value + sqrt(up))
    return Estimate(value, low, high, labels, f"{name}, {method}", ways.level)


def _effective_wilson(value: float, stratum: Stratum, part: Part, ways: Ways) -> tuple[float, float]:
    n, alone = len(stratum.human), float(stratum.human.mean())
    variance = variance_of([stratum], [part], ways).total
    own = stratum.share**2 * alone * (1 - alone) / (n - 1)
    effective = n * own / variance if own > 0 and variance > 0 else n
    return wilson(value * effective, effective, ways.level)


def _by_cell(stratum: Stratum, part: Part, level: float) -> tuple[float, float] | None:
    """Return the interval of share_yes * P(Y | yes) + share_no * P(Y | no), for a judge of two values.

    The distances of the three proportions' own limits add up as squares. None where that does not apply: with a judge
    of two values the tuned estimate is this sum exactly, unless its weight was clipped or given.
    """
    import numpy as np

    if not part.tuned:
        return None
    scores = np.concatenate([stratum.judged, stratum.others])
    least, most = float(scores.min()), float(scores.max())
    if not ((scores == least) | (scores == most)).all():
        return None
    yes = stratum.judged == most
    yeses, noes = int(yes.sum()), int((~yes).sum())
    right, wrong = float(stratum.human[yes].sum()), float(stratum.human[~yes].sum())
    called, rows = int((scores == most).sum()), len(scores)
    share, of_yes, of_no = called / rows, right / yeses, wrong / noes
    shares, hits, misses = wilson(called, rows, level), jeffreys(right, yeses, level), jeffreys(wrong, noes, level)
    slope = of_yes - of_no
    down = (share * (of_yes - hits[0])) ** 2 + ((1 - share) * (of_no - misses[0])) ** 2
    up = (share * (hits[1] - of_yes)) ** 2 + ((1 - share) * (misses[1] - of_no)) ** 2
    down += (slope * (share - shares[0])) ** 2
    up += (slope * (shares[1] - share)) ** 2
    value = part.value / stratum.share
    return max(0.0, value - sqrt(down)), min(1.0, value + sqrt(up))
