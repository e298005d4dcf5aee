"""Two runs over the same samples, for a metric that needs all rows: macro F1, PR-AUC (see `paired_corpus`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isnan, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmkit.stats import bootstrap
from llmkit.stats.bootstrap import GROUPS, check_resamples, chunk_sizes, drawn_counts, of_weights, random_blocks
from llmkit.stats.curves import StudentCurve
from llmkit.stats.distributions import t_cdf
from llmkit.stats.intervals import dense_codes
from llmkit.stats.paired import PairedResult
from llmkit.stats.paired_corpus import Both, Flags, Floats, Pair, compare, random_swaps, result_of
from llmkit.types import Table

Values = Callable[[Floats], Floats]
"""Weights of both runs' rows, shape (m, 2 n), base first -> values (m,)."""


def paired_rows(
    base: Table,
    candidate: Table,
    metric: Any,
    *,
    clusters: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> PairedResult | None:
    """Compare two runs by a metric that needs all rows; None where it has no value for one of them.

    Where the metric has ``value_many``, resamples are counts, and pairs of rows that are equal in every column are
    drawn and swapped together, which makes label metrics of any size cheap; else ``value_of`` is called twice a
    resample. With more than `llmkit.stats.bootstrap.MANY_ROWS` different pairs the interval and the p are those of a
    jackknife of groups, as in `llmkit.stats.bootstrap_rows`.

    Args:
        base: Columns of one length n >= 1.
        candidate: The same columns, row by row the same samples (its words may have other codes).
        metric: A `llmkit.protocols.Metric` of kind ``rows``.
        clusters: Shape (n,): rows with one code are drawn and swapped together.
        resamples: Of either kind; at least 2 / (1 - level).
        seed: Of both.
        level: Of the interval.
    """
    check_resamples(resamples, level)
    table, n = _stacked(base, candidate)
    point, other = metric.value_of(_half(table, n, 0)), metric.value_of(_half(table, n, 1))
    if point is None or other is None or isnan(point) or isnan(other):
        return None
    columns: list[Any] = [np.asarray(column) for column in table.columns]
    same = all(np.array_equal(column[:n], column[n:]) for column in columns)
    codes, count = (None, n) if clusters is None else dense_codes(np.asarray(clusters))
    both = Both(float(point), float(other), n, count, "rows" if codes is None else "clusters", same)
    many = getattr(metric, "value_many", None)
    streams = np.random.default_rng(seed), np.random.default_rng(seed)
    if many is not None and codes is None:
        pairs = np.stack([half for column in columns for half in (column[:n], column[n:])], axis=1)
        distinct, counts = np.unique(pairs, axis=0, return_counts=True)
        if len(distinct) <= min(n // 2, bootstrap.MANY_ROWS):
            halves: list[Any] = [np.concatenate(distinct.T[2 * k : 2 * k + 2]) for k in range(len(columns))]
            value_of = of_weights(Table(halves, table.vocabulary), halves, many, metric.value_of)
            draws = _counted_draws(value_of, counts, resamples, streams[0])
            return compare(both, draws, _counted_swaps(value_of, counts, resamples, streams[1]), level)
    value_of = of_weights(table, columns, many, metric.value_of)
    if count > bootstrap.MANY_ROWS:
        groups = random_blocks(count, streams[0], GROUPS)
        return _jackknife(both, groups if codes is None else groups[codes], value_of, level)
    drawn = drawn_counts(count, resamples, streams[0], width=2 * n)
    draws = (_of_draw(value_of, weights if codes is None else weights[:, codes]) for weights in drawn)
    kept = random_swaps(count, resamples, streams[1], width=2 * n)
    return compare(both, draws, (_of_swap(value_of, own if codes is None else own[:, codes]) for own in kept), level)


def _of_draw(value_of: Values, weights: Floats) -> Pair:
    none = np.zeros_like(weights)
    return value_of(np.hstack([weights, none])), value_of(np.hstack([none, weights]))


def _of_swap(value_of: Values, kept: Flags) -> Pair:
    return value_of(np.hstack([kept, ~kept]).astype(np.float64)), value_of(np.hstack([~kept, kept]).astype(np.float64))


def _counted_draws(
    value_of: Values, counts: NDArray[np.int64], resamples: int, rng: np.random.Generator
) -> Iterator[Pair]:
    """Draw equal pairs of rows together: their counts are multinomial."""
    n = int(counts.sum())
    for size in chunk_sizes(resamples, 2 * len(counts)):
        yield _of_draw(value_of, rng.multinomial(n, counts / n, size=size).astype(np.float64))


def _counted_swaps(
    value_of: Values, counts: NDArray[np.int64], resamples: int, rng: np.random.Generator
) -> Iterator[Pair]:
    """Swap equal pairs of rows together: how many keep their place is binomial."""
    for size in chunk_sizes(resamples, 2 * len(counts)):
        own = rng.binomial(counts, 0.5, size=(size, len(counts))).astype(np.float64)
        yield value_of(np.hstack([own, counts - own])), value_of(np.hstack([counts - own, own]))


def _jackknife(both: Both, groups: NDArray[np.int64], value_of: Values, level: float) -> PairedResult:
    changes = []
    for left_out in range(GROUPS):
        first, second = _of_draw(value_of, (groups != left_out).astype(np.float64)[None, :])
        changes.append(second[0] - first[0])
    found = np.array(changes)
    if np.isnan(found).any():
        return result_of(both, None, f"none: undefined without some of {GROUPS} groups", level)
    residuals = found - found.mean()
    error = sqrt((GROUPS - 1) / GROUPS * float(residuals @ residuals))
    value = both.candidate - both.base
    p = 1.0 if both.same or not error else 2 * t_cdf(-abs(value) / error, GROUPS - 1)
    curve = StudentCurve(value, error, GROUPS - 1)
    method = f"jackknife, {GROUPS} groups of {both.unit}"
    return result_of(both, curve, method, level, p=p, test=f"t of the {method}", error=error)


def _stacked(base: Table, candidate: Table) -> tuple[Table, int]:
    """Return one table of both runs' rows, base first, with one vocabulary a column; and the rows of either run."""
    if len(base.columns) != len(candidate.columns) or not base.columns:
        raise ValueError("the two runs' tables must have the same columns")
    n, other = len(base.columns[0]), len(candidate.columns[0])
    if n != other or not n:
        raise ValueError(f"the base has {n} rows and the candidate {other}: compare the same samples")
    columns: list[Any] = []
    vocabulary: list[tuple[str, ...]] = []
    without: list[tuple[str, ...]] = [()] * len(base.columns)
    words = zip(base.vocabulary or without, candidate.vocabulary or without, strict=True)
    for first, second, (known, others) in zip(base.columns, candidate.columns, words, strict=True):
        mine, theirs = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
        merged = list(dict.fromkeys([*known, *others]))
        if others:
            place = {word: code for code, word in enumerate(merged)}
            theirs = np.array([place[word] for word in others], dtype=np.float64)[theirs.astype(np.int64)]
        columns.append(np.concatenate([mine, theirs]))
        vocabulary.append(tuple(merged))
    return Table(columns, vocabulary), n


def _half(table: Table, n: int, half: int) -> Table:
    columns: list[Any] = [column[half * n : (half + 1) * n] for column in table.columns]
    return Table(columns, table.vocabulary)
