"""A run's scores as columns of numbers, read from its folder or a baseline file: what a comparison needs of it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmkit.datasets import field_getter
from llmkit.errors import DataError, Problem, UsageError
from llmkit.flows.tally import slice_value
from llmkit.store import kept_label
from llmkit.types import Run, Sample, Score, Table

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]


class Column:
    """One scorer's word on every sample and repeat it has scored.

    Attributes:
        name: The scorer's.
        errors: Outputs that should have a score and have none.
        skipped: Outputs that the scorer does not apply to.
        told: Scores that were read, those of repeats that are left out among them.
    """

    def __init__(self, name: str, *, labels_only: bool = False) -> None:
        self.name = name
        self._label = _short if labels_only else str
        self.errors = self.skipped = self.told = 0
        self._samples, self._repeats, self._values = array("l"), array("l"), array("d")
        self._stats = array("d")  # row after row
        self._words: list[dict[str, int]] = []

    def add(self, sample: int, score: Score, repeats: int | None = None) -> None:
        """Take one score, of the repeats below that number; ValueError where it is no finite number."""
        self.told += score.status == "ok"
        if repeats is not None and score.repeat >= repeats:
            return
        if score.status != "ok":
            self.errors += score.status == "error"
            self.skipped += score.status == "skipped"
            return
        stats: Sequence[Any] = score.stats
        if not self._words:
            self._words = [{} for _ in stats]
        if len(stats) != len(self._words) or not stats:
            raise ValueError(f"{len(stats)} statistics where there were {len(self._words)}")
        try:
            whole = sum(stats)
        except TypeError:  # there is a text among them
            stats = [self._number(*pair) for pair in zip(self._words, stats, strict=True)]
            whole = sum(stats)
        if not isfinite(whole):
            for number in stats:
                if not isfinite(number):
                    raise ValueError(f"the statistic {number}")
        self._stats.extend(stats)
        value = nan if score.value is None else float(score.value)
        if score.value is not None and not isfinite(value):
            raise ValueError(f"the value {value}")
        self._samples.append(sample)
        self._repeats.append(score.repeat)
        self._values.append(value)

    def _number(self, words: dict[str, int], item: Any) -> float:
        """Return a statistic; for a text its code."""
        return words.setdefault(self._label(item), len(words)) if isinstance(item, str) else float(item)

    @property
    def _rows(self) -> Floats:
        """All statistics, shape (n, statistics)."""
        return np.frombuffer(self._stats, dtype=np.float64).reshape(len(self._values), -1)

    @property
    def samples(self) -> Codes:
        """The number of each score's sample, shape (n,)."""
        return np.array(self._samples, dtype=np.int64)

    @property
    def repeats(self) -> Codes:
        """Which repeat each score is of, shape (n,)."""
        return np.array(self._repeats, dtype=np.int64)

    @property
    def values(self) -> Floats:
        """Each sample's own score, NaN where the scorer has one only for the corpus, shape (n,)."""
        return np.array(self._values, dtype=np.float64)

    @property
    def first(self) -> Floats:
        """The first statistic of each score: for a mean, the score itself."""
        return self._rows[:, 0].copy() if self._stats else np.empty(0)

    def value_samples(self, metric: Any) -> None:
        """Give each sample its own score where only the statistics were kept, as in a baseline file."""
        values = np.frombuffer(self._values, dtype=np.float64) if self._values else np.empty(0)
        if not len(values) or not np.isnan(values).all():
            return
        words = [list(known) for known in self._words]
        found = array("d")
        for row in self._rows.tolist():
            stats = [known[int(item)] if known else item for known, item in zip(words, row, strict=True)]
            value = metric.sample_value(stats)
            found.append(nan if value is None else value)
        self._values = found

    def matrix(self, chosen: Codes) -> Floats:
        """Return the statistics at the chosen places, shape (chosen, statistics)."""
        rows: Floats = self._rows[chosen]
        return rows

    def table(self, chosen: Codes) -> Table:
        """Return the statistics at the chosen places as a table."""
        columns: list[Any] = list(self._rows[chosen].T.copy())
        return Table(columns, [tuple(words) for words in self._words])


def _short(text: str) -> str:
    return str(kept_label(text))


