"""The story of an ensemble: every member is asked every row, then their answers are combined and scored.

Answers wait in ``members.jsonl`` of the run folder until all are there, because what combines them may be learnt from
them; then the combined answers, which hold the members' own, go the way of all outputs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf, log
from typing import Any, TypeAlias, TypeVar

from llmkit.engine import Event
from llmkit.errors import InfrastructureError, LlmkitError, UsageError
from llmkit.flows.board import Board
from llmkit.flows.combine import Asked, Combiner, Row, Vote, combiner_of, votes_of
from llmkit.flows.members import Members
from llmkit.flows.recorded_run import RecordedRun
from llmkit.flows.recorder import Progress
from llmkit.flows.rows import checked_rows
from llmkit.flows.setup import Setup
from llmkit.prompts import letter
from llmkit.stats.voting import Count
from llmkit.store import RecordFile, RecordWriter, RunFolder
from llmkit.store.records import output_from_dict, output_to_dict
from llmkit.types import Failure, Judgment, Loglikelihood, Output, Response, Sample, Skipped

N = TypeVar("N", int, float)
Ask: TypeAlias = Callable[[Sample, int], Awaitable[Output]]
"""Asks one target one repeat of a sample; a request that failed is an output with an error."""

_NONE: Mapping[str, Judgment] = {}

MEMBERS = "members.jsonl"
KEPT = "members"
"""Where an output holds the answers of the members, in the extra of its response."""


class MemberAsker:
    """Asks all members of an ensemble; looks up those that are earlier runs.

    Args:
        setup: The run.
        asks: What asks each member that is asked, by its name.
    """

    def __init__(self, setup: Setup, asks: Mapping[str, Ask]) -> None:
        members = setup.target
        assert isinstance(members, Members)
        self._names = tuple(members.specs)
        self._asks = asks
        self._runs = {name: RecordedRun(folder, setup).pairs() for name, folder in members.runs.items()}
        self._read: dict[tuple[str, int], dict[str, Output]] = {}

    def tasks(self, tasks: Iterable[tuple[Sample, int]]) -> Iterator[tuple[Sample, int]]:
        """Yield the tasks as they are; what earlier runs hold of each is read on the way."""
        for sample, repeat in tasks:
            self._read[sample.id, repeat] = {name: next(pairs)[1] for name, pairs in self._runs.items()}
            yield sample, repeat

    async def ask(self, sample: Sample, repeat: int) -> Output:
        """Return what every member answers, as an output without a text of its own."""
        import asyncio

        answers = self._read.pop((sample.id, repeat))
        found = await asyncio.gather(*(ask(sample, repeat) for ask in self._asks.values()), return_exceptions=True)
        errors = [item for item in found if isinstance(item, BaseException)]
        if errors:
            raise next((error for error in errors if isinstance(error, LlmkitError)), errors[0])
        answers |= {name: item for name, item in zip(self._asks, found, strict=True) if isinstance(item, Output)}
        return Output(sample.id, "", repeat, keeping({name: answers[name] for name in self._names}))


def each_member(setup: Setup) -> Iterator[tuple[str, Setup]]:
    """Yield each member that is asked, by its name, as a setup of which it is the one target."""
    assert isinstance(setup.target, Members)
    for name, target in setup.target.asked.items():
        yield name, replace(setup, target=target, target_name=setup.target.specs[name])


def each_target(setup: Setup) -> list[Setup]:
    """Return the setup itself, or one for each member that is asked."""
    return [one for _, one in each_member(setup)] if isinstance(setup.target, Members) else [setup]


def keeping(answers: Mapping[str, Output], **response: Any) -> Response:
    """Return a response that holds the members' answers."""
    kept = {}
    for name, output in answers.items():
        kept[name] = output_to_dict(output)
        kept[name].pop("sample_id")
    extra = {**response.pop("extra", {}), KEPT: kept}
    return Response(**response, extra=extra)


