"""Quantiles of the beta distribution, and Jeffreys' interval for a proportion, which is made of them."""

from __future__ import annotations

from functools import lru_cache
from math import isnan

from llmkit.stats.distributions import beta_cdf

_STEPS = 200


def beta_quantile(p: float, a: float, b: float) -> float:
    """Return the x with I_x(a, b) = p, for 0 <= p <= 1 and a, b > 0.

    The root is bracketed and halved; where the secant through the bracket (Illinois) is better, that is taken.
    """
    if isnan(p) or not 0 <= p <= 1:
        raise ValueError(f"a quantile needs a probability, not {p}")
    if p in (0.0, 1.0):
        beta_cdf(0.5, a, b)  # refuses parameters that are not positive
        return float(p)
    low, high, below, above = 0.0, 1.0, -p, 1.0 - p
    for step in range(_STEPS):
        x = 0.5 * (low + high) if step % 3 == 0 else (low * above - high * below) / (above - below)
        if not low < x < high:
            x = 0.5 * (low + high)
        if x in (low, high) or high - low < 1e-15 * high:
            break
        error = beta_cdf(x, a, b) - p
        if error == 0:
            return x
        if error < 0:
            low, below, above = x, error, above if step % 3 == 0 else 0.5 * above
        else:
            high, above, below = x, error, below if step % 3 == 0 else 0.5 * below
    return 0.5 * (low + high)


@lru_cache(maxsize=4096)
def jeffreys(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return Jeffreys' interval for a proportion: ``successes`` out of ``n`` > 0.

    Equal tails of Beta(successes + 1/2, n - successes + 1/2); the low end is 0 where nothing succeeded and the high end
    1 where everything did. Source: Brown, Cai and DasGupta (2001), Statistical Science 16:101-133, section 4.1.2.
    """
    if not (n > 0 and 0 <= successes <= n):
        raise ValueError(f"a proportion needs 0 <= successes <= n and n > 0, not {successes} of {n}")
    a, b, tail = successes + 0.5, n - successes + 0.5, 0.5 - level / 2
    low = 0.0 if successes == 0 else beta_quantile(tail, a, b)
    high = 1.0 if successes == n else beta_quantile(1.0 - tail, a, b)
    return low, high
