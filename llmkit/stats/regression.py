"""Least squares with standard errors that do not assume equal spread."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.distributions import t_cdf, t_quantile
from llmkit.stats.intervals import dense_codes
from llmkit.stats.statistic import Statistic
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

_CERTAIN = 1 - 1e-9


def least_squares(
    outcome: Array, columns: Array, *, clusters: Array | None = None, level: float = 0.95
) -> list[Statistic]:
    """Return the coefficients of ordinary least squares, in the order of ``columns``.

    Standard errors are HC3 with t(n - k) (MacKinnon and White 1985, J. Econometrics 29:305), or with clusters CR1 with
    t(clusters - 1), which is what Stata reports. Both equal statsmodels'.

    A column that others explain entirely, or a row that alone decides a coefficient, leaves all of them untold.

    Args:
        outcome: Shape (n,), finite.
        columns: Shape (n, k), finite; a column of ones is the intercept.
        clusters: Shape (n,): rows with one code are not independent.
        level: Of the intervals.
    """
    import numpy as np

    y, x = np.asarray(outcome, dtype=np.float64), np.asarray(columns, dtype=np.float64)
    n, k = x.shape
    scale = np.abs(x).max(axis=0) if n else np.zeros(k)
    if n <= k:
        return [Statistic(None, reason=f"{n} rows are too few for {k} coefficients")] * k
    if (scale == 0).any() or np.linalg.matrix_rank(x / scale) < k:
        return [Statistic(None, reason="the features tell the same or do not vary")] * k
    q, r = np.linalg.qr(x / scale)
    values = np.linalg.solve(r, q.T @ y) / scale
    residuals = y - x @ values
    bread = np.linalg.solve(r, q.T) / scale[:, None]
    df = n - k
    if clusters is None:
        leverage = np.einsum("ij,ij->i", q, q)
        if (leverage > _CERTAIN).any():
            return [Statistic(None, reason="one row alone decides a coefficient")] * k
        meat = bread * (residuals / (1 - leverage))
        variance = np.einsum("ij,ij->i", meat, meat)
        method = "HC3"
    else:
        codes, count = dense_codes(np.asarray(clusters))
        if count <= k:
            return [Statistic(None, reason=f"{count} clusters are too few for {k} coefficients")] * k
        parts = bread * residuals
        meat = np.stack([np.bincount(codes, weights=part, minlength=count) for part in parts])
        variance = np.einsum("ij,ij->i", meat, meat) * count / (count - 1) * (n - 1) / (n - k)
        df, method = count - 1, f"CR1, {count} clusters"
    noise = 1e-14 * float(np.abs(y).max(initial=0.0)) / scale
    return [
        _coefficient(float(value), sqrt(max(0.0, float(v))), float(least), n, df=df, method=method, level=level)
        for value, v, least in zip(values, variance, noise, strict=True)
    ]


def _coefficient(value: float, error: float, noise: float, n: int, *, df: int, method: str, level: float) -> Statistic:
    if error <= noise:  # nothing is left to chance: an interval of no width would claim too much
        settled = abs(value) > noise
        told = Estimate(value if settled else 0.0, None, None, n, "none: the fit leaves no residue", level)
        return Statistic(told, reason="the fit leaves no residue")
    reach = t_quantile(0.5 + level / 2, df) * error
    p = 2 * t_cdf(-abs(value / error), df)
    return Statistic(Estimate(value, value - reach, value + reach, n, method, level), p=p)
