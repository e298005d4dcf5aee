"""The mean of many scores, and how far to trust it."""

from __future__ import annotations

from math import inf, isfinite, sqrt
from typing import TYPE_CHECKING, Any, Literal

from llmkit.stats.distributions import normal_quantile, t_quantile
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

SAME = 1e-12
"""A spread below this share of the values is rounding."""


def wilson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval for a proportion: ``successes`` out of ``n`` > 0.

    Source: Wilson (1927), JASA 22:209-212. It stays inside [0, 1] and is not empty when all or none succeed.
    """
    if not (n > 0 and 0 <= successes <= n):
        raise ValueError(f"a proportion needs 0 <= successes <= n and n > 0, not {successes} of {n}")
    z = normal_quantile(0.5 + level / 2)
    share = successes / n
    center = share + z * z / (2 * n)
    spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else max(0.0, (center - spread) / scale)
    high = 1.0 if successes == n else min(1.0, (center + spread) / scale)
    return low, high


def mean_estimate(
    values: np.ndarray[Any, Any],
    *,
    binary: bool,
    clusters: np.ndarray[Any, Any] | None = None,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
    interval: Literal["auto", "t", "bca"] = "t",
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Return the mean of ``values`` with its interval.

    - binary values, independent rows: Wilson's score interval;
    - other values: Student's t with n - 1 degrees of freedom, or a BCa bootstrap (which is better when stands in
      `llmkit.stats.means`);
    - ``clusters`` (rows with one code are not independent of one another): the cluster-robust standard error
      sqrt(C / (C - 1) * sum over clusters of (sum of residuals)^2) / n with t(C - 1) (Miller 2024,
      "Adding error bars to evals", arXiv 2411.00640, with the small-sample factor).

    Values that do not vary at all would make an interval of no width, which claims a certainty that no sample gives.
    Where the range of the score is known, Wilson's interval takes its place: of all scores with this mean and range, 0
    and 1 vary most, so it is wide enough. Where it is not known, or has an end only on one side, there is no interval,
    and ``method`` says why.

    Args:
        values: Shape (n,), finite, n >= 1; zeros and ones where ``binary``.
        binary: Whether every value is exactly 0 or 1.
        clusters: Shape (n,), any codes; None where rows are independent.
        level: Of the interval.
        bounds: The least and greatest score there can be, an infinity where there is none; the interval is cut to
            them. (0, 1) where ``binary``.
        interval: Of other values in independent rows; ``auto`` is a BCa bootstrap for 10 to 10,000 of them, else t.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises ValueError where there are no values, or one is not finite.
    """
    import numpy as np

    numbers = np.asarray(values, dtype=np.float64)
    n = len(numbers)
    if n == 0:
        raise ValueError("a mean needs at least one value")
    mean = float(numbers.mean())
    if not np.isfinite(mean):
        raise ValueError("a mean needs finite values")
    if n == 1:
        return Estimate(mean, None, None, 1, "none: one sample", level)
    limits = (0.0, 1.0) if binary else bounds
    if clusters is not None:
        return _clustered(numbers, mean, np.asarray(clusters), level, limits)
    if binary:
        low, high = wilson(round(mean * n), n, level)
        return Estimate(mean, low, high, n, "wilson", level)
    residuals = numbers - mean
    error = sqrt(float(residuals @ residuals) / (n - 1) / n)
    if error <= SAME * float(np.abs(numbers).max()):
        return _constant(mean, n, n, "all values are equal", level=level, limits=limits)
    from llmkit.stats.means import FEWEST, MANY, mean_curve

    if interval == "auto":
        interval = "bca" if FEWEST <= n <= MANY else "t"
    limits = (-inf, inf) if limits is None else (min(limits[0], mean), max(limits[1], mean))
    curve, method = mean_curve(numbers, interval=interval, bounds=limits, resamples=resamples, seed=seed)
    low, high = curve.interval(level)
    return Estimate(mean, low, high, n, method, level)


def _clustered(
    numbers: np.ndarray[Any, Any],
    mean: float,
    clusters: np.ndarray[Any, Any],
    level: float,
    limits: tuple[float, float] | None,
) -> Estimate:
    import numpy as np

    n = len(numbers)
    codes, count = dense_codes(clusters)
    if len(codes) != n:
        raise ValueError(f"there are {n} values and {len(codes)} cluster codes")
    if count == 1:
        return Estimate(mean, None, None, n, "none: one cluster", level)
    sums = np.bincount(codes, weights=numbers - mean, minlength=count)
    error = sqrt(count / (count - 1) * float(sums @ sums)) / n
    if error <= SAME * float(np.abs(numbers).max()):
        return _constant(mean, n, count, "all clusters have one mean", level=level, limits=limits)
    return _around(
        mean, t_quantile(0.5 + level / 2, count - 1) * error, n, f"t, {count} clusters", level=level, limits=limits
    )


def _around(
    mean: float, reach: float, n: int, method: str, *, level: float, limits: tuple[float, float] | None
) -> Estimate:
    low, high = mean - reach, mean + reach
    if limits is not None:
        low, high = max(low, min(limits[0], mean)), min(high, max(limits[1], mean))
    return Estimate(mean, low, high, n, method, level)


def _constant(
    mean: float, n: int, independent: int, why: str, *, level: float, limits: tuple[float, float] | None
) -> Estimate:
    if limits is None or not (isfinite(limits[0]) and isfinite(limits[1])):
        return Estimate(mean, None, None, n, f"none: {why}", level)
    least, span = limits[0], limits[1] - limits[0]
    share = min(1.0, max(0.0, (mean - least) / span))
    low, high = wilson(share * independent, independent, level)
    return Estimate(mean, min(mean, least + span * low), max(mean, least + span * high), n, f"wilson: {why}", level)


def average_repeats(
    values: np.ndarray[Any, Any],
    samples: np.ndarray[Any, Any],
    clusters: np.ndarray[Any, Any] | None = None,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]:
    """Return one mean a sample, and each sample's cluster: repeats of a sample are not independent observations.

    Args:
        values: Shape (n,).
        samples: Shape (n,): rows with one code are repeats of one sample.
        clusters: Shape (n,), or None; all repeats of a sample lie in one cluster.

    Returns:
        The means, shape (number of samples,), in the order of the codes, and the clusters likewise (or None).
    """
    import numpy as np

    codes, count = dense_codes(np.asarray(samples))
    means = np.bincount(codes, weights=values, minlength=count) / np.bincount(codes, minlength=count)
    if clusters is None:
        return means, None
    of_sample = np.empty(count, dtype=np.asarray(clusters).dtype)
    of_sample[codes] = clusters
    return means, of_sample


def dense_codes(codes: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], int]:
    """Return the codes as 0 .. count - 1 in their own order, and the count; without sorting where they are small."""
    import numpy as np

    if codes.dtype.kind in "iub" and len(codes):
        low, high = int(codes.min()), int(codes.max())
        if high - low < 4 * len(codes) + 1024:
            shifted = codes.astype(np.int64) - low
            present = np.bincount(shifted) > 0
            if present.all():
                return shifted, len(present)
            return (np.cumsum(present) - 1)[shifted], int(present.sum())
    found, dense = np.unique(codes, return_inverse=True)
    return dense, len(found)


def quantile(values: np.ndarray[Any, Any], share: float) -> float:
    """Return the ``share`` quantile (0 .. 1) of values, interpolated linearly: type 7 of Hyndman & Fan (1996), as R.

    Raises ValueError where there are no values.
    """
    import numpy as np

    numbers = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        raise ValueError("a quantile needs at least one value")
    return float(np.quantile(numbers, share))
