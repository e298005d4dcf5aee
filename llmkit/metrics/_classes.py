"""Counts per class, and precision, recall and F1 made of them, for many resamples at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from llmkit.errors import ConfigError, Problem
from llmkit.metrics import RowsMetric
from llmkit.metrics._labels import OTHER, LabelFields
from llmkit.types import Output, Sample, Skipped, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Weights: TypeAlias = NDArray[np.float64] | NDArray[np.integer[Any]]
    Ints: TypeAlias = NDArray[np.int64]

Average = Literal["macro", "micro", "weighted", "binary"]

LARGEST_MATRIX = 100
"""Details hold a confusion matrix of at most this many classes."""


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Counts of m resamples over K classes.

    Attributes:
        names: The K classes: the known labels.
        right: Rows of the class that are predicted so, shape (m, K).
        gold: Rows of the class, shape (m, K).
        predicted: Rows predicted to be of the class, shape (m, K).
        present: Which classes an average is taken over, shape (m, K).
    """

    names: tuple[str, ...]
    right: Floats
    gold: Floats
    predicted: Floats
    present: NDArray[np.bool_]


def pair_codes(table: Table) -> tuple[list[str], Ints, Ints]:
    """Return the labels of both columns in alphabetical order, and the codes of gold and predicted into them."""
    import numpy as np

    names = sorted({*table.vocabulary[0], *table.vocabulary[1]})
    index = {name: code for code, name in enumerate(names)}
    columns = []
    for column, words in zip(table.columns, table.vocabulary, strict=True):
        to_code = np.array([index[word] for word in words], dtype=np.int64)
        columns.append(to_code[np.asarray(column).astype(np.int64)])
    return names, columns[0], columns[1]


