"""Two runs laid over one another: for each scorer the same samples on both sides, as `llmkit.stats` takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmkit.flows.scored_run import Codes, Column, Floats, ScoredRun
from llmkit.flows.summarise import value_many
from llmkit.stats.paired import PairedResult, paired_difference
from llmkit.stats.paired_corpus import Prepared, compare_totals, prepare
from llmkit.stats.paired_tables import paired_rows

Mask = NDArray[np.bool_]

UNDEFINED = "its value is undefined for these rows"

MANY = 10_000
"""Resamples of totals and quick tables."""

SOME = 2000
"""Resamples of corpus values within slices, and of tables that have no quick form."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a comparison is drawn: the level of its interval, and the seed and number of resamples."""

    level: float
    seed: int
    resamples: int = MANY


class Asked(NamedTuple):
    """A scorer's name, its entry in a summary (``kind``, ``binary``, ``bounds``), and how to draw."""

    scorer: str
    about: Mapping[str, Any]
    drawing: Drawing


class Pairs:
    """The rows that two runs share.

    Attributes:
        ids: Their ids, in the candidate's order.
        base: The base's scores.
        candidate: The candidate's.
        clusters: The code of each row's cluster, shape (ids,); None where rows are independent.
    """

    def __init__(
        self, base: ScoredRun, candidate: ScoredRun, shared: Sequence[str], clusters: Codes | None, repeats: int
    ) -> None:
        self.ids = list(shared)
        self.base, self.candidate = base, candidate
        self.clusters = clusters
        self._repeats = repeats
        self._of_base, self._of_candidate = self._map(base), self._map(candidate)

    def _map(self, run: ScoredRun) -> Codes:
        """Return for each sample of a run its place among the shared ones; -1 where it is not shared."""
        place = {one: number for number, one in enumerate(self.ids)}
        return np.array([place.get(one, -1) for one in run.ids], dtype=np.int64)

    def _both(self, scorer: str) -> tuple[_Side, _Side]:
        return (
            _Side.of(self.base.columns[scorer], self._of_base),
            _Side.of(self.candidate.columns[scorer], self._of_candidate),
        )

    def results(
        self, asked: Sequence[Asked], only: Mask | None = None, *, metrics: Mapping[str, Any]
    ) -> dict[str, PairedResult | str]:
        """Compare the two runs by scorers, or say of each why that cannot be done.

        Values made of totals are drawn together: one draw of samples serves them all.

        Args:
            asked: The scorers.
            only: Which of the shared samples; None for all.
            metrics: The scorers themselves; needed only where a value is no mean.
        """
        found: dict[str, PairedResult | str] = {}
        waiting: dict[tuple[int, int], dict[str, Prepared]] = {}
        for scorer, about, drawing in asked:
            one = self._result(scorer, about, metrics.get(scorer), drawing, only)
            found[scorer] = UNDEFINED
            if isinstance(one, Prepared):
                waiting.setdefault((drawing.resamples, drawing.seed), {})[scorer] = one
            elif one is not None:
                found[scorer] = one
        for (resamples, seed), prepared in waiting.items():
            results = compare_totals(list(prepared.values()), resamples=resamples, seed=seed)
            found |= dict(zip(prepared, results, strict=True))
        return found

    def _result(
        self, scorer: str, about: Mapping[str, Any], metric: Any, drawing: Drawing, only: Mask | None
    ) -> PairedResult | Prepared | str | None:
        base, candidate = self._both(scorer)
        count = len(self.ids)
        if about["kind"] == "mean":
            return self._mean(base.of_samples(candidate, count, only), about, drawing)
        base, candidate = base.matched(candidate, self._repeats, only)
        if not len(base.places):
            return "no sample has a score in both runs"
        columns = self.base.columns[scorer], self.candidate.columns[scorer]
        samples = base.samples if self._repeats > 1 else None
        clusters = None if self.clusters is None else self.clusters[base.samples]
        if about["kind"] == "totals":
            return prepare(
                columns[0].matrix(base.places),
                columns[1].matrix(candidate.places),
                value_many(metric, len(base.places)),
                samples=None if samples is None else (samples, candidate.samples),
                clusters=clusters,
                seed=drawing.seed,
                level=drawing.level,
            )
        quick = getattr(metric, "value_many", None) is not None
        return paired_rows(
            columns[0].table(base.places),
            columns[1].table(candidate.places),
            metric,
            clusters=samples if clusters is None else clusters,
            resamples=drawing.resamples if quick else min(drawing.resamples, SOME),
            seed=drawing.seed,
            level=drawing.level,
        )

    def _mean(self, sides: tuple[_Side, _Side], about: Mapping[str, Any], drawing: Drawing) -> PairedResult | str:
        base, candidate = sides
        if not len(base.samples):
            return "no sample has a score in both runs"
        repeated = self._repeats > 1
        first, second = base.first, candidate.first
        binary = bool(about["binary"]) and _yes_no(first) and _yes_no(second)
        return paired_difference(
            first,
            second,
            binary=binary,
            samples=(base.samples, candidate.samples) if repeated else None,
            clusters=None if self.clusters is None else self.clusters[base.samples],
            bounds=bounds_of(about.get("bounds")),
            level=drawing.level,
            resamples=drawing.resamples,
            seed=drawing.seed,
        )

    def first_means(self, scorer: str) -> tuple[Floats, Floats]:
        """Return what a mean is the mean of: each shared sample's first statistic in either run, NaN where none."""
        found = []
        for side in self._both(scorer):
            with np.errstate(invalid="ignore"):
                sums = np.bincount(side.samples, weights=side.first, minlength=len(self.ids))
                found.append(sums / np.bincount(side.samples, minlength=len(self.ids)))
        return found[0], found[1]

    def means(self, scorer: str) -> tuple[Floats, Floats, Mask]:
        """Return each shared sample's own score in either run, NaN where it has none, and which samples are flaky."""
        sides = self._both(scorer)
        count = len(self.ids)
        means, flaky = [], np.zeros(count, dtype=bool)
        for side in (side.at(np.flatnonzero(~np.isnan(side.values))) for side in sides):
            sizes = np.bincount(side.samples, minlength=count)
            with np.errstate(invalid="ignore"):
                means.append(np.bincount(side.samples, weights=side.values, minlength=count) / sizes)
            least, most = np.full(count, inf), np.full(count, -inf)
            np.minimum.at(least, side.samples, side.values)
            np.maximum.at(most, side.samples, side.values)
            flaky |= (sizes > 1) & (least < most)
        return means[0], means[1], flaky

    def missing(self, scorer: str, only: Mask | None = None) -> dict[str, int]:
        """Return how many shared samples have no score in the base, and in the candidate."""
        wanted = np.ones(len(self.ids), dtype=bool) if only is None else only
        sides = dict(zip(("base", "candidate"), self._both(scorer), strict=True))
        return {
            name: int((wanted & (np.bincount(side.samples, minlength=len(self.ids)) == 0)).sum())
            for name, side in sides.items()
        }


