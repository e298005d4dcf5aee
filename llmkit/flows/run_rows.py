"""A run's samples with all that was answered and said of each, put together again from the files of its folder."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Generic, Protocol, TypeVar

from llmkit.datasets import field_getter
from llmkit.errors import UsageError
from llmkit.flows.tally import slice_value
from llmkit.types import Output, Run, Sample, SampleRow, Score, Transcript


class _Of(Protocol):
    @property
    def sample_id(self) -> str: ...


R = TypeVar("R", bound=_Of)


def run_rows(run: Run, base: Run | None = None) -> Iterator[dict[str, Any]]:
    """Yield every sample of a run as `llmkit.report.html.html_report` takes them, in dataset order.

    With ``base``, a row has the other run's outputs and scores of the same sample: equal in id and content. Memory
    stays flat where both runs have the same rows in the same order.

    Raises:
        UsageError: the outputs of a run are not in the order of its samples, so somebody changed the folder.
    """
    before = None if base is None else _Earlier(base)
    for digest, row in _rows(run):
        if before is not None:
            row["base"] = before.find(digest)
        yield row


class _Earlier:
    """The rows of another run by digest; read only as far as they are asked for."""

    def __init__(self, run: Run) -> None:
        self._rows = _rows(run)
        self._waiting: dict[str, dict[str, Any]] = {}

    def find(self, digest: str) -> dict[str, Any] | None:
        if digest in self._waiting:
            return self._waiting.pop(digest)
        for found, row in self._rows:
            small = {"outputs": row["outputs"], "scores": row["scores"]}
            if found == digest:
                return small
            self._waiting[found] = small
        return None


class _InOrder(Generic[R]):
    """Records in dataset order, given out sample by sample."""

    def __init__(self, records: Iterable[R]) -> None:
        self._rest = iter(records)
        self.next: R | None = next(self._rest, None)

    def of(self, sample_id: str) -> Iterator[R]:
        while self.next is not None and self.next.sample_id == sample_id:
            yield self.next
            self.next = next(self._rest, None)


class _SideBySide:
    """Scores of several scorers, each in dataset order, that were written side by side; some may lag behind others."""

    def __init__(self, scores: Iterable[Score], scorers: Iterable[str]) -> None:
        self._rest = iter(scores)
        self._waiting: dict[str, deque[Score]] = {name: deque() for name in scorers}

    def of(self, sample_id: str) -> Iterator[Score]:
        for queue in self._waiting.values():
            while queue or self._read_until(queue):
                if queue[0].sample_id != sample_id:
                    break
                yield queue.popleft()

    def _read_until(self, queue: deque[Score]) -> bool:
        for score in self._rest:
            self._waiting[score.scorer].append(score)
            if queue:
                return True
        return False


def _rows(run: Run) -> Iterator[tuple[str, dict[str, Any]]]:
    outputs = _InOrder(run.outputs)
    scores = _scores(run)
    transcripts = [_InOrder(_by(run.transcripts, name)) for name in _judges(run)]
    fields = {field: field_getter(field) for field in run.summary.get("slices", ())}
    for sample_row in _samples(run):
        sample = sample_row.sample
        row = _asked(sample, {field: slice_value(get(sample)) for field, get in fields.items()})
        row["outputs"] = [_answered(output) for output in outputs.of(sample.id)]
        row["scores"] = _by_scorer(
            (score.scorer, _scored(score)) for stream in scores for score in stream.of(sample.id)
        )
        judged = _by_scorer((one.scorer, _heard(one)) for stream in transcripts for one in stream.of(sample.id))
        if judged:
            row["judgments"] = judged
        yield sample_row.digest, row
    if outputs.next is not None:
        raise UsageError(f"{run.path} is damaged: its outputs are not in the order of its samples; run it again")


def _samples(run: Run) -> Iterator[SampleRow]:
    """Yield the samples; runs of before samples were kept have only the ids of their outputs."""
    samples = iter(run.samples)
    first = next(samples, None)
    if first is not None:
        yield from chain([first], samples)
        return
    last = None
    for output in run.outputs:
        if output.sample_id != last:
            last = output.sample_id
            yield SampleRow(Sample(last), last)


def _scores(run: Run) -> list[_SideBySide]:
    """Return the scores in as few readings of their file as keep memory flat.

    Scorers that work row by row write side by side; one that works in batches writes all its rows after them.
    """
    first: str | None = None
    beside: set[str] = set()
    for score in run.scores:
        first = score.sample_id if first is None else first
        if score.sample_id != first:
            break
        beside.add(score.scorer)
    late = [name for name in run.summary.get("scores", ()) if name not in beside]
    together = (score for score in run.scores if score.scorer in beside)
    return [_SideBySide(together, sorted(beside)), *(_SideBySide(_by(run.scores, name), [name]) for name in late)]


def _judges(run: Run) -> list[str]:
    """Return the scorers that may have transcripts: all of them where there is one transcript, else none."""
    return list(run.summary.get("scores", ())) if next(iter(run.transcripts), None) is not None else []


S = TypeVar("S", Score, Transcript)


def _by(records: Iterable[S], scorer: str) -> Iterator[S]:
    return (record for record in records if record.scorer == scorer)


def _by_scorer(pairs: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for name, one in pairs:
        found.setdefault(name, []).append(one)
    return found


def _asked(sample: Sample, slices: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": sample.id,
        "input": sample.input,
        "turns": sample.turns,
        "contexts": sample.contexts,
        "references": sample.references,
        "choices": sample.choices,
        "answer": sample.answer,
        "slices": slices,
        "perturbation": sample.perturbation,
        "meta": {key: value for key, value in sample.meta.items() if key not in slices},
    }


def _answered(output: Output) -> dict[str, Any]:
    """Return an output; an answer from the cache has no latency and no cost, because nobody waited or paid."""
    response = output.response
    paid = response is not None and not response.cached
    failure = output.error
    return {
        "repeat": output.repeat,
        "text": output.text,
        "error": None if failure is None else {"kind": failure.kind, "message": failure.message},
        "retrieved": _passages(output.retrieved),
        "turns": output.turns,
        "latency": response.latency if paid and response else None,
        "cost": response.cost if paid and response else None,
    }


def _passages(passages: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"id": one.id, "text": one.text, "score": one.score} for one in passages]


def _scored(score: Score) -> dict[str, Any]:
    return {"repeat": score.repeat, "value": score.value, "status": score.status, "reason": score.reason}


def _heard(transcript: Transcript) -> dict[str, Any]:
    exchange = [{"messages": item.messages, "text": item.text} for item in transcript.exchanges]
    return {"repeat": transcript.repeat, "exchange": exchange}
