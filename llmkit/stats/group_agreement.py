"""Agreement within groups, then averaged.

A judge that only knows easy documents from hard ones agrees with people over all rows and is no help in choosing
between two answers to one question; correlations within each document show that (SummEval and Topical-Chat report
these).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.agreement import RESAMPLES, Estimator, check, unfit
from llmkit.stats.cells import Cells, Labels, pair_up
from llmkit.stats.intervals import dense_codes, mean_estimate
from llmkit.stats.statistic import Statistic

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

CORRELATIONS = ("pearson", "spearman", "kendall")
_DENSE = 4_000_000
_UNBOUNDED = ("mean_difference",)


def by_group(
    judge: Labels,
    human: Labels,
    groups: Labels,
    *,
    statistics: Sequence[str] = CORRELATIONS,
    scale: Labels | None = None,
    clusters: Labels | None = None,
    level: float = 0.95,
) -> dict[str, Statistic]:
    """Return the mean over groups of each statistic within a group, with Student's interval over groups.

    A group in which the statistic is undefined (one row, one side constant) is skipped and counted in ``skipped``; the
    estimate's ``n`` is the number of groups that have a value. `group_values` gives each group's own.

    Args:
        judge: Labels of n >= 1 rows, all text or all numbers.
        human: Likewise, of the same rows.
        groups: Shape (n,): each row's group, a document or a question.
        statistics: Names out of `llmkit.stats.agreement.STATISTICS`.
        scale: All labels there are, lowest first; None for those that occur.
        clusters: Shape (n,): groups whose rows share a code are not independent of one another.
        level: Of the intervals.
    """
    import numpy as np

    check(statistics, RESAMPLES, level)
    values, reasons = group_values(judge, human, groups, statistics=statistics, scale=scale)
    found: dict[str, Statistic] = {}
    codes, count = dense_codes(np.asarray(groups))
    outer = None if clusters is None else _one_a_group(codes, count, np.asarray(clusters))
    for name in statistics:
        if name in reasons:
            found[name] = Statistic(None, reasons[name])
            continue
        defined = ~np.isnan(values[name])
        used, skipped = int(defined.sum()), int(count - defined.sum())
        if not used:
            found[name] = Statistic(None, "it is undefined in every group", skipped=skipped)
            continue
        estimate = mean_estimate(
            values[name][defined],
            binary=False,
            clusters=None if outer is None else outer[defined],
            level=level,
            bounds=None if name in _UNBOUNDED else (-1.0, 1.0),
        )
        found[name] = Statistic(estimate, groups=used, skipped=skipped)
    return found


def _one_a_group(codes: Array, count: int, clusters: Array) -> Array:
    import numpy as np

    if clusters.shape != codes.shape:
        raise ValueError(f"there are {len(codes)} rows and {len(clusters)} cluster codes")
    outer, _ = dense_codes(clusters)
    found = np.empty(count, dtype=np.int64)
    found[codes] = outer
    if (found[codes] != outer).any():
        raise ValueError("a group lies in two clusters; clusters must hold whole groups")
    return found


def group_values(
    judge: Labels,
    human: Labels,
    groups: Labels,
    *,
    statistics: Sequence[str] = CORRELATIONS,
    scale: Labels | None = None,
) -> tuple[dict[str, Array], dict[str, str]]:
    """Return each statistic in each group, NaN where it is undefined there, and why some exist in none.

    Groups are in the order of their sorted labels, shape (number of groups,).
    """
    import numpy as np

    cells, rows = pair_up(judge, human, scale)
    found = np.asarray(groups)
    if found.shape != rows.shape:
        raise ValueError(f"there are {len(rows)} rows and {len(found)} groups")
    codes, count = dense_codes(found)
    reasons = {name: why for name in statistics if (why := unfit(cells, name))}
    names = [name for name in statistics if name not in reasons]
    parts = list(_group_tables(cells, rows, codes, count, names)) if names else []
    columns: list[Array] = list(np.concatenate(parts).T) if parts else []
    return dict(zip(names, columns, strict=True)), reasons


def _group_tables(cells: Cells, rows: Array, codes: Array, count: int, names: list[str]) -> Iterator[Array]:
    """Yield the statistics of consecutive groups, (groups, names): of one table where cells are few, else in blocks."""
    import numpy as np

    width = max(len(cells), len(cells.labels))
    if count * width <= _DENSE:
        tables = np.bincount(codes * len(cells) + rows, minlength=count * len(cells)).reshape(count, len(cells))
        yield Estimator(cells, names)(tables.astype(np.float64))
        return
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(count + 1))
    first = 0
    while first < count:
        room = (np.arange(1, count - first + 1)) * (starts[first + 1 :] - starts[first])
        last = first + max(1, int(np.searchsorted(room, _DENSE // 64, side="right")))
        here = order[starts[first] : starts[last]]
        part, own = _part(cells, rows[here])
        tables = np.bincount((codes[here] - first) * len(part) + own, minlength=(last - first) * len(part))
        yield Estimator(part, names)(tables.reshape(last - first, len(part)).astype(np.float64))
        first = last


def _part(cells: Cells, rows: Array) -> tuple[Cells, Array]:
    """Return only the cells and labels that some rows have, and these rows' cells among them."""
    import numpy as np

    kept, own = np.unique(rows, return_inverse=True)
    labels, codes = np.unique(np.concatenate([cells.x[kept], cells.y[kept]]), return_inverse=True)
    part = Cells(
        codes[: len(kept)],
        codes[len(kept) :],
        cells.labels[labels],
        values=None if cells.values is None else cells.values[labels],
        positions=cells.positions[labels],
        categories=cells.categories,
    )
    return part, own
