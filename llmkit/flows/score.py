"""Scoring from Python, without a config: outputs and references in, numbers with intervals out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

from llmkit import registry
from llmkit.errors import UsageError
from llmkit.flows.summarise import HIGHEST_LEVEL, Design, estimate
from llmkit.flows.tally import Fields, Tally
from llmkit.types import Estimate, Output, Sample, Score

_WINDOW = 64
"""So many rows are made at a time: records of a whole set at once would keep the garbage collector busy."""


class Scores(Sequence[Score]):
    """Scores in the order of the outputs; each record is made when it is looked at."""

    def __init__(self) -> None:
        self.fields: list[Fields] = []

    def __len__(self) -> int:
        return len(self.fields)

    @overload
    def __getitem__(self, place: int) -> Score: ...
    @overload
    def __getitem__(self, place: slice) -> list[Score]: ...
    def __getitem__(self, place: int | slice) -> Score | list[Score]:
        if isinstance(place, slice):
            return [Score(*fields) for fields in self.fields[place]]
        return Score(*self.fields[place])


@dataclass(frozen=True, slots=True)
class Scored:
    """What one metric says of many outputs.

    Attributes:
        estimate: The corpus value with its interval; None where no output could be scored.
        scores: One `Score` for each output, in order.
        signature: Everything that makes the number.
    """

    estimate: Estimate | None
    scores: Sequence[Score]
    signature: str


def score(
    outputs: Iterable[str | Output],
    references: Iterable[str | Sequence[str]] | None = None,
    *,
    metrics: Sequence[str | Mapping[str, Any]],
    samples: Iterable[Sample] | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Scored]:
    """Score outputs that are already there.

    Args:
        outputs: Texts, or `Output` records.
        references: For each output its reference, or several.
        metrics: Specs, as in a config: ``"exact_match"``, ``"rouge(variant='L')"``.
        samples: Whole rows instead of references, for metrics that look at more than those.
        seed: Of bootstrap intervals.
        level: Of the intervals, above 0 and at most 0.9999.

    Returns:
        For each metric, by its canonical spec, a `Scored`.

    Raises:
        UsageError: lengths differ, both or neither of ``references`` and ``samples`` are given, or the level is none.
        ConfigError: a metric is unknown or its arguments are wrong.
    """
    if (references is None) == (samples is None):
        raise UsageError("give score() either references or samples")
    if not 0 < level <= HIGHEST_LEVEL:
        raise UsageError(f"score() got the level {level}: it is a share, above 0 and at most {HIGHEST_LEVEL}")
    answers = list(outputs)
    given: Sequence[Any] = list(references if samples is None else samples)  # type: ignore[arg-type]  # one is there
    if len(given) != len(answers):
        raise UsageError(f"score() got {len(answers)} outputs for {len(given)} references")
    tallies = [Tally(name, plugin) for plugin, name in (registry.build("metrics", written) for written in metrics)]
    scores = [Scores() for _ in tallies]
    batch = max((tally.batch for tally in tallies), default=0) or 1
    window = batch * max(1, _WINDOW // batch)
    for start in range(0, len(answers), window):
        pairs = _pairs(given[start : start + window], answers[start : start + window], start)
        for tally, found in zip(tallies, scores, strict=True):
            found.fields.extend(tally.add_all(pairs, start))
    design = Design(seed=seed, level=level)
    return {
        tally.name: Scored(estimate(tally, design) if tally.ok else None, found, f"{tally.name}|{tally.signature}")
        for tally, found in zip(tallies, scores, strict=True)
    }


class _Sample(Sample):
    """A sample of which an id and references were given; the fields that nobody set are read as their defaults.

    A frozen dataclass sets every field through a call, which takes longer than a quick metric does.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        """Return a field's default; called for those alone that were not set."""
        return _default(_NO_SAMPLE, name)


class _Output(Output):
    """An output of which an id and a text were given, likewise."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        """Return a field's default."""
        return _default(_NO_OUTPUT, name)


_NO_SAMPLE, _NO_OUTPUT = Sample(""), Output("", "")
_set_id, _set_references = (getattr(Sample, name).__set__ for name in ("id", "references"))
_set_sample_id, _set_text, _set_error, _set_repeat = (
    getattr(Output, name).__set__ for name in ("sample_id", "text", "error", "repeat")
)


def _default(blank: Sample | Output, name: str) -> Any:
    if name not in type(blank).__dataclass_fields__:
        raise AttributeError(f"'{type(blank).__name__}' object has no attribute '{name}'")
    return getattr(blank, name)


def _sample(name: str, references: tuple[str, ...]) -> Sample:
    sample = object.__new__(_Sample)
    _set_id(sample, name)
    _set_references(sample, references)
    return sample


def _output(name: str, text: str) -> Output:
    output = object.__new__(_Output)
    _set_sample_id(output, name)
    _set_text(output, text)
    _set_error(output, None)  # this and the next are looked at in every row
    _set_repeat(output, 0)
    return output


def _pairs(rows: Sequence[Any], answers: Sequence[str | Output], first: int) -> list[tuple[Sample, Output]]:
    """Return rows (references, or samples) and answers as records; rows without an id are numbered from ``first``."""
    pairs = []
    for number, (row, answer) in enumerate(zip(rows, answers, strict=True), first):
        if isinstance(row, Sample):
            sample, name = row, row.id
        else:
            name = str(number)
            sample = _sample(name, (row,) if isinstance(row, str) else tuple(row))
        if not isinstance(answer, Output):
            pairs.append((sample, _output(name, answer)))
        else:
            pairs.append((sample, answer if answer.sample_id == name else replace(answer, sample_id=name)))
    return pairs