def members_of(output: Output, names: Sequence[str]) -> dict[str, Output]:
    """Return what each member answered; an output that holds no answer of one is that member's failure too."""
    kept = output.response.extra.get(KEPT, {}) if output.response is not None else {}
    why = output.error or Failure("missing", "the run holds no answer of this member")
    return {
        name: output_from_dict({**kept[name], "sample_id": output.sample_id})
        if name in kept
        else Output(output.sample_id, None, output.repeat, error=why)
        for name in names
    }


def require_earlier_rows(setup: Setup) -> None:
    """Refuse members from earlier runs that lack rows; before anything is asked or written.

    Raises:
        DataError: which run lacks how many, and the first.
    """
    if isinstance(setup.target, Members):
        for folder in setup.target.runs.values():
            earlier = RecordedRun(folder, setup)
            earlier.require_variants()
            earlier.require_all()


def require_members(earlier: RecordedRun, setup: Setup) -> None:
    """Refuse to score an ensemble again from a run that holds no answers of its members.

    Raises:
        UsageError: which members it lacks, and which it has.
    """
    if setup.config.ensemble is None:
        return
    known = earlier.members
    lacking = [name for name in setup.config.ensemble.members if name not in known]
    if lacking:
        has = f"it has those of {', '.join(known)}" if known else "it is no run of an ensemble"
        raise UsageError(f"{earlier.path} holds no answers of the members {', '.join(lacking)}: {has}")


class EnsembleRun:
    """Takes the members' answers in dataset order, in the place of the recorder, and hands it the combined ones."""

    def __init__(self, setup: Setup, folder: RunFolder, observe: Callable[[Event], None] | None) -> None:
        assert setup.config.ensemble is not None
        self._setup = setup
        self._observe = observe
        self.names: tuple[str, ...] = tuple(setup.config.ensemble.members)
        self.total = (setup.census.rows + setup.variants.rows) * setup.config.repeats
        self.done = 0
        self.answered = 0
        self._failed = dict.fromkeys(self.names, 0)
        self._first: dict[str, str] = {}
        self._path = folder.path / MEMBERS
        self._writer = RecordWriter(self._path, output_to_dict)
        self._combiner: Combiner = combiner_of(setup.config)
        self.board = Board(setup, self._combiner)

    def take(self, sample: Sample, output: Output, judgments: Mapping[str, Judgment] = _NONE) -> None:
        """Keep what the members answered to the next row of the run; they are judged together, later."""
        del judgments
        answers = members_of(output, self.names)
        for name, answer in answers.items():
            if answer.error is not None:
                self._failed[name] += 1
                self._first.setdefault(name, answer.error.message)
        self.done += 1
        self.answered += any(answer.error is None for answer in answers.values())
        self._writer.write(Output(output.sample_id, "", output.repeat, keeping(answers)))

    def tell(self, cost: float, tokens: int) -> None:
        """Tell the observer how far the asking is."""
        if self._observe is not None:
            self._observe(Progress(self.done, self.total, self.done - self.answered, cost, tokens))

    def require_every_member(self) -> None:
        """Refuse to call a run complete in which a member never answered: it is not the ensemble that was meant.

        Raises:
            InfrastructureError: which member, and why it failed first.
        """
        silent = [name for name in self.names if self.done and self._failed[name] == self.done]
        if silent:
            why = "; ".join(f"'{name}' because {self._first[name].rstrip('.')}" for name in silent)
            raise InfrastructureError(
                f"Members of the ensemble never answered, at first {why}. "
                "Mend that, or leave them out, and run the same command again."
            )

    def combined(self) -> Iterator[tuple[Sample, Output]]:
        """Yield every row with the members' combined answer; call it when all their answers are taken."""
        self._writer.close()
        self._combiner.learn(self._rows())
        for row, (sample, answers) in enumerate(self._rows()):
            output, votes, count = combined(self._combiner, row, sample, answers)
            self.board.take(row, sample, answers, votes, count)
            yield sample, output

    def combined_again(self, outputs: Iterable[tuple[Sample, Output]]) -> Iterator[tuple[Sample, Output]]:
        """Yield the same from the outputs of an earlier run, which hold the members' answers."""
        for sample, output in outputs:
            self.take(sample, output)
        yield from self.combined()

    def score_in_batches(self) -> None:
        """Score members with the metrics that want many outputs at once, and remove what no longer waits."""
        self.board.score_later(self._rows)
        with suppress(OSError):
            self._path.unlink()

    def close(self) -> None:
        """Put everything taken so far on disk."""
        self._writer.close()

    def _rows(self) -> Iterator[Row]:
        outputs = iter(RecordFile(self._path, output_from_dict))
        for sample in checked_rows(self._setup):
            for _ in range(self._setup.config.repeats):
                yield sample, members_of(next(outputs), self.names)