class ScoredRun:
    """The samples and scores of a run, as they are paired with another's.

    Rows that a perturbation reworded are left out: they are not samples of the set.

    Attributes:
        run: The run.
        ids: Of its samples, in dataset order.
        digests: Of their ids and contents, in the same order.
        repeated: Ids that stand there more than once.
        columns: By scorer.
        fields: The values of the fields asked for, as slices show them.
        labels: By judge, people's label of each row's answer; NaN where there is none.
        strata: By judge, the stratum each row was drawn from to be labelled; empty where that is not known.
    """

    def __init__(
        self, run: Run, fields: Iterable[str] = (), *, repeats: int | None = None, labels_only: bool = False
    ) -> None:
        self.run = run
        self.ids: list[str] = []
        self.digests: list[str] = []
        self.repeated: set[str] = set()
        self.fields: dict[str, list[str]] = {field: [] for field in fields}
        self.labels: dict[str, Floats] = {}
        self.strata: dict[str, list[str]] = {}
        self._place: dict[str, int] = {}
        reworded = self._read_samples()
        self.columns = {str(name): Column(str(name), labels_only=labels_only) for name in run.summary["scores"]}
        self._read_scores(reworded, repeats)
        self._require_all()

    def _read_samples(self) -> set[str]:
        getters = [(column, field_getter(field)) for field, column in self.fields.items()]
        reworded: set[str] = set()
        told: list[tuple[int, Mapping[str, float], Mapping[str, str]]] = []
        for row in self.run.samples:
            sample: Sample = row.sample
            if sample.perturbation:
                reworded.add(sample.id)
                continue
            if sample.id in self._place:
                self.repeated.add(sample.id)
            if row.labels or row.strata:
                told.append((len(self.ids), row.labels, row.strata))
            self._place[sample.id] = len(self.ids)
            self.ids.append(sample.id)
            self.digests.append(row.digest)
            for column, get in getters:
                column.append(slice_value(get(sample)))
        if not self.ids:
            raise UsageError(f"{self.run.path} does not say which rows were asked; run its evaluation again")
        self._keep_labels(told)
        return reworded

    def _keep_labels(self, told: Iterable[tuple[int, Mapping[str, float], Mapping[str, str]]]) -> None:
        for number, labels, strata in told:
            for name, label in labels.items():
                self.labels.setdefault(name, np.full(len(self.ids), nan))[number] = label
            for name, stratum in strata.items():
                self.strata.setdefault(name, [""] * len(self.ids))[number] = stratum

    def _read_scores(self, reworded: set[str], repeats: int | None) -> None:
        place, columns = self._place, self.columns
        for score in self.run.scores:
            number = place.get(score.sample_id)
            column = columns.get(score.scorer)
            if column is None or number is None:
                if score.sample_id in reworded:
                    continue
                raise self._damaged(f"the score of '{score.sample_id}' by {score.scorer} belongs to no row and scorer")
            try:
                column.add(number, score, repeats)
            except (TypeError, ValueError) as error:
                raise self._damaged(f"the score of '{score.sample_id}' by {score.scorer} is wrong: {error}") from error

    def _require_all(self) -> None:
        """Refuse a run that lacks scores its summary is made of, or has two of one output."""
        for name, entry in self.run.summary["scores"].items():
            column = self.columns[str(name)]
            if column.told != int(entry["n"]):
                raise self._damaged(
                    f"{name} has {int(entry['n']):,} scores by its summary, and {column.told:,} are there"
                )
            outputs = np.stack([column.samples, column.repeats])
            if not self.repeated and np.unique(outputs, axis=1).shape[1] != outputs.shape[1]:
                raise self._damaged(f"{name} has two scores of one output")

    def _damaged(self, what: str) -> DataError:
        return DataError(problems=[Problem(what, file=self.run.path, hint="run its evaluation again")])


def codes_of(texts: Sequence[str]) -> tuple[Codes, list[str]]:
    """Return the code of each text, and the texts that codes stand for, in order of their first appearance."""
    known: dict[str, int] = {}
    codes = np.array([known.setdefault(text, len(known)) for text in texts], dtype=np.int64)
    return codes, list(known)
