"""Agreement between whole systems: does a judge rank them as people do?

That is an easier question than which of two answers is better: means over many rows hide the judge's noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from llmkit.stats.agreement import RESAMPLES, check, plain
from llmkit.stats.bca import bca
from llmkit.stats.cells import Labels, label_array
from llmkit.stats.draws import Draws
from llmkit.stats.group_agreement import CORRELATIONS
from llmkit.stats.intervals import dense_codes
from llmkit.stats.statistic import Statistic

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"
Over: TypeAlias = Literal["rows", "systems", "both"]


def by_system(
    judge: Labels,
    human: Labels,
    systems: Labels,
    *,
    statistics: Sequence[str] = CORRELATIONS,
    clusters: Labels | None = None,
    over: Over = "both",
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Statistic]:
    """Return correlations over systems of the judge's mean score with the human mean score.

    The interval resamples rows within each system (or whole clusters, such as documents that all systems answered, at
    once), systems, or both: "rows" speaks of these systems, "both" also of systems to come (Deutsch, Dror and Roth
    2021, TACL 9:1132, who advise both).

    Args:
        judge: Shape (n,): numbers.
        human: Shape (n,): numbers.
        systems: Shape (n,): which system each row is of.
        statistics: Out of `CORRELATIONS`.
        clusters: Shape (n,): rows with one code are drawn together.
        over: What is resampled.
        resamples: How many.
        seed: Of the resampling.
        level: Of the intervals.
    """
    import numpy as np

    check(statistics, resamples, level)
    if odd := [name for name in statistics if name not in CORRELATIONS]:
        raise ValueError(f"between systems there are {', '.join(CORRELATIONS)}, not {', '.join(odd)}")
    pair = np.stack([label_array(judge, "first"), label_array(human, "second")], axis=1)
    if pair.dtype.kind == "U":
        raise ValueError("means over systems need numbers, not text")
    names = np.asarray(systems)
    if names.shape != (len(pair),) or not len(pair):
        raise ValueError(f"there are {len(pair)} rows and {len(names)} systems")
    codes, count = dense_codes(names)
    once = np.ones((1, count))
    sizes = np.bincount(codes, minlength=count)
    means = np.stack([np.bincount(codes, weights=column) / sizes for column in pair.T])
    point = _correlations(means[0][None], means[1][None], once, statistics)[0]
    if count < 2 or np.isnan(point).all():  # noqa: PLR2004 - two points
        why = "there is one system only" if count == 1 else "all systems have one mean"
        return {name: Statistic(None, why, groups=count) for name in statistics}
    drawn = _drawn_means(pair, codes, count, clusters, resamples=resamples, seed=seed, fixed=over == "systems")
    times = once if over == "rows" else _times(count, resamples, seed)
    parts = []
    for start, (first, second) in drawn:
        here = np.broadcast_to(times if over == "rows" else times[start : start + len(first)], first.shape)
        parts.append(_correlations(first, second, here, statistics))
    values = np.concatenate(parts)
    rows = len(pair) if clusters is None else len(np.unique(np.asarray(clusters)))
    units = rows if over == "rows" else count
    unit = {"rows": "rows" if clusters is None else "clusters", "systems": "systems", "both": "rows and systems"}[over]
    found = {}
    for i, name in enumerate(statistics):
        value = plain(point[i])
        if value is None:
            found[name] = Statistic(None, "all systems have one mean", groups=count)
            continue
        estimate = bca(value, values[:, i], left_out=None, n=count, units=units, unit=unit, level=level)
        found[name] = Statistic(estimate, groups=count)
    return found


def _times(count: int, resamples: int, seed: int) -> Array:
    import numpy as np

    rng = np.random.default_rng([seed, 1])
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)


def _drawn_means(
    pair: Array, codes: Array, count: int, clusters: Labels | None, *, resamples: int, seed: int, fixed: bool
) -> Iterator[tuple[int, tuple[Array, Array]]]:
    """Yield the first resample's number and both sides' means of systems, (m, systems); NaN where none was drawn."""
    import numpy as np

    columns = [np.bincount(codes, weights=column, minlength=count) for column in pair.T]
    columns.append(np.bincount(codes, minlength=count).astype(np.float64))
    if fixed:
        whole = np.broadcast_to(columns[0] / columns[2], (resamples, count))
        yield 0, (whole, np.broadcast_to(columns[1] / columns[2], (resamples, count)))
        return
    if clusters is None:
        sides = np.empty((2, resamples, count))
        for system in range(count):
            own, kinds = np.unique(pair[codes == system], axis=0, return_inverse=True)
            drawn = Draws(kinds.reshape(-1), len(own)).resamples(resamples, (seed, system))
            sides[:, :, system] = np.concatenate([counts @ own for counts in drawn]).T / columns[2][system]
        yield 0, (sides[0], sides[1])
        return
    units, size = dense_codes(np.asarray(clusters))
    weights = [pair[:, 0], pair[:, 1], np.ones(len(pair))]
    sums = [
        np.bincount(units * count + codes, weights=column, minlength=size * count).reshape(size, count)
        for column in weights
    ]
    start = 0
    for times in Draws(np.arange(size), size).resamples(resamples, seed):
        top, bottom, rows = (times @ table for table in sums)
        empty = rows == 0
        rows[empty] = np.nan
        yield start, (top / rows, bottom / rows)
        start += len(times)


def _correlations(first: Array, second: Array, times: Array, names: Sequence[str]) -> Array:
    """Return correlations along the rows of (m, systems), each system counted ``times``; NaN where undefined."""
    import numpy as np

    size = first.shape[1]
    chunk = max(1, 1_000_000 // (size * size))
    parts = []
    for start in range(0, len(first), chunk):
        x, y, w = (array[start : start + chunk] for array in (first, second, times))
        w = np.where(np.isnan(x) | np.isnan(y), 0.0, w)
        x, y = np.where(w > 0, x, 0.0), np.where(w > 0, y, 0.0)
        up, across = np.sign(x[:, :, None] - x[:, None, :]), np.sign(y[:, :, None] - y[:, None, :])
        parts.append(np.stack([_correlate(name, (x, y), (up, across), w) for name in names], axis=1))
    return np.concatenate(parts)


def _correlate(name: str, means: tuple[Array, Array], signs: tuple[Array, Array], w: Array) -> Array:
    import numpy as np

    (x, y), (up, across) = means, signs
    both = w[:, :, None] * w[:, None, :]
    apart = [np.einsum("ijk,ijk->i", both, side * side) for side in (up, across)]
    if name == "kendall":
        shared = np.einsum("ijk,ijk,ijk->i", both, up, across)
        spread = np.sqrt(apart[0]) * np.sqrt(apart[1])
    else:
        if name == "spearman":
            x, y = (np.einsum("ijk,ik->ij", side, w) for side in (up, across))
        total = np.maximum(w.sum(axis=1, keepdims=True), 1e-12)
        x = x - (w * x).sum(axis=1, keepdims=True) / total
        y = y - (w * y).sum(axis=1, keepdims=True) / total
        shared = (w * x * y).sum(axis=1)
        spread = np.sqrt((w * x * x).sum(axis=1)) * np.sqrt((w * y * y).sum(axis=1))
    found = np.full(len(w), np.nan)
    defined = (apart[0] > 0) & (apart[1] > 0) & (spread > 0)
    return np.asarray(np.clip(np.divide(shared, spread, out=found, where=defined), -1.0, 1.0))