def combined(
    combiner: Combiner, row: int, sample: Sample, answers: Mapping[str, Output]
) -> tuple[Output, Mapping[str, Vote], Count[str | float] | None]:
    """Return what the members say together, what each that answered names, and how the vote ended.

    The text is that of the first member, in the order of the config, which names the winner. Where none does (stacking
    may choose a label that no member names), it is the winner itself; where nobody names anything, the first answer.
    """
    repeat = next(iter(answers.values())).repeat
    answered = {name: output for name, output in answers.items() if output.error is None}
    if not answered:
        why = "; ".join(f"{name}: {output.error.message}" for name, output in answers.items() if output.error)
        return _failed(sample, repeat, answers, "no_member_answered", f"no member answered ({why})"), {}, None
    votes = votes_of(combiner.ballots, sample, answers)
    if isinstance(votes, Skipped):
        return _failed(sample, repeat, answers, "no_vote", votes.reason), {}, None
    asked = Asked(row, sample, repeat, votes)
    count = combiner.decide(asked)
    speaker = next((name for name, vote in votes.items() if vote == count.winner and vote is not None), None)
    if speaker is None and count.winner is None:
        speaker = next(iter(answered))
    text = str(count.winner) if speaker is None else answered[speaker].text or ""
    about = {"winner": count.winner, "share": count.share, "tied": len(count.tied) > 1, "by": speaker}
    spent = _spent(list(answered.values()))
    likely = _likelihoods(combiner.probabilities(asked), sample, answered.values())
    response = keeping(answers, text=text, extra={"ensemble": about}, loglikelihoods=likely, **spent)
    retrieved = () if speaker is None else answered[speaker].retrieved
    return Output(sample.id, text, repeat, response, retrieved=retrieved), votes, count


def _failed(sample: Sample, repeat: int, answers: Mapping[str, Output], kind: str, message: str) -> Output:
    return Output(sample.id, None, repeat, keeping(answers), error=Failure(kind, message))


def _likelihoods(
    found: Mapping[str, float] | None, sample: Sample, answered: Iterable[Output]
) -> tuple[Loglikelihood, ...]:
    """Return the combined probability of each choice where members were asked for theirs, so that it can be scored."""
    if found is None or not all(output.response and output.response.loglikelihoods for output in answered):
        return ()
    shares = [found.get(letter(place), 0.0) for place in range(len(sample.choices))]
    return tuple(Loglikelihood(log(share) if share else -inf, 1, share == max(shares)) for share in shares)


def _spent(answered: Sequence[Output]) -> dict[str, Any]:
    """Return what the answers took together: tokens and cost add up, and the slowest is waited for."""
    responses = [output.response or Response() for output in answered]
    return {
        "tokens_in": _sum([response.tokens_in for response in responses]),
        "tokens_out": _sum([response.tokens_out for response in responses]),
        "cost": _sum([response.cost for response in responses]),
        "latency": max(response.latency for response in responses),
        "attempts": sum(response.attempts for response in responses),
        "cached": all(response.cached for response in responses),
    }


def _sum(parts: Sequence[N | None]) -> N | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None