@dataclass(frozen=True, slots=True)
class _Side:
    """One run's scores of shared samples: their places in its column, and what stands there."""

    places: Codes
    samples: Codes
    repeats: Codes
    first: Floats
    values: Floats

    @classmethod
    def of(cls, column: Column, shared: Codes) -> _Side:
        numbers = column.samples
        samples = shared[numbers] if len(numbers) else numbers
        places = np.flatnonzero(samples >= 0)
        return cls(places, samples[places], column.repeats[places], column.first[places], column.values[places])

    def at(self, kept: Any) -> _Side:
        """Return the side with some of its scores."""
        return _Side(self.places[kept], self.samples[kept], self.repeats[kept], self.first[kept], self.values[kept])

    def of_samples(self, other: _Side, count: int, only: Mask | None) -> tuple[_Side, _Side]:
        """Return both sides with the samples that both have scored, each in the order of the samples."""
        both = (np.bincount(self.samples, minlength=count) > 0) & (np.bincount(other.samples, minlength=count) > 0)
        if only is not None:
            both &= only
        sides = [side.at(np.flatnonzero(both[side.samples])) for side in (self, other)]
        first, second = (side.at(np.lexsort((side.repeats, side.samples))) for side in sides)
        return first, second

    def matched(self, other: _Side, repeats: int, only: Mask | None) -> tuple[_Side, _Side]:
        """Return both sides with the outputs (sample and repeat) that both have scored, in one order."""
        mine, theirs = (side.samples * max(1, repeats) + side.repeats for side in (self, other))
        shared, first, second = np.intersect1d(mine, theirs, return_indices=True)
        if only is not None:
            kept = only[shared // max(1, repeats)]
            first, second = first[kept], second[kept]
        return self.at(first), other.at(second)


def _yes_no(values: Floats) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def bounds_of(written: Sequence[float | None] | None) -> tuple[float, float] | None:
    """Return the bounds of a scorer as a summary writes them, open ends as infinities."""
    if written is None:
        return None
    low, high = written
    return (-inf if low is None else low, inf if high is None else high)
