"""How well people agree with one another, and a judge with the same people: the ceiling that a judge is held to.

Each rating is left out in turn and compared with what the other people say of the item: their majority, or their mean.
The judge's rating is compared with the same majorities of the same rows, so the two figures, and their difference from
joint resamples, speak of one thing: does the judge agree with people as well as one of them does?

Ties: where several labels are the others' most frequent, each counts in equal parts, which is what breaking ties at
random gives on average (AlpacaEval's analysis breaks them at random).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from llmkit.stats.agreement import RESAMPLES, Estimator, check, plain, unfit
from llmkit.stats.cells import Frame, Labels, coded
from llmkit.stats.draws import Draws
from llmkit.stats.matrix import MISSING, Ratings, alike, rating_codes
from llmkit.stats.replicates import Replicates, replicate
from llmkit.stats.statistic import Statistic

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"
Against: TypeAlias = Literal["majority", "mean"]

DEFAULTS: dict[Against, tuple[str, ...]] = {
    "majority": ("accuracy", "kappa", "ac1"),
    "mean": ("pearson", "spearman", "kendall"),
}
_DENSE = 20_000_000
_MANY_LABELS = 1000


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Agreement of people, and of a judge, with the other people.

    Attributes:
        human: Each statistic of a person's rating with the others' majority or mean, over all left-out ratings.
        judge: The same statistics of the judge's rating with the same majorities or means; empty without a judge.
        difference: Judge less human, with an interval from joint resamples of items; above 0 the judge agrees with
            people better than they do.
        annotators: Each statistic of each person alone, in the order of the columns; None where undefined.
        items: Items with ratings by two people or more (and the judge).
        ratings: Ratings that were left out in turn.
    """

    human: dict[str, Statistic]
    judge: dict[str, Statistic]
    difference: dict[str, Statistic]
    annotators: dict[str, tuple[float | None, ...]]
    items: int
    ratings: int


