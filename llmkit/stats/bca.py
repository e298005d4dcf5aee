"""Intervals of statistics that are skewed and biased, as agreement is, from resamples; and of very many rows."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.distributions import normal_quantile, t_quantile
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

_SAME = 1e-12
_STEEPEST = 0.9


def bca(
    point: float,
    values: Array,
    *,
    left_out: tuple[Array, Array] | None,
    n: int,
    units: int,
    unit: str = "rows",
    level: float = 0.95,
) -> Estimate:
    """Return a value with its bias-corrected and accelerated bootstrap interval (BCa; Efron 1987, JASA 82:171).

    Widened for few units as `llmkit.stats.curves.ResampledCurve` says.

    Args:
        point: The value of all rows.
        values: Shape (R,): of the resamples; NaN where undefined (left out, and counted in ``method``).
        left_out: The values without one unit each, and how many units each stands for; None for no acceleration,
            which ``method`` calls BC.
        n: How many rows.
        units: How many units were drawn: rows or clusters.
        unit: Their name.
        level: Of the interval.
    """
    import numpy as np

    from llmkit.stats.curves import ResampledCurve

    if units == 1:
        return _none(point, n, "one sample" if n == 1 else f"one {unit.removesuffix('s')}", level)
    found = np.sort(values[~np.isnan(values)])
    undefined = len(values) - len(found)
    if undefined * 2 > len(values):
        return _none(point, n, f"undefined in {undefined} of {len(values)} resamples", level)
    near = _SAME * max(abs(float(found[0])), abs(float(found[-1])), _SAME)
    if found[-1] - found[0] <= near:
        return _none(point, n, "all resamples are equal", level)
    below = (float(np.mean(found < point - near)) + float(np.mean(found <= point + near))) / 2
    bias = normal_quantile(min(max(below, 1 / len(values)), 1 - 1 / len(values)))
    bend = 0.0 if left_out is None else _acceleration(*left_out)
    reach = abs(bias) + t_quantile(0.5 + level / 2, units - 1) * sqrt(units / (units - 1))
    bend = min(_STEEPEST / reach, max(-_STEEPEST / reach, bend))
    low, high = ResampledCurve(found, bias, bend, units).interval(level)
    name = "bc bootstrap" if left_out is None else "bca bootstrap"
    method = f"{name}, {len(values)} resamples" + ("" if unit == "rows" else f" of {unit}")
    if undefined:
        method += f", {undefined} undefined"
    return Estimate(point, min(low, point), max(high, point), n, method, level)


def jackknife(point: float, values: Array, *, n: int, unit: str = "rows", level: float = 0.95) -> Estimate:
    """Return a value with its delete-a-group jackknife interval (Kott 2001, Journal of Official Statistics 17:521).

    It is value +- t(groups - 1) * standard error: for statistics of so many rows that their bootstrap would be as
    symmetric, and take minutes.

    Args:
        point: The value of all rows.
        values: Shape (groups,): without each group of rows, or each cluster; NaN where undefined.
        n: How many rows.
        unit: What was left out.
        level: Of the interval.
    """
    import numpy as np

    groups = len(values)
    if np.isnan(values).any():
        return _none(point, n, f"undefined without some of {groups} groups", level)
    apart = values - values.mean()
    error = sqrt((groups - 1) / groups * float(apart @ apart))
    if error <= _SAME * abs(point):
        return _none(point, n, f"the same without any of {groups} groups", level)
    reach = t_quantile(0.5 + level / 2, groups - 1) * error
    return Estimate(point, point - reach, point + reach, n, f"jackknife, {groups} groups of {unit}", level)


def _acceleration(values: Array, stands_for: Array) -> float:
    import numpy as np

    defined = ~np.isnan(values)
    if not defined.any():
        return 0.0
    values, times = values[defined], stands_for[defined]
    apart = float(np.average(values, weights=times)) - values
    spread = float(times @ apart**2)
    return float(times @ apart**3) / (6 * spread**1.5) if spread > 0 else 0.0


def _none(point: float, n: int, why: str, level: float) -> Estimate:
    return Estimate(point, None, None, n, f"none: {why}", level)
