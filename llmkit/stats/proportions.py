"""Exact statements about counts: intervals and tests without approximation."""

from __future__ import annotations

from collections.abc import Callable

from llmkit.stats.beta import beta_quantile
from llmkit.stats.distributions import binomial_cdf, binomial_pmf

_SAME = 1e-7


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval for a proportion: ``successes`` out of ``n`` > 0; it covers at least ``level``.

    Source: Clopper and Pearson (1934), Biometrika 26:404.
    """
    if not (n > 0 and 0 <= successes <= n and 0 < level < 1):
        raise ValueError(f"a proportion needs 0 <= successes <= n and n > 0, not {successes} of {n}")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else beta_quantile(tail, successes, n - successes + 1)
    high = 1.0 if successes == n else 1.0 - beta_quantile(tail, n - successes, successes + 1)
    return low, high


def binomial_test(successes: int, n: int, p: float = 0.5) -> float:
    """Return the two-sided exact p-value: the probability of all counts that are no likelier than this one.

    Equals scipy's ``binomtest``.
    """
    if not (n >= 0 and 0 <= successes <= n):
        raise ValueError(f"a binomial test needs 0 <= successes <= n, not {successes} of {n}")
    if n == 0:
        return 1.0
    own = binomial_pmf(successes, n, p) * (1 + _SAME)
    center = n * p
    if successes == center:
        return 1.0
    if successes < center:
        other = _first(lambda k: binomial_pmf(k, n, p) <= own, int(center) + (center != int(center)), n + 1)
        return min(1.0, binomial_cdf(successes, n, p) + _above(other, n, p))
    other = _first(lambda k: binomial_pmf(int(center) - k, n, p) <= own, 0, int(center) + 1)
    return min(1.0, _above(successes, n, p) + binomial_cdf(int(center) - other, n, p))


def _above(k: int, n: int, p: float) -> float:
    """Return P(X >= k), which is P(n - X <= n - k) of the other outcome."""
    return binomial_cdf(n - k, n, 1 - p) if k <= n else 0.0


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the least k in low .. high from which ``holds`` is true, as it is from some k on; ``high`` for none."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
