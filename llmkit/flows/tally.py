"""Counting scores as they come: one tally a scorer, flat arrays, no texts kept.

A mean metric costs 12 bytes a row (one float and the row's number); a metric with k statistics costs 8k + 4.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from llmkit.datasets import field_getter
from llmkit.errors import LlmkitError
from llmkit.protocols import Judge, Metric
from llmkit.types import Failure, Judgment, Output, Sample, Score, ScoreStatus, Skipped

Fields: TypeAlias = tuple[str, str, float | None, ScoreStatus, str, tuple[float | str, ...], int]
"""Those of a `Score`, in their order."""

_ONE_NUMBER = [False]
NO_OUTPUT = "no output"
_VARIES = -2
_MOST_REASONS = 100
_OTHER_REASON = "other reasons"


class Tally:
    """Everything one scorer said, in arrays.

    ``reasons`` says why outputs have no score, whether they were skipped or are errors; ``faults`` repeats those of the
    errors that are the scorer's own, and not a missing output's.
    """

    def __init__(self, name: str, metric: Metric | Judge, makers: str = "") -> None:
        self.name = name
        self.metric: Any = metric
        self._makers = makers
        self.rows = array("I")
        self.columns: list[array[float]] = []
        self.vocabulary: list[dict[str, int]] = []
        self.skipped = 0
        self.errors = 0
        self.reasons: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._kinds: list[bool] = []
        self._references = -1

    @property
    def signature(self) -> str:
        """The metric's signature; it says how many references a row has, where all scored rows have as many."""
        own: str = self.metric.signature_for(self._references if self._references >= 0 else None)
        return f"{own}|{self._makers}" if self._makers else own

    @property
    def over_repeats(self) -> bool:
        """Whether the metric scores all repeats of a sample together."""
        return bool(getattr(self.metric, "over_repeats", False))

    @property
    def batch(self) -> int:
        """How many outputs the metric wants at once; 0 where it takes them one by one."""
        return int(getattr(self.metric, "batch", 0))

    @property
    def ok(self) -> int:
        """How many outputs have a score."""
        return len(self.rows)

    def add(self, row: int, sample: Sample, output: Output) -> Score:
        """Score one output and count it. A failure is a row with status ``error``, never a number.

        Raises:
            LlmkitError: the metric cannot work at all (an optional package is missing).
        """
        return Score(*self._add(row, sample, output))

    def _add(self, row: int, sample: Sample, output: Output) -> Fields:
        if output.error is not None:
            return self._left_out(output, "error", f"{NO_OUTPUT}: {output.error.kind}")
        try:
            stats = self.metric.stats(sample, output)
        except LlmkitError:
            raise
        except Exception as error:  # noqa: BLE001 - a plug-in's fault must not cost the other scores
            return self._left_out(output, "error", self._fault(error))
        return self._counted(row, sample, output, stats)

    def add_judgment(self, row: int, sample: Sample, output: Output, judgment: Judgment | None) -> Score:
        """Count what a judge said of an output; None where nobody asked it, because there is no output."""
        if judgment is None:
            kind = output.error.kind if output.error is not None else "unknown"
            return self._unscored(output, "error", f"{NO_OUTPUT}: {kind}")
        stats = judgment.stats
        if isinstance(stats, Failure):
            return self._unscored(
                output, "error", f"{stats.kind}: {stats.message}", counted=f"{self.name} gave no verdict: {stats.kind}"
            )
        score = self._count(row, sample, output, stats)
        return replace(score, reason=judgment.reason) if judgment.reason and score.status == "ok" else score

    def add_repeats(self, row: int, sample: Sample, outputs: Sequence[Output]) -> Score:
        """Score all repeats of a sample together, for a metric that is ``over_repeats``."""
        return self.add_repeats_batch([row], [(sample, outputs)])[0]

    def add_repeats_batch(self, rows: Sequence[int], groups: Sequence[tuple[Sample, Sequence[Output]]]) -> list[Score]:
        """Score all repeats of each of several samples, for a metric that is ``over_repeats`` and has ``batch`` too."""
        answered = [group for group in groups if any(output.error is None for output in group[1])]
        many = getattr(self.metric, "stats_over_many", None) if self.batch else None
        try:
            every = many(answered) if many else [self.metric.stats_over(*group) for group in answered]
            found = iter(every)
        except LlmkitError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            reason = self._fault(error)
            return [self._unscored(outputs[0], "error", reason) for _, outputs in groups]
        return [
            self._count_repeats(row, sample, outputs, found)
            for row, (sample, outputs) in zip(rows, groups, strict=True)
        ]

    def add_batch(self, rows: Sequence[int], pairs: Sequence[tuple[Sample, Output]]) -> list[Score]:
        """Score many outputs at once, for a metric that is quicker that way."""
        answered = [(sample, output) for sample, output in pairs if output.error is None]
        try:
            found = iter(self.metric.stats_many(answered) if answered else ())
        except LlmkitError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            reason = self._fault(error)
            return [self._unscored(output, "error", reason) for _, output in pairs]
        return [
            self._unscored(output, "error", f"{NO_OUTPUT}: {output.error.kind}")
            if output.error is not None
            else self._count(row, sample, output, next(found))
            for row, (sample, output) in zip(rows, pairs, strict=True)
        ]

    def add_all(self, pairs: Sequence[tuple[Sample, Output]], first_row: int = 0) -> list[Fields]:
        """Score outputs that are all there, in whichever way the metric takes them; each sample has one output.

        Returns the fields of the scores: making and keeping a record for each takes longer than a quick metric does.
        """
        if self.over_repeats and not self.batch:
            return [_fields(self.add_repeats(first_row + i, s, [output])) for i, (s, output) in enumerate(pairs)]
        if not self.batch:
            return [self._add(first_row + i, sample, output) for i, (sample, output) in enumerate(pairs)]
        scores: list[Score] = []
        for start in range(0, len(pairs), self.batch):
            window = pairs[start : start + self.batch]
            rows = range(first_row + start, first_row + start + len(window))
            if self.over_repeats:
                scores += self.add_repeats_batch(rows, [(sample, [output]) for sample, output in window])
            else:
                scores += self.add_batch(rows, window)
        return list(map(_fields, scores))

    def fail_all(self, error: Exception) -> None:
        """Take back every score: the metric failed over all of them together."""
        count = len(self.rows)
        self.errors += count
        for reasons in (self.reasons, self.faults):
            _remember(reasons, self._fault(error), count)
        self.rows, self.columns, self.vocabulary = array("I"), [], []

    def _count_repeats(
        self, row: int, sample: Sample, outputs: Sequence[Output], found: Iterator[Sequence[float | str] | Skipped]
    ) -> Score:
        failed = [output.error.kind for output in outputs if output.error is not None]
        if len(failed) == len(outputs):
            return self._unscored(outputs[0], "error", f"{NO_OUTPUT}: {failed[0]}")
        stats = next(found)
        if failed and isinstance(stats, Skipped):
            return self._unscored(outputs[0], "error", f"{stats.reason}; failed repeats: {len(failed)}")
        return self._count(row, sample, outputs[0], stats)

    def _count(self, row: int, sample: Sample, output: Output, stats: Sequence[float | str] | Skipped) -> Score:
        return Score(*self._counted(row, sample, output, stats))

    def _counted(self, row: int, sample: Sample, output: Output, stats: Sequence[float | str] | Skipped) -> Fields:
        if isinstance(stats, Skipped):
            return self._left_out(output, "skipped", stats.reason)
        try:
            value = self.metric.sample_value(stats)
            if len(stats) == 1 and type(stats[0]) is float:  # most metrics give one number
                kinds, finite = _ONE_NUMBER, math.isfinite(stats[0])
            else:
                kinds = [isinstance(item, str) for item in stats]
                finite = not any(map(_not_finite, stats))
            finite = finite and (value is None or math.isfinite(value))
        except Exception as error:  # noqa: BLE001 - as above
            return self._left_out(output, "error", self._fault(error))
        if not finite:
            return self._left_out(output, "error", f"{self.name} gave a number that is not finite")
        if self.columns and kinds != self._kinds:
            found = f"{self.name} gave {len(stats)} statistics where it gave {len(self.columns)} before"
            if len(stats) == len(self.columns):
                found = f"{self.name} gave a text where it gave a number before, or a number for a text"
            return self._left_out(output, "error", found)
        self._kinds = kinds
        if len(sample.references) != self._references:
            self._references = _VARIES if self.rows else len(sample.references)
        self._append(row, stats)
        return output.sample_id, self.name, value, "ok", "", tuple(stats), output.repeat

    def _fault(self, error: Exception) -> str:
        return f"{self.name} failed: {type(error).__name__}: {error}"

    def _unscored(self, output: Output, status: ScoreStatus, reason: str, counted: str = "") -> Score:
        return Score(*self._left_out(output, status, reason, counted))

    def _left_out(self, output: Output, status: ScoreStatus, reason: str, counted: str = "") -> Fields:
        """Count an output without a score; ``counted`` is its reason without what differs from row to row."""
        if status == "error":
            self.errors += 1
        else:
            self.skipped += 1
        counted = counted or reason
        _remember(self.reasons, counted)
        if status == "error" and not reason.startswith(NO_OUTPUT):
            _remember(self.faults, counted)
        return output.sample_id, self.name, None, status, reason, (), output.repeat

    def _append(self, row: int, stats: Sequence[float | str]) -> None:
        if not self.columns:
            self.columns = [array("d") for _ in stats]
            self.vocabulary = [{} for _ in stats]
        self.rows.append(row)
        if self._kinds is _ONE_NUMBER:
            self.columns[0].append(stats[0])  # type: ignore[arg-type]  # it is no text
            return
        for place, item in enumerate(stats):
            words = self.vocabulary[place]
            self.columns[place].append(words.setdefault(item, len(words)) if isinstance(item, str) else item)


def _fields(score: Score) -> Fields:
    return score.sample_id, score.scorer, score.value, score.status, score.reason, score.stats, score.repeat


def _remember(reasons: Counter[str], reason: str, count: int = 1) -> None:
    known = reason in reasons or len(reasons) < _MOST_REASONS
    reasons[reason if known else _OTHER_REASON] += count


class Codes:
    """A text per row, kept as numbers: a slice's values, or the clusters rows belong to."""

    def __init__(self, field: str) -> None:
        self.field = field
        self._get = field_getter(field)
        self.codes = array("I")
        self.values: dict[str, int] = {}

    def add(self, sample: Sample) -> None:
        """Remember the value that ``sample`` has in the field."""
        value = slice_value(self._get(sample))
        self.codes.append(self.values.setdefault(value, len(self.values)))


def slice_value(value: Any) -> str:
    """Return a field's value as it stands in a table of slices."""
    if value is None:
        return "(none)"
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _not_finite(item: float | str) -> bool:
    return not isinstance(item, str) and not math.isfinite(item)
