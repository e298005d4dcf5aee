"""How much better one system is than another on the same rows, with the interval that pairing them gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmkit.flows.summarise import RESAMPLES, Design, table_of, value_many
from llmkit.flows.tally import Tally
from llmkit.stats import average_repeats, bootstrap_rows, bootstrap_totals, mean_estimate
from llmkit.types import Estimate, Table


def difference(ours: Tally, theirs: Tally, design: Design) -> Estimate | None:
    """Return our corpus value less theirs, over the rows that both have scored; None where there is no such value.

    The interval is that of the difference row by row: means by their differences (t, or cluster-robust), totals and
    metrics of rows by resampling both sides of a row together.
    """
    rows, left, right = np.intersect1d(
        np.frombuffer(ours.rows, dtype=np.uint32),
        np.frombuffer(theirs.rows, dtype=np.uint32),
        assume_unique=True,
        return_indices=True,
    )
    if not len(rows):
        return None
    alone = design.samples is None or ours.over_repeats
    samples = None if alone else design.samples[rows]
    clusters = None if design.clusters is None else design.clusters[rows]
    if ours.metric.kind == "mean":
        values = _columns(ours, left)[0] - _columns(theirs, right)[0]
        return _mean(values, ours.metric, samples, clusters, design)
    together = samples if clusters is None else clusters
    resamples = max(RESAMPLES, int(np.ceil(round(2 / (1 - design.level), 6))))
    how: dict[str, Any] = {
        "resamples": resamples,
        "seed": design.seed,
        "clusters": together,
        "level": design.level,
    }
    if ours.metric.kind == "totals":
        width = len(ours.columns)
        both = np.stack([*_columns(ours, left), *_columns(theirs, right)], axis=1)
        one = value_many(ours.metric, len(rows))
        found = bootstrap_totals(both, lambda totals: one(totals[:, :width]) - one(totals[:, width:]), **how)
        return None if np.isnan(found.value) else found
    mine, other = table_of(ours, left), table_of(theirs, right)
    beside = Table([*mine.columns, *other.columns], [*mine.vocabulary, *other.vocabulary])
    return bootstrap_rows(beside, _Difference.of(ours.metric, len(mine.columns)), **how)


def _mean(values: Any, metric: Any, samples: Any, clusters: Any, design: Design) -> Estimate:
    if samples is not None:
        values, clusters = average_repeats(values, samples, clusters)
    bounds = getattr(metric, "bounds", None) or ((0.0, 1.0) if metric.binary else None)
    reach = None if bounds is None else bounds[1] - bounds[0]
    limits = None if reach is None else (-reach, reach)
    return mean_estimate(values, binary=False, clusters=clusters, level=design.level, bounds=limits)


def _columns(tally: Tally, chosen: Any) -> list[Any]:
    return [np.frombuffer(column, dtype=np.float64)[chosen] for column in tally.columns]


class _Difference:
    """A metric of rows over two tables side by side: the value of the one less that of the other."""

    interval = "percentile"

    def __init__(self, metric: Any, width: int) -> None:
        self._metric = metric
        self._width = width

    @classmethod
    def of(cls, metric: Any, width: int) -> _Difference:
        """Return the difference for a metric; with its vectorised form where it has one."""
        return (_QuickDifference if getattr(metric, "value_many", None) is not None else cls)(metric, width)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the greatest difference there can be."""
        found = getattr(self._metric, "bounds", None)
        return None if found is None else (found[0] - found[1], found[1] - found[0])

    def value_of(self, table: Table) -> float | None:
        """Return the difference of the two values; None where either has none."""
        ours, theirs = map(self._metric.value_of, self._sides(table))
        return None if ours is None or theirs is None else float(ours - theirs)

    def _sides(self, table: Table) -> tuple[Table, Table]:
        columns, words, width = table.columns, table.vocabulary, self._width
        return Table(columns[:width], words[:width]), Table(columns[width:], words[width:])


class _QuickDifference(_Difference):
    def value_many(self, table: Table, weights: Any) -> Any:
        """Return the differences of m resamples, shape (m,), nan where undefined; ``weights`` is (m, n)."""
        ours, theirs = self._sides(table)
        return self._metric.value_many(ours, weights) - self._metric.value_many(theirs, weights)


def shown(found: Estimate | None) -> dict[str, Any]:
    """Return an estimate as plain JSON."""
    if found is None:
        return {"value": None, "low": None, "high": None, "n": 0, "method": ""}
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n, "method": found.method}
