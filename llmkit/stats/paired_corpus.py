"""Two runs over the same samples, for corpus values that are not means: BLEU, macro F1, PR-AUC.

The interval is that of the paired bootstrap: samples are drawn once for both runs, and the percentiles of the
differences are taken. The p is that of approximate randomisation (Noreen 1989; Riezler and Maxwell 2005): the two runs'
outputs are swapped at random sample by sample. ``p_bootstrap`` is the p of the paired bootstrap (Koehn 2004, as Moses
and sacreBLEU compute it), which many papers print; it is less careful with its level.

Both draw in sacreBLEU's order, so with ``seed=12345``, up to `llmkit.stats.bootstrap.MANY_ROWS` samples and integer
statistics the two p are those of ``sacrebleu --paired-ar`` and ``--paired-bs``; only, a swap that gives exactly the
observed difference counts here as no smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmkit.stats import bootstrap
from llmkit.stats.bootstrap import (
    BLOCKS,
    alike,
    check_resamples,
    chunk_sizes,
    random_blocks,
    sums_by,
)
from llmkit.stats.curves import Curve, ResampledCurve, StudentCurve
from llmkit.stats.intervals import SAME, dense_codes
from llmkit.stats.paired import PairedResult
from llmkit.stats.weighted_sums import WeightedSums, add_up
from llmkit.types import Estimate

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Pair = tuple[Floats, Floats]
"""Both runs' values, one for each resample."""

_WORD = 32
"""Random bits come in words: chunks of so many rows make the same stream whatever their size."""


@dataclass(frozen=True, slots=True)
class Both:
    """Two runs' corpus values, and what may be drawn or swapped.

    Attributes:
        base: The base run's value.
        candidate: The candidate's.
        n: Samples.
        units: Rows, clusters or blocks.
        unit: Their name.
        same: Whether every sample has the same statistics in both runs.
    """

    base: float
    candidate: float
    n: int
    units: int
    unit: str
    same: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A metric's statistics in two runs, ready to be drawn and swapped.

    Attributes:
        both: The runs' values.
        stacked: Shape (units, 2 k): the base's statistics beside the candidate's.
        value: Totals of shape (m, k) -> values of shape (m,), NaN where undefined.
        level: Of the interval.
    """

    both: Both
    stacked: Floats
    value: Callable[[Floats], Floats]
    level: float

    @property
    def _sides(self) -> tuple[Floats, Floats]:
        k = self.stacked.shape[1] // 2
        return self.stacked[:, :k], self.stacked[:, k:]

    def of_draws(self, totals: Floats) -> Pair:
        """Return both runs' values from totals of ``stacked``, shape (m, 2 k)."""
        k = totals.shape[1] // 2
        return self.value(totals[:, :k]), self.value(totals[:, k:])

    @property
    def change(self) -> Floats:
        """What a unit that keeps its place gives the first of the two, beside one that is swapped, (units, k)."""
        base, candidate = self._sides
        return base - candidate

    def of_swaps(self, changes: Floats) -> Pair:
        """Return both runs' values from totals of ``change`` over the units that keep their place, shape (m, k)."""
        base, candidate = (side.sum(axis=0) for side in self._sides)
        totals = candidate + changes
        return self.value(totals), self.value(base + candidate - totals)


