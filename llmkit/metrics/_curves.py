"""Rows ranked by a score: cumulated counts of many resamples at once, and the metrics made of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from llmkit.errors import Problem
from llmkit.metrics import RowsMetric
from llmkit.metrics._probabilities import LabelScores
from llmkit.types import Output, Sample, Skipped, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from llmkit.metrics._classes import Floats, Weights


class Counts(NamedTuple):
    """What lies at or above each of G falling thresholds, in m resamples; G = 0 where there are no rows.

    Attributes:
        positive: Positive rows, shape (m, G).
        rows: All rows, shape (m, G).
        thresholds: The different scores, highest first, shape (G,).
    """

    positive: Floats
    rows: Floats
    thresholds: Floats

    @property
    def both(self) -> NDArray[np.bool_]:
        """Which resamples hold positive and negative rows, shape (m,)."""
        found: NDArray[np.bool_] = (self.positive[:, -1] > 0) & (self.positive[:, -1] < self.rows[:, -1])
        return found

    @property
    def precision(self) -> Floats:
        """Positive rows / rows, 1 where a resample has no row above the threshold, shape (m, G)."""
        import numpy as np

        return np.divide(self.positive, self.rows, out=np.ones_like(self.rows), where=self.rows > 0)

    @property
    def recall(self) -> Floats:
        """Positive rows / all positive rows, nan where there are none, shape (m, G)."""
        import numpy as np

        total = self.positive[:, -1:]
        return np.divide(self.positive, total, out=np.full_like(self.positive, np.nan), where=total > 0)


def ranked(scores: Floats, positive: Floats, weights: Weights) -> Counts:
    """Cumulate rows by falling score; rows with equal scores come together, so ties need no rule.

    Args:
        scores: Shape (n,), n >= 1.
        positive: 1 for positive rows, else 0, shape (n,).
        weights: How often each resample holds each row, shape (m, n).
    """
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    drawn = np.asarray(weights, dtype=np.float64)[:, order]
    rights = drawn * positive[order]
    if len(starts) < len(ordered):
        drawn, rights = np.add.reduceat(drawn, starts, axis=1), np.add.reduceat(rights, starts, axis=1)
    return Counts(np.cumsum(rights, axis=1), np.cumsum(drawn, axis=1), ordered[starts])


def counts_at(counts: Counts, place: int) -> dict[str, Any]:
    """Return the table of one threshold of the first resample."""
    figures = (counts.thresholds[place], counts.precision[0, place], counts.recall[0, place])
    columns = ["take scores of at least", "precision", "recall", "rows taken"]
    return {"title": "", "columns": columns, "rows": [[*map(float, figures), int(counts.rows[0, place])]]}


@dataclass(frozen=True)
class RankedRows(LabelScores, RowsMetric):
    """A metric of how well a score ranks positive rows above the others."""

    bounds = (0.0, 1.0)

    def stats(self, sample: Sample, output: Output) -> tuple[float | str, ...] | Skipped:
        """Return 1 or 0 for a positive or negative gold label, and the score of the positive label."""
        return self.gold_and_score(sample, output)

    def sample_value(self, stats: Sequence[float | str]) -> float | None:
        """Return None: one row has no rank."""
        return None

    def value_many(self, table: Table, weights: Weights) -> Floats:
        """Return the values of m resamples, shape (m,), nan where undefined; ``weights`` (m, n) counts each row."""
        import numpy as np

        counts = ranked(np.asarray(table.columns[1]), np.asarray(table.columns[0]), weights)
        return np.where(counts.both, self.of_counts(counts), np.nan)

    def value_of(self, table: Table) -> float | None:
        """Return the value of all rows; None where every row is positive, or none is."""
        import numpy as np

        rows = len(table.columns[0]) if table.columns else 0
        value = float(self.value_many(table, np.ones((1, rows)))[0]) if rows else float("nan")
        return None if np.isnan(value) else value

    @abstractmethod
    def of_counts(self, counts: Counts) -> Floats:
        """Return the value of each resample that has positive and negative rows, shape (m,); anything for others."""

    def details(self, table: Table) -> dict[str, Any]:
        """Return how many rows are positive, and why there is no value where there is none; plain JSON."""
        import numpy as np

        gold, scores = (np.asarray(column) for column in table.columns[:2])
        positive, rows = int(gold.sum()), len(gold)
        shown = [[self.positive or "positive", positive, rows, positive / rows]]
        found: dict[str, Any] = {
            "tables": [{"title": "", "columns": ["label", "gold rows", "rows", "share"], "rows": shown}]
        }
        if positive in {0, rows}:
            found["no_value"] = f"{'every' if positive else 'no'} row has the positive gold label"
        elif (scores == scores[0]).all():
            found["notes"] = ["Every row has the same score: it ranks nothing."]
        return found


@dataclass(frozen=True)
class OnePositive(RankedRows):
    """A ranking metric that exists for one positive label only."""

    def problems(self) -> list[Problem]:
        """Return what does not fit together: known labels without the positive one among the rest."""
        found = list(super().problems())
        if self.labels and not self.positive and self.source != "output":
            found.append(Problem("with labels, positive=LABEL must say which of them is positive"))
        return found


@dataclass(frozen=True)
class OneVersusRest(RankedRows):
    """A ranking metric of one positive label, or the mean over ``labels`` of each against the rest."""

    @property
    def macro(self) -> bool:
        """Whether it is a mean over labels."""
        return bool(self.labels) and not self.positive

    def stats(self, sample: Sample, output: Output) -> tuple[float | str, ...] | Skipped:
        """Return gold 1 or 0 and the positive label's score; over labels, the gold label and a score for each."""
        if not self.macro:
            return self.gold_and_score(sample, output)
        gold, scores = self._label.gold(sample), self.scores(sample, output)
        if isinstance(gold, Skipped):
            return gold
        if isinstance(scores, Skipped):
            return scores
        if not isinstance(scores, dict) or len(scores) < len(self.labels):
            return Skipped("there is not a score for each of the labels")
        return (gold, *(scores[label] for label in self.labels))

    def value_many(self, table: Table, weights: Weights) -> Floats:
        """Return the values of m resamples, shape (m,), nan where undefined; ``weights`` (m, n) counts each row."""
        import numpy as np

        if not self.macro:
            return super().value_many(table, weights)
        values = self._by_label(table, weights)
        known = ~np.isnan(values)
        count = known.sum(axis=0)
        total = np.where(known, values, 0.0).sum(axis=0)
        mean: Floats = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
        return mean

    def _by_label(self, table: Table, weights: Weights) -> Floats:
        """Return the value of each label against the rest, shape (K, m); nan where it has no gold row, or all."""
        import numpy as np

        found = []
        for place, label in enumerate(self.labels):
            counts = ranked(np.asarray(table.columns[place + 1]), _is(label, table), weights)
            found.append(np.where(counts.both, self.of_counts(counts), np.nan))
        return np.stack(found)

    def details(self, table: Table) -> dict[str, Any]:
        """Return the value of each label and its rows, and what has no value and why; plain JSON."""
        import numpy as np

        if not self.macro:
            return super().details(table)
        values = self._by_label(table, np.ones((1, len(table.columns[0]))))[:, 0]
        defined = [None if np.isnan(value) else float(value) for value in values]
        rows = [[label, int(_is(label, table).sum()), value] for label, value in zip(self.labels, defined, strict=True)]
        found: dict[str, Any] = {"tables": [{"title": "", "columns": ["label", "gold rows", "value"], "rows": rows}]}
        left_out = [label for label, value in zip(self.labels, defined, strict=True) if value is None]
        if len(left_out) == len(self.labels):
            found["no_value"] = "all rows have one gold label"
        elif left_out:
            found["notes"] = [f"Not in the mean, because no row has the gold label: {', '.join(left_out)}."]
        return found


def _is(label: str, table: Table) -> Floats:
    import numpy as np

    codes = [code for code, word in enumerate(table.vocabulary[0]) if word == label]
    return np.isin(np.asarray(table.columns[0]).astype(np.int64), codes).astype(np.float64)
