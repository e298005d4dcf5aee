"""McNemar's test, and the size of a paired effect."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from llmkit.stats.distributions import binomial_cdf, binomial_pmf, normal_quantile
from llmkit.stats.intervals import SAME, wilson
from llmkit.types import Estimate

Floats = NDArray[np.float64]


def mcnemar_p(gained: int, lost: int) -> float:
    """Return McNemar's two-sided mid-p: of ``gained`` + ``lost`` changed pairs, are as many gained as lost?

    Source: Fagerland, Lydersen and Laake 2013, "The McNemar test for binary matched-pairs data: mid-p and asymptotic
    are better than exact conditional", BMC Medical Research Methodology 13:91.
    """
    changed, fewer = gained + lost, min(gained, lost)
    if gained == lost:
        return 1.0
    return min(1.0, 2 * binomial_cdf(fewer, changed, 0.5) - binomial_pmf(fewer, changed, 0.5))


def odds_ratio(gained: int, lost: int, n: int, level: float) -> Estimate | None:
    """Return gained / lost, with Wilson's interval of gained / (gained + lost) turned into odds."""
    if not gained or not lost:
        return None
    low, high = wilson(gained, gained + lost, level)
    return Estimate(gained / lost, low / (1 - low), high / (1 - high), n, "matched odds ratio", level)


def cohen(changes: Floats, value: float, n: int, level: float) -> Estimate | None:
    """Return Cohen's d_z = mean / standard deviation, with its large-sample interval (error sqrt(1/n + d^2 / 2n))."""
    spread = float(changes.std(ddof=1)) if n > 1 else 0.0
    if spread <= SAME * float(np.abs(changes).max()):
        return None
    size = value / spread
    reach = normal_quantile(0.5 + level / 2) * sqrt((1 + size * size / 2) / n)
    return Estimate(size, size - reach, size + reach, n, "cohen's d_z", level)
