"""Intervals by resampling, for corpus values that are not means: BLEU, macro F1, PR-AUC.

The interval is that of percentiles: of R sorted values the one at place floor(R * (1 - level) / 2) from either end.
Indices come from ``numpy.random.default_rng(seed)`` in sacreBLEU's order, and sacreBLEU takes the same places, so with
``seed=12345`` and up to `MANY_ROWS` independent rows `bootstrap_totals` resamples exactly as ``sacrebleu`` 2.x does:
half of (high - low) is the half-width that it prints, and the two agree but for its 32-bit floats.

A metric of rows may ask for the basic interval instead (``interval = "basic"``): the percentiles mirrored at the value,
drawn out to hold it and cut to the metric's bounds. That is for values that chance moves one way only, as it moves
calibration errors up: resamples then lie as far above the value as the value lies above the truth (Davison and Hinkley
1997, section 5.2; the program uncertainty-calibration does the same).

Resamples that are all equal give no interval, as values that do not vary give none in `llmkit.stats.mean_estimate`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import floor, inf, sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.distributions import t_quantile
from llmkit.stats.intervals import SAME, dense_codes
from llmkit.types import Estimate, Table

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

MANY_ROWS = 100_000
"""With more independent rows (or clusters) than this, blocks of them are resampled instead."""

BLOCKS = 10_000
GROUPS = 100
_CHUNK_BYTES = 16 << 20


def bootstrap_totals(
    stats: Array,
    value: Callable[[Array], Array],
    *,
    resamples: int = 1000,
    seed: int = 0,
    clusters: Array | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return a value made of column totals, with its percentile bootstrap interval.

    With more than `MANY_ROWS` rows, rows are first added up in `BLOCKS` random blocks of equal size and the blocks are
    resampled: the same spread to within about 1 %, at the cost of ten thousand rows. ``method`` says so.

    Args:
        stats: Shape (n, k): the sufficient statistics of n >= 1 rows.
        value: Totals of shape (m, k) -> values of shape (m,). Add a column of ones where it needs the number of rows.
        resamples: How many; at least 2 / (1 - level).
        seed: Of the resampling.
        clusters: Shape (n,): rows with one code are drawn together.
        level: Of the interval.

    Resamples whose value is NaN are left out, and counted in ``method``. Raises ValueError where there are no rows.
    """
    import numpy as np

    rows = np.ascontiguousarray(stats, dtype=np.float64)
    n = len(rows)
    if n == 0:
        raise ValueError("a bootstrap needs at least one row")
    check_resamples(resamples, level)
    point = float(value(rows.sum(axis=0, keepdims=True))[0])
    rng = np.random.default_rng(seed)
    unit = "rows"
    if clusters is not None:
        codes, count = dense_codes(np.asarray(clusters))
        rows, unit = sums_by(rows, codes, count), "clusters"
    if len(rows) == 1:
        return _none(point, n, "one sample" if n == 1 else "one cluster", level)
    if len(rows) > MANY_ROWS:
        unit = f"{BLOCKS} blocks of {unit}"
        rows = sums_by(rows, random_blocks(len(rows), rng), BLOCKS)
    values = np.concatenate([value(counts @ rows) for counts in drawn_counts(len(rows), resamples, rng)])
    return _percentiles(point, values, n, unit, level)


