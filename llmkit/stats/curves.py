"""Confidence curves: for every value that a difference might have, the one-sided p that speaks against it.

An interval is two points of such a curve, a test of "the drop is at most the margin" is a third, so interval, p and
verdict of one comparison cannot contradict one another (Birnbaum 1961, JASA 56:246; Schweder and Hjort 2016,
"Confidence, Likelihood, Probability").
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from math import floor, inf, isnan, sqrt
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from llmkit.stats.distributions import normal_cdf, normal_quantile, t_cdf, t_quantile

_HALVINGS = 200


class Curve(Protocol):
    """What a comparison knows about the true difference."""

    def below(self, x: float) -> float:
        """Return the one-sided p of "the difference is at most x": small where it is surely more."""
        ...

    def above(self, x: float) -> float:
        """Return the one-sided p of "the difference is at least x": small where it is surely less."""
        ...

    def interval(self, level: float) -> tuple[float, float]:
        """Return the values that neither one-sided p refuses at (1 - level) / 2."""
        ...


@dataclass(frozen=True, slots=True)
class StudentCurve:
    """Student's t about an estimate.

    Attributes:
        value: The estimate.
        error: Its standard error, >= 0.
        df: Degrees of freedom.
        slack: How much further the truth may lie on either side (see `llmkit.stats.paired.slack_of`).
        bounds: What the truth cannot exceed.
    """

    value: float
    error: float
    df: float
    slack: float = 0.0
    bounds: tuple[float, float] = (-inf, inf)

    def below(self, x: float) -> float:
        """Return the one-sided p of "at most x"."""
        return 0.0 if x < self.bounds[0] else self._tail(self.value - x - self.slack)

    def above(self, x: float) -> float:
        """Return the one-sided p of "at least x"."""
        return 0.0 if x > self.bounds[1] else self._tail(x - self.value - self.slack)

    def _tail(self, gap: float) -> float:
        if self.error == 0:
            return 0.0 if gap > 0 else 1.0
        return t_cdf(-gap / self.error, self.df)

    def interval(self, level: float) -> tuple[float, float]:
        """Return value -+ (t * error + slack), cut to the bounds."""
        reach = t_quantile(0.5 + level / 2, self.df) * self.error + self.slack
        return max(self.bounds[0], self.value - reach), min(self.bounds[1], self.value + reach)


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """Tango's score curve for the difference of two paired proportions, (gained - lost) / n.

    Source: Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design", Statistics in Medicine 17:891-908. It has a width where nothing changed, and stays within -1
    and 1.

    Attributes:
        gained: Pairs that went from no to yes.
        lost: Pairs that went from yes to no.
        n: All pairs, >= 1.
    """

    gained: int
    lost: int
    n: int

    def score(self, x: float) -> float:
        """Return the score statistic of "the difference is x": standard normal where that is so."""
        gap = self.gained - self.lost - self.n * x
        linear = (2 * self.n - self.gained + self.lost) * x - self.gained - self.lost
        root = sqrt(max(0.0, linear * linear + 8 * self.n * self.lost * x * (1 - x)))
        # Of the two forms of the root of a quadratic the one without cancellation.
        lost = (root - linear) / (4 * self.n) if linear <= 0 else 2 * self.lost * x * (1 - x) / (root + linear)
        variance = self.n * (2 * lost + x * (1 - x))
        if variance <= 0:
            return 0.0 if gap == 0 else inf if gap > 0 else -inf
        return gap / sqrt(variance)

    def below(self, x: float) -> float:
        """Return the one-sided p of "at most x"."""
        return 0.0 if x < -1 else 1.0 if x >= 1 else normal_cdf(-self.score(x))

    def above(self, x: float) -> float:
        """Return the one-sided p of "at least x"."""
        return 0.0 if x > 1 else 1.0 if x <= -1 else normal_cdf(self.score(x))

    def interval(self, level: float) -> tuple[float, float]:
        """Return the differences whose score lies within the normal quantiles, found by bisection."""
        z = normal_quantile(0.5 + level / 2)
        value = (self.gained - self.lost) / self.n
        low = -1.0 if self.lost == self.n else _where(lambda x: self.score(x) <= z, -1.0, value)
        high = 1.0 if self.gained == self.n else _where(lambda x: self.score(x) < -z, value, 1.0)
        return low, high


@dataclass(frozen=True, slots=True)
class ResampledCurve:
    """The curve of a bootstrap: percentiles, corrected for bias and skewness where asked (BCa).

    Source: Efron 1987, "Better bootstrap confidence intervals", JASA 82:171-185. For small samples the levels are
    those of Student's t with n - 1 degrees of freedom, n / (n - 1) times as wide in variance (Hesterberg 2015, "What
    teachers should know about the bootstrap", American Statistician 69:371-386, section 5.2): resampled means spread
    too little by that factor.

    Attributes:
        values: The resampled values, sorted.
        bias: z0, the normal quantile of the share of values under the estimate; 0 for plain percentiles.
        acceleration: a; 0 for plain percentiles.
        n: Independent observations, for the small-sample widening; 0 for none.
        slack: As in `StudentCurve`.
        bounds: As in `StudentCurve`.
    """

    values: NDArray[np.float64] = field(repr=False)
    bias: float = 0.0
    acceleration: float = 0.0
    n: int = 0
    slack: float = 0.0
    bounds: tuple[float, float] = (-inf, inf)

    def below(self, x: float) -> float:
        """Return the one-sided p of "at most x"; at least 1 / (resamples + 1) within the bounds."""
        return 0.0 if x < self.bounds[0] else self._p(x + self.slack, upper=False)

    def above(self, x: float) -> float:
        """Return the one-sided p of "at least x"; at least 1 / (resamples + 1) within the bounds."""
        return 0.0 if x > self.bounds[1] else self._p(x - self.slack, upper=True)

    def _p(self, x: float, *, upper: bool) -> float:
        count = len(self.values)
        at_most, under = bisect_right(self.values, x), bisect_left(self.values, x)
        least = 1 / (count + 1)
        beyond = count - under if upper else at_most
        if not beyond:
            return least
        if not (self.bias or self.acceleration or self.n):
            return (beyond + 1) / (count + 1)
        share = min(1 - least, max(least, (at_most + under) / (2 * count)))
        moved = normal_quantile(share) - self.bias
        straight = moved / (1 + self.acceleration * moved) - self.bias
        p = self._narrowed(straight)
        return max(least, 1 - p if upper else p)

    def _narrowed(self, z: float) -> float:
        if self.n < 2:  # noqa: PLR2004 - no degrees of freedom
            return normal_cdf(z)
        return t_cdf(z * sqrt((self.n - 1) / self.n), self.n - 1)

    def _widened(self, tail: float) -> float:
        if self.n < 2:  # noqa: PLR2004 - as above
            return normal_quantile(tail)
        return sqrt(self.n / (self.n - 1)) * t_quantile(tail, self.n - 1)

    def interval(self, level: float) -> tuple[float, float]:
        """Return the two quantiles, moved by the slack and cut to the bounds."""
        low, high = self._quantiles((1 - level) / 2)
        return max(self.bounds[0], low - self.slack), min(self.bounds[1], high + self.slack)

    def _quantiles(self, tail: float) -> tuple[float, float]:
        count = len(self.values)
        if not (self.bias or self.acceleration or self.n):  # sacreBLEU's places
            place = floor(round(count * tail, 9))
            return float(self.values[place]), float(self.values[-1 - place])
        shares = []
        for z in (self._widened(tail), self._widened(1 - tail)):
            moved = self.bias + z
            shares.append(normal_cdf(self.bias + moved / (1 - self.acceleration * moved)))
        low, high = np.quantile(self.values, shares)
        return float(low), float(high)


def bca_constants(values: NDArray[np.float64], resampled: NDArray[np.float64]) -> tuple[float, float]:
    """Return z0 and a of the mean of ``values``, whose ``resampled`` means are sorted; ties count half."""
    mean = float(values.mean())
    share = (bisect_left(resampled, mean) + bisect_right(resampled, mean)) / (2 * len(resampled))
    residuals = values - mean
    squares = float(residuals @ residuals)
    acceleration = float((residuals**2) @ residuals) / (6 * squares**1.5) if squares else 0.0
    edge = 1 / (2 * len(resampled))
    return normal_quantile(min(1 - edge, max(edge, share))), acceleration


def _where(past: Callable[[float], Any], low: float, high: float) -> float:
    """Return the x in [low, high] from which ``past`` holds, by bisection to the last digit."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if isnan(middle) or middle in (low, high):
            break
        if past(middle):
            high = middle
        else:
            low = middle
    return (low + high) / 2