def ceiling(
    ratings: Ratings,
    judge: Sequence[Any] | Array | None = None,
    *,
    against: Against = "majority",
    statistics: Sequence[str] | None = None,
    scale: Labels | None = None,
    clusters: Labels | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Ceiling:
    """Return leave-one-out agreement of people with one another, and of the judge with them on the same rows.

    Intervals are BCa bootstrap intervals over items, whose left-out ratings are drawn together, or over clusters.

    Args:
        ratings: One row an item, one column a person; None (or NaN) where there is no rating.
        judge: One rating an item, of the same kind; None (or NaN) where there is none: such items are left out.
        against: Whether ratings are compared with the others' majority (labels) or mean (numbers).
        statistics: Names out of `llmkit.stats.agreement.STATISTICS`; by default accuracy, kappa and AC1 against the
            majority, correlations against the mean.
        scale: All labels there are, lowest first.
        clusters: One code an item: items with one code are drawn together.
        resamples: How many.
        seed: Of the resampling.
        level: Of the intervals.
    """
    import numpy as np

    names = tuple(DEFAULTS[against] if statistics is None else statistics)
    check(names, resamples, level)
    table = ratings if judge is None else _beside(judge, ratings)
    codes, frame = rating_codes(table, scale)
    if judge is None:
        codes = np.concatenate([np.zeros((len(codes), 1), dtype=np.int64), codes], axis=1)
    kept = (codes[:, 0] != MISSING) & ((codes[:, 1:] != MISSING).sum(axis=1) > 1)
    if not kept.any():
        none = {name: Statistic(None, "no item has two ratings by people") for name in names}
        return Ceiling(none, none if judge is not None else {}, none if judge is not None else {}, {}, 0, 0)
    if against == "mean" and frame.values is None:
        raise ValueError("the others' mean needs numbers, or text with a scale")
    if against == "majority" and len(frame.labels) > _MANY_LABELS:
        raise ValueError(f"{len(frame.labels)} different values have no majority; compare with the mean")
    groups = None if clusters is None else np.asarray(clusters)
    if groups is not None and groups.shape != kept.shape:
        raise ValueError(f"there are {len(kept)} items and {len(groups)} cluster codes")
    left = _LeftOut(codes[kept], frame, against)
    draws = Draws(left.kinds, left.count, None if groups is None else groups[kept])
    reasons = {name: why for name in names if (why := _unfit(_Side(left, left.own), name, against))}
    sides = _Sides(left, [name for name in names if name not in reasons], judge=judge is not None)
    found: list[dict[str, Statistic]] = [{}, {}, {}]
    if sides.names:
        made = replicate(sides, draws, resamples=resamples, seed=seed, level=level, width=sides.width)
        found = [
            {name: sides.statistic(made, which, i) for i, name in enumerate(sides.names)}
            for which in range(len(made.point))
        ]
    lost = {name: Statistic(None, why) for name, why in reasons.items()}
    human, of_judge, difference, *_ = [{name: (lost | table)[name] for name in names} for table in found] + [{}, {}]
    return Ceiling(
        human,
        of_judge,
        difference,
        sides.annotators() if sides.names else {},
        len(left.kinds),
        int((left.codes[:, 1:] != MISSING).sum()),
    )


def _beside(judge: Sequence[Any] | Array, ratings: Ratings) -> Ratings:
    """Return the judge's ratings as the first column of the table of people's."""
    import numpy as np

    if len(judge) != len(ratings):
        raise ValueError(f"there are {len(ratings)} items and {len(judge)} ratings by the judge")
    both = [side for side in (judge, ratings) if isinstance(side, np.ndarray) and side.dtype.kind in "iufb"]
    if len(both) > 1 and both[0].ndim + 1 == both[1].ndim:
        return np.column_stack([side.astype(np.float64) for side in both])
    return [[one, *row] for one, row in zip(judge, ratings, strict=True)]


class _LeftOut:
    """Every rating of items of some kinds, with the others' majority or mean.

    Attributes:
        codes: Shape (items, 1 + people): the judge's rating and people's.
        kinds: Shape (items,): items with the same ratings, by whomever, are one kind.
        count: How many kinds.
        people: Shape (kinds, people): the sorted ratings of each kind.
        frame: What codes stand for, here including means.
        entry: Shape (E,): which rating was left out, one entry for each of the others' majorities.
        item: Shape (E,): its kind.
        own, judged, other: Shape (E,): codes of the rating, the judge's, and what the others say.
        weight: Shape (E,): 1 over the number of majorities.
    """

    def __init__(self, codes: Array, frame: Frame, against: Against) -> None:
        import numpy as np

        self.codes, self.against = codes, against
        self.kinds, found = alike(np.concatenate([codes[:, :1], np.sort(codes[:, 1:], axis=1)], axis=1))
        self.count, self.people = len(found), found[:, 1:]
        item, rater = np.nonzero(self.people != MISSING)
        rows = self.people[item]
        own, judged = rows[np.arange(len(item)), rater], found[item, 0]
        if against == "majority":
            self.frame = frame
            self.entry, self.other, self.weight = _modes(rows, own, len(frame.labels))
        else:
            self.frame, ours, self.other = _means(frame, rows, rater)
            self.entry, self.weight = np.arange(len(item)), np.ones(len(item))
            own, judged = ours[own], ours[judged]
        self.item, self.own, self.judged = item[self.entry], own[self.entry], judged[self.entry]

    def by_annotator(self) -> list[Array]:
        """Return for each person how often each entry is theirs, (E,)."""
        import numpy as np

        number = np.cumsum(self.people != MISSING).reshape(self.people.shape) - 1
        found = []
        for column in self.codes[:, 1:].T:
            given = np.flatnonzero(column != MISSING)
            kinds = self.kinds[given]
            place = (self.people[kinds] == column[given, None]).argmax(axis=1)
            times = np.bincount(number[kinds, place], minlength=int(number.max()) + 1)
            found.append(times[self.entry] * self.weight)
        return found


class _Side:
    """One side's cells, and how much of each cell an item of each kind brings."""

    def __init__(self, left: _LeftOut, first: Array) -> None:
        import numpy as np

        size = len(left.frame.labels)
        distinct, self.cell = np.unique(first * size + left.other, return_inverse=True)
        self.cells = left.frame.cells(distinct // size, distinct % size)
        self.item, self.weight, self.count = left.item, left.weight, left.count

    def __call__(self, kinds: Array) -> Array:
        """Return the weights of the cells: (m, kinds) -> (m, C)."""
        import numpy as np

        size = len(self.cells)
        if self._table is not None:
            return np.asarray(kinds @ self._table)
        return np.stack([np.bincount(self.cell, row[self.item] * self.weight, minlength=size) for row in kinds])

    @cached_property
    def _table(self) -> Array | None:
        import numpy as np

        size = len(self.cells)
        if self.count * size > _DENSE:
            return None
        flat = np.bincount(self.item * size + self.cell, self.weight, minlength=self.count * size)
        return flat.reshape(self.count, size)


def _modes(rows: Array, own: Array, labels: int) -> tuple[Array, Array, Array]:
    """Return for each left-out rating the others' most frequent labels: entry, label and weight (shares of 1)."""
    import numpy as np

    every = np.arange(len(rows))
    counts = np.zeros((len(rows), labels), dtype=np.int64)
    for column in rows.T:
        given = np.flatnonzero(column != MISSING)
        counts[given, column[given]] += 1
    counts[every, own] -= 1
    modal = counts == counts.max(axis=1, keepdims=True)
    entry, label = np.nonzero(modal)
    return entry, label, 1 / modal.sum(axis=1)[entry]


def _means(frame: Frame, rows: Array, rater: Array) -> tuple[Frame, Array, Array]:
    """Return labels that hold all ratings and the means of the others, the ratings' codes there, and the means'."""
    import numpy as np

    values = frame.values
    assert values is not None
    given = rows != MISSING
    given[np.arange(len(rows)), rater] = False
    means = np.where(given, values[rows], 0.0).sum(axis=1) / given.sum(axis=1)
    digits = 12 - int(np.ceil(np.log10(float(np.abs(values).max()) or 1.0)))
    means = np.round(means, digits)  # means that differ by rounding are one
    codes, joint = coded(np.concatenate([values, means]), None)
    return joint, codes[: len(values)], codes[len(values) :]


class _Sides:
    """Statistics of people's ratings and the judge's, and of the difference, from one table of kinds."""

    def __init__(self, left: _LeftOut, names: Sequence[str], *, judge: bool) -> None:
        firsts = (left.own, left.judged) if judge else (left.own,)
        self.left, self.names = left, names
        self.sides = [_Side(left, first) for first in firsts]
        self.tables = [Estimator(side.cells, names) for side in self.sides]
        self.width = max([len(left.item), *(table.width for table in self.tables)])

    def __call__(self, kinds: Array) -> Array:
        """Return the statistics, shape (m, 1 or 3, names): of people, the judge, and the judge less people."""
        import numpy as np

        found = np.stack([table(side(kinds)) for table, side in zip(self.tables, self.sides, strict=True)], axis=1)
        return found if len(self.sides) == 1 else np.concatenate([found, found[:, 1:] - found[:, :1]], axis=1)

    def statistic(self, made: Replicates, which: int, i: int) -> Statistic:
        """Return one statistic of one side, or why it is undefined."""
        estimate = made.estimate(which, i)
        if estimate is not None:
            return Statistic(estimate)
        at_fault = next(side for side in range(len(self.sides)) if isnan(made.point[side, i]))
        if which < len(self.sides):
            at_fault = which
        weights = self.sides[at_fault](made.draws.counts[None, :])[0]
        return Statistic(None, self.tables[at_fault].why(weights, ("the people", "the judge")[at_fault]))

    def annotators(self) -> dict[str, tuple[float | None, ...]]:
        """Return each statistic of each person."""
        import numpy as np

        side, table = self.sides[0], self.tables[0]
        weights = [np.bincount(side.cell, own, minlength=len(side.cells)) for own in self.left.by_annotator()]
        values = table(np.stack(weights))
        return {name: tuple(plain(value) for value in values[:, i]) for i, name in enumerate(self.names)}


def _unfit(side: _Side, name: str, against: Against) -> str:
    if against == "mean" and name not in (*DEFAULTS["mean"], "mean_difference", "alpha_interval"):
        return "a mean is no label; compare with the majority"
    return unfit(side.cells, name)