def bootstrap_rows(
    table: Table,
    metric: Any,
    *,
    resamples: int = 1000,
    seed: int = 0,
    clusters: Array | None = None,
    level: float = 0.95,
) -> Estimate | None:
    """Return the value of a metric that is not a sum, with its percentile bootstrap interval.

    None where the metric has no value for these rows. ``metric`` is a `llmkit.protocols.Metric` of kind ``rows``. Where
    it also has ``value_many(table, weights) -> values``, with weights of shape (m, n) (how often each row was drawn)
    and values of shape (m,), NaN where undefined, that is used, and rows that are equal in every column are drawn
    together as one multinomial count, which makes label metrics of any size cheap. Else ``value_of`` is called once a
    resample, with a table of the rows drawn, in their own order.

    With more than `MANY_ROWS` different rows, resampling them a thousand times would take minutes: the interval is then
    that of the delete-a-group jackknife with `GROUPS` random groups (Kott 2001, Journal of Official Statistics 17:521),
    value +- t(GROUPS - 1) * standard error, cut to the metric's ``bounds``.

    Args:
        table: Columns of one length n >= 1.
        metric: Gives ``value_of`` and perhaps ``value_many``.
        resamples: How many; at least 2 / (1 - level).
        seed: Of the resampling.
        clusters: Shape (n,): rows with one code are drawn together.
        level: Of the interval.
    """
    import numpy as np

    check_resamples(resamples, level)
    columns: list[Any] = [np.asarray(column, dtype=np.float64) for column in table.columns]
    n = len(columns[0]) if columns else 0
    if n == 0:
        raise ValueError("a bootstrap needs at least one row")
    found = metric.value_of(table)
    if found is None or np.isnan(found):
        return None
    point = float(found)
    codes, count = (None, n) if clusters is None else dense_codes(np.asarray(clusters))
    unit = "rows" if codes is None else "clusters"
    if count == 1:
        return _none(point, n, "one sample" if n == 1 else "one cluster", level)
    rng = np.random.default_rng(seed)
    many = getattr(metric, "value_many", None)
    if many is not None and codes is None:
        distinct, counts = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
        if len(distinct) <= min(n // 2, MANY_ROWS):
            small = Table(list(distinct.T), table.vocabulary)
            sizes = chunk_sizes(resamples, len(distinct))
            parts = [many(small, rng.multinomial(n, counts / n, size=size).astype(np.float64)) for size in sizes]
            return _as_asked(metric, _percentiles(point, np.concatenate(parts), n, unit, level))
    value_of = of_weights(table, columns, many, metric.value_of)
    if count > MANY_ROWS:
        group = random_blocks(count, rng, GROUPS)
        bounds = getattr(metric, "bounds", None) or (-inf, inf)
        groups = group if codes is None else group[codes]
        return _jackknife(point, value_of, groups, n, unit=unit, level=level, bounds=bounds)
    draws = drawn_counts(count, resamples, rng, width=n)
    parts = [value_of(weights if codes is None else weights[:, codes]) for weights in draws]
    return _as_asked(metric, _percentiles(point, np.concatenate(parts), n, unit, level))


def _as_asked(metric: Any, found: Estimate) -> Estimate:
    """Return a percentile interval, or the basic one made of it where the metric asks for that."""
    if getattr(metric, "interval", "percentile") != "basic" or found.low is None or found.high is None:
        return found
    point = found.value
    least, most = getattr(metric, "bounds", None) or (-inf, inf)
    low, high = max(least, min(point, 2 * point - found.high)), min(most, max(point, 2 * point - found.low))
    return replace(found, low=low, high=high, method=f"basic {found.method}")


def of_weights(
    table: Table, columns: list[Any], many: Callable[..., Array] | None, value_of: Callable[[Table], float | None]
) -> Callable[[Array], Array]:
    """Return weights (m, n) -> values (m,) by whichever way the metric offers; NaN where there is no value."""
    import numpy as np

    if many is not None:
        return lambda weights: np.asarray(many(table, weights), dtype=np.float64)
    places = np.arange(len(columns[0]))

    def one(weights: Array) -> float:
        drawn = np.repeat(places, weights.astype(np.int64))
        value = value_of(Table([column[drawn] for column in columns], table.vocabulary))
        return np.nan if value is None else value

    return lambda weights: np.array([one(row) for row in weights])


def _jackknife(
    point: float,
    value_of: Callable[[Array], Array],
    group: Array,
    n: int,
    *,
    unit: str,
    level: float,
    bounds: tuple[float, float],
) -> Estimate:
    import numpy as np

    values = np.concatenate([value_of((group != left_out).astype(np.float64)[None, :]) for left_out in range(GROUPS)])
    if np.isnan(values).any():
        return _none(point, n, f"undefined without some of {GROUPS} groups", level)
    if alike(float(values.min()), float(values.max())):
        return _none(point, n, f"the same without any of {GROUPS} groups", level)
    residuals = values - values.mean()
    error = sqrt((GROUPS - 1) / GROUPS * float(residuals @ residuals))
    reach = t_quantile(0.5 + level / 2, GROUPS - 1) * error
    low, high = max(bounds[0], point - reach), min(bounds[1], point + reach)
    return Estimate(point, low, high, n, f"jackknife, {GROUPS} groups of {unit}", level)


def drawn_counts(n: int, resamples: int, rng: np.random.Generator, width: int | None = None) -> Iterator[Array]:
    """Yield counts of shape (m, n), in all ``resamples`` rows: how often each of n things is drawn in n draws.

    The stream of indices does not depend on the size of the chunks.
    """
    import numpy as np

    for size in chunk_sizes(resamples, max(n, width or 0)):
        indices = rng.integers(0, n, size=(size, n))
        counts = np.empty((size, n))
        for row in range(size):
            counts[row] = np.bincount(indices[row], minlength=n)
        yield counts


def chunk_sizes(resamples: int, width: int, size: int = 8) -> list[int]:
    """Return how many resamples to hold at a time, each of ``width`` numbers of ``size`` bytes."""
    chunk = max(1, _CHUNK_BYTES // (size * width))
    return [min(chunk, resamples - start) for start in range(0, resamples, chunk)]


def random_blocks(n: int, rng: np.random.Generator, count: int = BLOCKS) -> Array:
    """Return a random block number for each of n rows, the blocks as equal in size as they can be."""
    import numpy as np

    return rng.permutation(np.arange(n) % count)


def sums_by(rows: Array, codes: Array, count: int) -> Array:
    """Return the column sums of rows (n, k) by their codes, shape (count, k)."""
    import numpy as np

    return np.stack([np.bincount(codes, weights=column, minlength=count) for column in rows.T], axis=1)


def _percentiles(point: float, values: Array, n: int, unit: str, level: float) -> Estimate:
    import numpy as np

    defined = np.sort(values[~np.isnan(values)])
    undefined = len(values) - len(defined)
    if undefined * 2 > len(values):
        return _none(point, n, f"undefined in {undefined} of {len(values)} resamples", level)
    if alike(float(defined[0]), float(defined[-1])):
        return _none(point, n, "all resamples are equal", level)
    method = f"bootstrap, {len(values)} resamples" + ("" if unit == "rows" else f" of {unit}")
    if undefined:
        method += f", {undefined} undefined"
    place = floor(round(len(defined) * (1 - level) / 2, 9))
    return Estimate(point, float(defined[place]), float(defined[-1 - place]), n, method, level)


def alike(least: float, most: float) -> bool:
    """Return whether resampled values from ``least`` to ``most`` have no spread but rounding."""
    return most - least <= SAME * max(abs(least), abs(most))


def _none(point: float, n: int, why: str, level: float) -> Estimate:
    return Estimate(point, None, None, n, f"none: {why}", level)


def check_resamples(resamples: int, level: float) -> None:
    """Refuse so few resamples that none would lie outside the interval."""
    if not 0 < level < 1 or resamples * (1 - level) < 2 - 1e-9:
        raise ValueError(
            f"an interval at level {level} needs at least {2 / (1 - level):.0f} resamples, not {resamples}"
        )
