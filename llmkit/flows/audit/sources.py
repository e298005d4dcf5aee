"""Where an audit's rows come from: recorded verdicts, or the scores of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from llmkit.config import AuditConfig
from llmkit.config.audit_config import Recorded
from llmkit.datasets import Dataset, field_getter
from llmkit.errors import UsageError
from llmkit.flows.audit.evidence import Row, first_digit, number_in
from llmkit.flows.labels import Value, read_value
from llmkit.types import Run, Sample, Score

_FIRST, _SECOND = 1, 2
_BOTH_GAMES = 7
_NOT_PLAYED = -1.0


def recorded_rows(config: AuditConfig, dataset: Dataset, recorded: Recorded) -> Iterator[Row]:
    """Yield the rows of a dataset whose fields hold verdicts."""
    get = field_getter(recorded.field)
    reason = _text_getter(recorded.reason)
    swapped = None if recorded.swapped is None else field_getter(recorded.swapped)
    other = _text_getter(config.other)
    read = _reader(recorded)
    for sample in dataset:
        verdict, fault, repeats = _verdict(get(sample), read)
        yield Row(
            sample,
            sample.output,
            verdict,
            fault,
            reason(sample) or "",
            repeats,
            None if swapped is None else read(swapped(sample)),
            other=other(sample),
        )


def _verdict(value: Any, read: Callable[[Any], Value]) -> tuple[Value, str, tuple[Value, ...]]:
    """Return the verdict that a field holds: of several their mean, or the one that is given most often."""
    if isinstance(value, (list, tuple)):
        repeats = tuple(read(one) for one in value)
        known = [one for one in repeats if one is not None]
        if not known:
            return None, "none of the repeated verdicts can be read" if value else "no verdict", repeats
        numbers = [one for one in known if isinstance(one, float)]
        if len(numbers) == len(known):
            return sum(numbers) / len(numbers), "", repeats
        return max(known, key=lambda one: (known.count(one), -known.index(one))), "", repeats
    if value is None:
        return None, "no verdict", ()
    found = read(value)
    return found, "" if found is not None else "the verdict cannot be read", ()


def _reader(recorded: Recorded) -> Callable[[Any], Value]:
    codes = recorded.values
    if recorded.read != "as_is":
        return number_in if recorded.read == "number" else first_digit
    return lambda value: read_value(value, codes)


def _text_getter(name: str | None) -> Callable[[Sample], str | None]:
    get = None if name is None else field_getter(name)

    def text(sample: Sample) -> str | None:
        found = None if get is None else get(sample)
        return None if found is None else str(found)

    return text


def run_rows_of(run: Run, judge: str, other: str | None) -> Iterator[Row]:
    """Yield the rows of a run with what one of its scorers said of each; of repeats the first.

    Raises:
        UsageError: the run has no such scorer.
    """
    known = list(run.summary.get("scores", ()))
    if judge not in known:
        raise UsageError(f"{run.path} has no scorer '{judge}'; it has {', '.join(known)}")
    scores = {score.sample_id: score for score in run.scores if score.scorer == judge and not score.repeat}
    texts = {output.sample_id: output.text for output in run.outputs if not output.repeat}
    find = _text_getter(other)
    for one in run.samples:
        sample = one.sample
        if sample.perturbation:
            continue
        score = scores.get(sample.id)
        verdict = None if score is None else score.value
        fault = "the run has no score of this row" if score is None else score.reason or score.status
        yield Row(
            sample,
            texts.get(sample.id),
            verdict,
            "" if verdict is not None else fault,
            "" if score is None else score.reason,
            games=None if score is None else games_of(score),
            other=find(sample),
        )


def games_of(score: Score) -> tuple[float, float] | None:
    """Return both games of a pairwise verdict, from its statistics; None where there are none."""
    stats = score.stats
    if len(stats) != _BOTH_GAMES or score.value is None:
        return None
    first, second = stats[_FIRST], stats[_SECOND]
    if isinstance(first, str) or isinstance(second, str) or _NOT_PLAYED in (first, second):
        return None
    if not (0 <= first <= 1 and 0 <= second <= 1 and 0 <= score.value <= 1):
        return None
    return float(first), float(second)