def paired_totals(
    base: ArrayLike,
    candidate: ArrayLike,
    value: Callable[[Floats], Floats],
    *,
    samples: tuple[ArrayLike, ArrayLike] | None = None,
    clusters: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> PairedResult | None:
    """Compare two runs by a value made of column totals; None where it has none for one of them.

    Args:
        base: Shape (n, k): sufficient statistics of n >= 1 rows.
        candidate: Shape (n, k), row by row the same samples; with ``samples`` any length.
        value: Totals of shape (m, k) -> values of shape (m,), NaN where undefined.
        samples: With repeats: each row's sample code in either run; a sample's rows are added up.
        clusters: Shape (n,), of the base's rows: rows with one code are drawn and swapped together.
        resamples: Of either kind; at least 2 / (1 - level).
        seed: Of both.
        level: Of the interval.

    Raises:
        ValueError: no rows, rows that do not match, statistics that are not finite, too few resamples.
    """
    prepared = prepare(base, candidate, value, samples=samples, clusters=clusters, seed=seed, level=level)
    return None if prepared is None else compare_totals([prepared], resamples=resamples, seed=seed)[0]


def prepare(
    base: ArrayLike,
    candidate: ArrayLike,
    value: Callable[[Floats], Floats],
    *,
    samples: tuple[ArrayLike, ArrayLike] | None = None,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> Prepared | None:
    """Return what `compare_totals` takes, from what `paired_totals` takes; None where a run has no value."""
    first, second = _rows(base), _rows(candidate)
    codes = None if clusters is None else np.asarray(clusters)
    if samples is not None:
        first, second, codes = _by_sample(first, second, samples, codes)
    if first.shape != second.shape:
        raise ValueError(f"the base has {len(first)} rows and the candidate {len(second)}: compare the same samples")
    n = len(first)
    same = bool((first == second).all())
    point, other = value(first.sum(axis=0, keepdims=True))[0], value(second.sum(axis=0, keepdims=True))[0]
    if isnan(point) or isnan(other):
        return None
    unit = "rows"
    stacked = np.concatenate([first, second], axis=1)
    if codes is not None:
        dense, count = dense_codes(codes)
        stacked, unit = sums_by(stacked, dense, count), "clusters"
    if len(stacked) > bootstrap.MANY_ROWS:
        unit = f"{BLOCKS} blocks of {unit}"
        stacked = sums_by(stacked, random_blocks(len(stacked), np.random.default_rng(seed)), BLOCKS)
    return Prepared(Both(float(point), float(other), n, len(stacked), unit, same), stacked, value, level)


def compare_totals(prepared: Sequence[Prepared], *, resamples: int, seed: int = 0) -> list[PairedResult]:
    """Compare two runs by several metrics; those with as many units share their draws and swaps.

    Drawing takes longer than adding up, so five metrics together cost about as much as two, and each gets, to the last
    bit, what it gets alone.

    Raises:
        ValueError: too few resamples.
    """
    for one in prepared:
        check_resamples(resamples, one.level)
    found: list[PairedResult | None] = [_without_draws(one.both, one.level) for one in prepared]
    open_ = [place for place, result in enumerate(found) if result is None]
    for units in dict.fromkeys(prepared[place].both.units for place in open_):
        places = [place for place in open_ if prepared[place].both.units == units]
        together = [prepared[place] for place in places]
        counts = drawn_bytes(units, resamples, np.random.default_rng(seed))
        totals = _totals([one.stacked for one in together], counts, resamples)
        results = [
            _interval(one.both, *one.of_draws(rows), level=one.level)
            for one, rows in zip(together, totals, strict=True)
        ]
        tested = [k for k, result in enumerate(results) if result.curve is not None]
        kept = random_swaps(units, resamples, np.random.default_rng(seed), size=1)
        totals = _totals([together[k].change for k in tested], kept, resamples) if tested else []
        for k, rows in zip(tested, totals, strict=True):
            results[k] = _with_p(results[k], *together[k].of_swaps(rows))
        for place, result in zip(places, results, strict=True):
            found[place] = result
    return [result for result in found if result is not None]


def _totals(tables: Sequence[Floats], chunks: Iterable[NDArray[Any]], resamples: int) -> list[Floats]:
    """Return weighted sums of the rows of tables of shape (units, k), each of shape (resamples, k).

    The weights come in chunks of shape (m, units), a byte each.
    """
    summed = [WeightedSums(table) for table in tables]
    found = [np.empty((resamples, table.shape[1])) for table in tables]
    start = 0
    for chunk in chunks:
        for sums, one in zip(found, add_up(summed, chunk), strict=True):
            sums[start : start + len(chunk)] = one
        start += len(chunk)
    return found


def drawn_bytes(units: int, resamples: int, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Yield what `llmkit.stats.bootstrap.drawn_counts` yields, in the same stream, a byte each.

    With 256 units or more, the chance that one of them is drawn above 255 times is below 1e-500.
    """
    for size in chunk_sizes(resamples, units, size=1):
        counts = np.empty((size, units), dtype=np.uint8)
        for row in counts:
            row[:] = np.bincount(rng.integers(0, units, size=units), minlength=units)
        yield counts


def compare(both: Both, draws: Iterable[Pair], swaps: Iterable[Pair], level: float) -> PairedResult:
    """Make the interval from values of draws, and the p from values of swaps, both consumed lazily."""
    settled = _without_draws(both, level)
    if settled is not None:
        return settled
    found = _interval(both, *_joined(draws), level=level)
    return found if found.curve is None else _with_p(found, *_joined(swaps))


def _without_draws(both: Both, level: float) -> PairedResult | None:
    """Return the result where nothing needs to be drawn: one unit, or equal runs."""
    if both.units == 1:
        return result_of(both, None, f"none: one {'sample' if both.n == 1 else 'cluster'}", level)
    if both.same:
        curve = StudentCurve(0.0, 0.0, 1)
        return result_of(both, curve, "both runs are equal", level, p=1.0, error=0.0)
    return None


def _joined(pairs: Iterable[Pair]) -> Pair:
    first, second = zip(*pairs, strict=True)
    return np.concatenate(first), np.concatenate(second)


def random_swaps(
    units: int, resamples: int, rng: np.random.Generator, width: int = 0, *, size: int = 8
) -> Iterator[Flags]:
    """Yield booleans of shape (m, units), ``resamples`` rows in all, in the same stream whatever the chunks are.

    ``width`` is how many numbers the caller holds for a resample, if more than units, of so many bytes each.
    """
    whole = -(-resamples // _WORD)
    left = resamples
    for words in chunk_sizes(whole, _WORD * max(units, width), size=size):
        rows = min(left, words * _WORD)
        left -= rows
        yield rng.integers(2, size=(rows, units), dtype=bool)


def _interval(both: Both, base: Floats, candidate: Floats, *, level: float) -> PairedResult:
    changes = candidate - base
    changes = changes[~np.isnan(changes)]
    undefined = len(base) - len(changes)
    if undefined * 2 > len(base):
        return result_of(both, None, f"none: undefined in {undefined} of {len(base)} resamples", level)
    value = both.candidate - both.base
    sizes = np.abs(changes)
    p = (int((sizes - sizes.mean() > abs(value)).sum()) + 1) / (len(changes) + 1)
    if alike(float(changes.min()), float(changes.max())):
        return result_of(both, None, "none: all resamples are equal", level)
    method = f"paired bootstrap, {len(base)} resamples" + ("" if both.unit == "rows" else f" of {both.unit}")
    method += f", {undefined} undefined" if undefined else ""
    error = float(changes.std(ddof=1))
    return result_of(both, ResampledCurve(np.sort(changes)), method, level, error=error, p_bootstrap=p)


def _with_p(found: PairedResult, first: Floats, second: Floats) -> PairedResult:
    """Add the p of approximate randomisation: undefined swaps count as differing most."""
    sizes = np.abs(second - first)
    observed = abs(found.difference.value)
    edge = observed - SAME * max(abs(found.base), abs(found.candidate))
    count = int((~(sizes < edge)).sum())
    unit = ", by cluster" if "clusters" in found.difference.method else ""
    test = f"approximate randomisation, {len(sizes)} swaps{unit}"
    return replace(found, p=(count + 1) / (len(sizes) + 1), test=test, least_p=1 / (len(sizes) + 1))


def result_of(
    both: Both,
    curve: Curve | None,
    method: str,
    level: float,
    *,
    p: float | None = None,
    test: str = "",
    error: float | None = None,
    p_bootstrap: float | None = None,
) -> PairedResult:
    """Return what a comparison found, its interval read from the curve."""
    low, high = (None, None) if curve is None else curve.interval(level)
    return PairedResult(
        base=both.base,
        candidate=both.candidate,
        difference=Estimate(both.candidate - both.base, low, high, both.n, method, level),
        p=p,
        test=test or method,
        n=both.n,
        up=0 if both.same else None,
        down=0 if both.same else None,
        units=both.units,
        error=error,
        p_bootstrap=p_bootstrap,
        curve=curve,
    )


def _rows(stats: ArrayLike) -> Floats:
    rows = np.ascontiguousarray(stats, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):  # noqa: PLR2004 - rows and columns
        raise ValueError(f"statistics must be a table of at least one row, not of shape {rows.shape}")
    wrong = int((~np.isfinite(rows).all(axis=1)).sum())
    if wrong:
        raise ValueError(
            f"the statistics of {wrong} of {len(rows)} rows are not finite numbers: leave those samples out"
        )
    return rows


def _by_sample(
    first: Floats, second: Floats, samples: tuple[ArrayLike, ArrayLike], clusters: NDArray[Any] | None
) -> tuple[Floats, Floats, NDArray[Any] | None]:
    of_first, of_second = (np.asarray(codes) for codes in samples)
    if len(of_first) != len(first) or len(of_second) != len(second):
        raise ValueError("every row needs the code of its sample")
    if not np.array_equal(np.unique(of_first), np.unique(of_second)):
        raise ValueError("the two runs have not scored the same samples: compare the samples that both have")
    dense, count = dense_codes(of_first)
    if clusters is not None:
        of_sample = np.empty(count, dtype=clusters.dtype)
        of_sample[dense] = clusters
        clusters = of_sample
    return sums_by(first, dense, count), sums_by(second, *dense_codes(of_second)), clusters