def sums_by(weights: Weights, codes: Ints, size: int) -> Floats:
    """Return the sums of ``weights`` (m, n) over equal ``codes`` (n,), shape (m, size); codes < 0 are left out."""
    import numpy as np

    sums = np.zeros((len(weights), size))
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    if len(order):
        ordered = codes[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        sums[:, ordered[starts]] = np.add.reduceat(weights[:, order], starts, axis=1, dtype=np.float64)
    return sums


def count(table: Table, weights: Weights, labels: Sequence[str], positive: str = "") -> ClassCounts:
    """Count the rows of a table of (gold, predicted), each row taken ``weights`` times.

    Args:
        table: Two text columns of n rows.
        weights: How often each resample holds each row, shape (m, n).
        labels: The known labels; empty means the gold labels of the rows.
        positive: A label that is a class even where no row has it as gold.
    """
    import numpy as np

    words, gold, predicted = pair_codes(table)
    occurring = {words[code] for code in np.unique(gold)} | ({positive} if positive else set())
    names = tuple(labels) or tuple(sorted(occurring))
    place = {name: code for code, name in enumerate(names)}
    to_class = np.array([place.get(word, -1) for word in words], dtype=np.int64)
    gold_class, predicted_class = to_class[gold], to_class[predicted]
    in_gold = sums_by(weights, gold_class, len(names))
    in_predicted = sums_by(weights, predicted_class, len(names))
    right = sums_by(weights, np.where(gold == predicted, gold_class, -1), len(names))
    present = in_gold + in_predicted > 0 if labels or positive else in_gold > 0
    return ClassCounts(names, right, in_gold, in_predicted, present)


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Return top / bottom, 0 where bottom is 0 (scikit-learn's ``zero_division=0``)."""
    import numpy as np

    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def averaged(counts: ClassCounts, average: Average, positive: str, top: Floats, bottom: Floats) -> Floats:
    """Return the average over classes of top / bottom, shape (m,); nan where no class is present."""
    import numpy as np

    if average == "binary":
        place = counts.names.index(positive) if positive in counts.names else None
        if place is None:
            return np.full(len(top), np.nan)
        return np.where(counts.present[:, place], ratio(top[:, place], bottom[:, place]), np.nan)
    classes = counts.present.sum(axis=1)
    if average == "micro":
        values = ratio((top * counts.present).sum(axis=1), (bottom * counts.present).sum(axis=1))
    elif average == "macro":
        values = ratio((ratio(top, bottom) * counts.present).sum(axis=1), classes.astype(np.float64))
    else:
        values = ratio((ratio(top, bottom) * counts.gold).sum(axis=1), counts.gold.sum(axis=1))
    return np.where(classes > 0, values, np.nan)


def details_of(table: Table, labels: Sequence[str]) -> dict[str, Any]:
    """Return per-class figures and the confusion matrix as plain JSON; rows are gold, columns predicted."""
    import numpy as np

    words, gold, predicted = pair_codes(table)
    counts = count(table, np.ones((1, len(gold))), labels)
    names = [name for name, present in zip(counts.names, counts.present[0], strict=True) if present]
    precision = ratio(counts.right, counts.predicted)[0]
    recall = ratio(counts.right, counts.gold)[0]
    f1 = ratio(2 * counts.right, counts.gold + counts.predicted)[0]
    per_class = {
        name: {
            "precision": float(precision[k]),
            "recall": float(recall[k]),
            "f1": float(f1[k]),
            "support": int(counts.gold[0, k]),
            "predicted": int(counts.predicted[0, k]),
        }
        for k, name in enumerate(counts.names)
        if counts.present[0, k]
    }
    other = int(len(gold) - counts.predicted[0].sum())
    found: dict[str, Any] = {"labels": names, "per_class": per_class, "other": other}
    if len(names) <= LARGEST_MATRIX:
        found["confusion"] = _matrix(words, gold, predicted, names, other=other)
    return found


def _matrix(words: Sequence[str], gold: Ints, predicted: Ints, names: Sequence[str], *, other: int) -> dict[str, Any]:
    import numpy as np

    place: Mapping[str, int] = {name: code for code, name in enumerate(names)}
    width = len(names) + 1
    to_class = np.array([place.get(word, width - 1) for word in words], dtype=np.int64)
    cells = np.bincount(to_class[gold] * width + to_class[predicted], minlength=width * width).reshape(width, width)
    columns = [*names, OTHER] if other else list(names)
    return {"gold": list(names), "predicted": columns, "matrix": cells[: len(names), : len(columns)].tolist()}


@dataclass(frozen=True)
class AverageFields:
    """How one number is made of several classes.

    Attributes:
        average: ``macro``: the mean over classes; ``micro``: of the totals over classes; ``weighted``: the mean
            weighted by the classes' numbers of rows; ``binary``: the class ``positive`` alone.
        positive: The positive label of ``average: binary``.
    """

    average: Average = "macro"
    positive: str = ""


@dataclass(frozen=True)
class LabelRows(LabelFields, RowsMetric):
    """A label metric that sees all rows: pairs of gold and predicted label."""

    bounds = (0.0, 1.0)

    def stats(self, sample: Sample, output: Output) -> tuple[str, str] | Skipped:
        """Return the gold and the predicted label."""
        return self.gold_and_predicted(sample, output)

    def sample_value(self, stats: Sequence[float | str]) -> float | None:
        """Return None: one row has no such value."""
        return None

    @abstractmethod
    def value_many(self, table: Table, weights: Weights) -> Floats:
        """Return the values of m resamples, shape (m,), nan where undefined; ``weights`` (m, n) counts each row."""

    def value_of(self, table: Table) -> float | None:
        """Return the value of all rows, or None where it is undefined."""
        import numpy as np

        rows = len(table.columns[0])
        value = float(self.value_many(table, np.ones((1, rows)))[0]) if rows else float("nan")
        return None if np.isnan(value) else value

    def details(self, table: Table) -> dict[str, Any]:
        """Return figures per class and the confusion matrix, as plain JSON."""
        return details_of(table, self.labels)


@dataclass(frozen=True)
class AveragedRows(LabelRows, AverageFields):
    """A label metric that is a ratio of counts in each class, averaged."""

    def __post_init__(self) -> None:
        LabelFields.__post_init__(self)
        if (self.average == "binary") != bool(self.positive):
            hint = "average=binary needs positive=LABEL, and positive goes with average=binary only"
            raise ConfigError(problems=[Problem("average and positive do not fit together", hint=hint)])
        if self.labels and self.positive and self.label(self.positive) not in self.labels:
            raise ConfigError(problems=[Problem(f"positive: {self.positive!r} is none of the labels")])

    @property
    def settings(self) -> dict[str, Any]:
        """The fields, and what 0 / 0 gives."""
        return {**super().settings, "zero_division": 0}

    @abstractmethod
    def parts(self, counts: ClassCounts) -> tuple[Floats, Floats]:
        """Return numerator and denominator of each class, both of shape (m, K)."""

    def value_many(self, table: Table, weights: Weights) -> Floats:
        """Return the values of m resamples, shape (m,), nan where undefined; ``weights`` (m, n) counts each row."""
        positive = self.label(self.positive) if self.positive else ""
        counts = count(table, weights, self.labels, positive)
        return averaged(counts, self.average, positive, *self.parts(counts))
