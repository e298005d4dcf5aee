"""A sequential gate at work: for each of its questions a confidence sequence, fed row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from llmkit.datasets import field_getter, row_digest
from llmkit.errors import DataError, Problem
from llmkit.flows.questions import Question, questions_of, unable
from llmkit.flows.rules import Bound
from llmkit.flows.scored_run import ScoredRun
from llmkit.flows.setup import Setup
from llmkit.flows.tally import Tally, slice_value
from llmkit.stats import ConfidenceSequence, settle_drop, settle_value
from llmkit.types import Judgment, Output, Run, Sample, Score

Judged = tuple[Sample, Output, Mapping[str, Judgment]]


class Watch:
    """One question while its rows come in.

    Args:
        question: It.
        bounds: The least and the greatest score there can be.
        higher_is_better: The scorer's better direction; it does not matter for a value.
        rows: How many rows of the set it is about.
        base: For a drop the base's score by the digest of the row.
    """

    def __init__(
        self,
        question: Question,
        bounds: tuple[float, float],
        *,
        higher_is_better: bool,
        rows: int,
        base: Mapping[str, float] | None = None,
    ) -> None:
        self.question = question
        self._better = higher_is_better
        self._bounds = bounds
        self._rest = rows
        self._base = base
        self._new: list[float] = []
        self._sequence = None
        self._left_out = 0
        if rows:
            low, high = bounds if not question.drop else (bounds[0] - bounds[1], bounds[1] - bounds[0])
            total = None if question.drop or question.certain else rows
            self._sequence = ConfidenceSequence(low, high, total=total, alpha=question.alpha, at=question.points)

    def take(self, row: str, value: float | None) -> None:
        """Take a row's score, None where it has none; rows that the base has not scored say nothing about a drop."""
        if self._base is not None:
            before = self._base.get(row)
            if before is None:
                return
            value = None if value is None else value - before
        self._rest -= 1
        if value is None:
            self._left_out += 1
        else:
            self._new.append(value)

    def look(self) -> None:
        """Look at what has come in."""
        sequence = self._sequence
        if sequence is None:
            return
        try:
            sequence.update(self._new)
        except ValueError:
            message = f"{self.question.bound.scorer} gave a score outside of its range, {self._bounds[0]:g} to "
            hint = "correct the scorer's bounds, or leave 'sequential' out of the gate"
            raise DataError(problems=[Problem(f"{message}{self._bounds[1]:g}", hint=hint)]) from None
        self._new = []
        if sequence.n + self._rest > 0 and self._left_out:
            sequence.leave_out(self._left_out)
            self._left_out = 0
            sequence.update([])

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the value or the difference lies; None before the first score."""
        sequence = self._sequence
        if sequence is None or sequence.mean is None:
            return None
        if not (self._rest or self.question.drop or self.question.certain):  # these samples alone: all are known
            return sequence.mean, sequence.mean
        return sequence.interval

    @property
    def settled(self) -> bool:
        """Whether the question is answered."""
        found, rule = self.interval, self.question.bound.rule
        if found is None:
            return False
        if self.question.drop:
            return settle_drop(found, margin=rule.max_drop or 0.0, higher_is_better=self._better) is not None
        least = rule.min is None or settle_value(found, least=rule.min) is not None
        return least and (rule.max is None or settle_value(found, most=rule.max) is not None)

    @property
    def over(self) -> bool:
        """Whether no further row can tell more."""
        return self.settled or not self._rest

    def as_entry(self) -> dict[str, Any]:
        """Return what is known as plain JSON."""
        low, high = self.interval or (None, None)
        n = 0 if self._sequence is None else self._sequence.n
        return {"low": low, "high": high, "n": n, "alpha": self.question.alpha, "settled": self.settled}


class Watching:
    """Everything a gate asks, while rows come in.

    Args:
        setup: The evaluation.
        samples: Every row of the set.
        base: The baseline, if any.
    """

    def __init__(self, setup: Setup, samples: Iterable[Sample], base: Run | None) -> None:
        self.rows = 0
        self._repeats = setup.config.repeats
        scorers = setup.scorers
        able = {name for name, one in scorers.items() if not unable(one)}
        asked = questions_of(setup.rules, setup.config.level, scorers, drops=base is not None)
        questions = [question for question in asked if question.bound.scorer in able]
        before = _Base(base, setup) if base is not None else None
        fields = {name: field_getter(name) for name in {one.bound.field for one in questions} - {""}}
        counts = [0] * len(questions)
        bases = [before.scores(one.bound.scorer) if one.drop and before is not None else None for one in questions]
        for sample in samples:
            self.rows += 1
            row = row_digest(sample) if before is not None else ""
            for place, question in enumerate(questions):
                scored = bases[place]
                counts[place] += _about(question.bound, sample, fields) and (scored is None or row in scored)
        self._fields = fields
        self._shared_repeats = self._repeats if before is None else min(self._repeats, before.repeats)
        self._tallies = {one.bound.scorer: Tally(one.bound.scorer, scorers[one.bound.scorer]) for one in questions}
        self._judged = {seat.name for seat in setup.seats}
        self.watches = [
            Watch(
                question,
                (float(scorers[question.bound.scorer].bounds[0]), float(scorers[question.bound.scorer].bounds[1])),
                higher_is_better=bool(scorers[question.bound.scorer].higher_is_better),
                rows=counts[place],
                base=bases[place],
            )
            for place, question in enumerate(questions)
        ]

    def scores(self, group: Sequence[Judged]) -> dict[str, list[Score]]:
        """Return what the scorers that the gate is about say of all repeats of a sample."""
        return {name: self._scored(name, tally, group) for name, tally in self._tallies.items()}

    def _scored(self, name: str, tally: Tally, group: Sequence[Judged]) -> list[Score]:
        if name in self._judged:
            return [tally.add_judgment(0, sample, output, said.get(name)) for sample, output, said in group]
        if tally.over_repeats:
            return [tally.add_repeats(0, group[0][0], [output for _, output, _ in group])]
        return [tally.add(0, sample, output) for sample, output, _ in group]

    def take(self, sample: Sample, scores: Mapping[str, Sequence[Score]]) -> None:
        """Take the scores of the next sample, in the order of asking."""
        row = row_digest(sample)
        for watch in self.watches:
            question = watch.question
            if _about(question.bound, sample, self._fields):
                repeats = self._shared_repeats if question.drop else self._repeats
                watch.take(row, _mean(scores[question.bound.scorer], repeats))

    def look(self) -> None:
        """Look at what has come in."""
        for watch in self.watches:
            watch.look()

    @property
    def over(self) -> bool:
        """Whether no further row can tell the gate more."""
        return all(watch.over for watch in self.watches)

    @property
    def settled(self) -> bool:
        """Whether every question is answered."""
        return all(watch.settled for watch in self.watches)


def _about(bound: Bound, sample: Sample, fields: Mapping[str, Any]) -> bool:
    return not bound.field or slice_value(fields[bound.field](sample)) == bound.value


def _mean(scores: Sequence[Score], repeats: int) -> float | None:
    """Return a sample's own score: the mean over its repeats, without those that have none."""
    values = [float(score.stats[0]) for score in scores if score.status == "ok" and score.repeat < repeats]
    return sum(values) / len(values) if values else None


class _Base:
    """The scores of a baseline by the digests of its rows."""

    def __init__(self, base: Run, setup: Setup) -> None:
        self.repeats = min(int(base.manifest.get("repeats", 1)), setup.config.repeats)
        self._run = ScoredRun(base, repeats=self.repeats)
        mine, theirs = setup.conditions["scorers"], (base.manifest.get("conditions") or {}).get("scorers") or {}
        self._same = {name for name, signature in mine.items() if theirs.get(name) == signature}

    def scores(self, scorer: str) -> dict[str, float]:
        """Return each row's score; nothing where the base measured in another way."""
        column = self._run.columns.get(scorer)
        if column is None or scorer not in self._same:
            return {}
        size = len(self._run.ids)
        counts = np.bincount(column.samples, minlength=size)
        sums = np.bincount(column.samples, weights=column.first, minlength=size)
        return {
            self._run.digests[place]: float(sums[place] / counts[place])
            for place in np.flatnonzero(counts)
            if self._run.ids[place] not in self._run.repeated
        }
