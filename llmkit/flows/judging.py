"""Judges at work: each with its lane, its dialogue driven by the engine, what was said kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from llmkit.engine import Engine, Lane
from llmkit.errors import LlmkitError, RequestError
from llmkit.flows.relay import Came, relayed
from llmkit.hashing import digest
from llmkit.protocols import Dialogue, Judge, Provider
from llmkit.types import Exchange, Failure, Judgment, Output, Request, Response, Sample

OPPONENT = "opponent"
"""The meta field in which a judge finds the answer that it compares with."""

OPPONENT_TURNS = "opponent_turns"
"""The same for a conversation: the answers to all its turns."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that judges: the provider and what makes it answer as it does."""

    provider: Provider
    identity: str

    @property
    def name(self) -> str:
        """The model's own name, or its provider's."""
        return str(getattr(self.provider, "model", "") or self.identity.partition("#")[0])


@dataclass(frozen=True)
class Seat:
    """A judge, whom it asks, and whom it compares with.

    Attributes:
        name: What its scores are listed under.
        judge: The judge.
        model: Whom it asks; None for a jury.
        embedder: Who embeds texts for it; None for the model.
        members: The seats of a jury.
        opponents: For each sample's id, the answers that this judge compares with: each repeat's, to all turns.
        code: A digest of the file the judge comes from, where it is a user's own.
    """

    name: str
    judge: Judge
    model: Model | None = None
    embedder: Model | None = None
    members: tuple[Seat, ...] = ()
    opponents: Mapping[str, Sequence[Sequence[str]]] | None = None
    code: str = ""

    @property
    def over_repeats(self) -> bool:
        """Whether it judges all repeats of a sample together."""
        return bool(getattr(self.judge, "over_repeats", False))

    @cached_property
    def makers(self) -> str:
        """The part of the signature that the judge cannot know: its models, what it compares with, its code."""
        parts = []
        if self.model is not None:
            parts.append(f"model:{self.model.name}@{digest(self.model.identity, 4)}")
        if self.embedder is not None:
            parts.append(f"embedder:{self.embedder.name}@{digest(self.embedder.identity, 4)}")
        parts += [f"member:{member.judge.signature}|{member.makers}" for member in self.members]
        if self.opponents is not None:
            parts.append(f"opponent:{digest(dict(self.opponents), 4)}")
        if self.code:
            parts.append(f"code:{self.code}")
        return "|".join(parts)

    @property
    def signature(self) -> str:
        """Everything that makes the number."""
        return "|".join(part for part in (self.judge.signature, self.makers) if part)

    def models(self) -> list[Model]:
        """Return every model that it asks, those of a jury's members included."""
        own = [model for model in (self.model, self.embedder) if model is not None]
        return own + [model for member in self.members for model in member.models()]

    def asking(self) -> Iterator[Seat]:
        """Yield the seats that ask: itself, or a jury's members."""
        if not self.members:
            yield self
        for member in self.members:
            yield from member.asking()

    def unprepared(self) -> list[Seat]:
        """Return the seats, of a jury each member's, whose judge has something to ask before the rows."""
        found = [seat for member in self.members for seat in member.unprepared()]
        return [*found, self] if getattr(self.judge, "unprepared", False) else found


@dataclass
class Bench:
    """The judges of a run and their lanes on its engine.

    Judges that ask one model share its lane, and with it its rate limit; a judge that asks the target's own model
    shares the target's.
    """

    seats: Sequence[Seat]
    engine: Engine
    lanes: dict[str, Lane] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for seat in self.seats:
            for model in seat.models():
                self.lane(model.provider, model.identity)

    def lane(self, provider: Provider, identity: str) -> Lane:
        """Return the lane of a provider; one identity has one lane."""
        if identity not in self.lanes:
            self.lanes[identity] = self.engine.lane(provider, identity)
        return self.lanes[identity]

    async def judge(self, sample: Sample, output: Output) -> dict[str, Judgment]:
        """Return what each judge that looks at single outputs says of one; nothing is asked of a failed output."""
        if output.error is not None:
            return {}
        alone = [seat for seat in self.seats if not seat.over_repeats]
        found = await _all([self._of(seat, sample, [output]) for seat in alone])
        return {seat.name: judgment for seat, judgment in zip(alone, found, strict=True)}

    async def judge_together(self, sample: Sample, outputs: Sequence[Output]) -> dict[str, Judgment]:
        """Return what each judge that looks at all repeats of a sample says of them."""
        if all(output.error is not None for output in outputs):
            return {}
        together = [seat for seat in self.seats if seat.over_repeats]
        found = await _all([self._of(seat, sample, outputs) for seat in together])
        return {seat.name: judgment for seat, judgment in zip(together, found, strict=True)}

    async def prepare(self, seat: Seat) -> dict[Any, str]:
        """Ask what a judge needs once before the rows; return the files to keep it in."""
        prepare: Callable[[], Dialogue[Mapping[Any, str]]] = seat.judge.prepare  # type: ignore[attr-defined]
        return dict(await self.engine.converse(self._route(seat), prepare()))

    async def aclose(self) -> None:
        """Close the connections of every model."""
        for lane in self.lanes.values():
            await lane.provider.aclose()

    async def _of(self, seat: Seat, sample: Sample, outputs: Sequence[Output]) -> Judgment:
        if seat.members:
            said = await _all([self._of(member, sample, outputs) for member in seat.members])
            return _kept(seat, lambda: seat.judge.verdict(said), [e for one in said for e in one.exchanges])  # type: ignore[attr-defined]
        row = _with_opponent(seat, sample, outputs[0])
        if row is None:
            return Judgment(Failure("no_opponent", "what it is compared with holds no answer to this row"))
        exchanges: list[Exchange] = []
        try:
            dialogue = seat.judge.judge_over(row, outputs) if seat.over_repeats else seat.judge.judge(row, outputs[0])  # type: ignore[attr-defined]
            judgment = await self.engine.converse(self._route(seat), _heard(dialogue, exchanges))
        except LlmkitError:
            raise
        except RequestError as error:
            failed = Failure(error.kind, str(error), status=error.status, attempts=error.attempts)
            return Judgment(failed, exchanges=tuple(exchanges))
        except Exception as error:  # noqa: BLE001 - a plug-in's fault must not cost the other scores
            return Judgment(_fault(seat, error), exchanges=tuple(exchanges))
        return replace(judgment, exchanges=tuple(exchanges))

    def _route(self, seat: Seat) -> Callable[[Request], Lane]:
        def lane(request: Request) -> Lane:
            wanted = seat.embedder if request.kind == "embedding" and seat.embedder is not None else seat.model
            assert wanted is not None
            return self.lanes[wanted.identity]

        return lane


def _heard(dialogue: Dialogue[Judgment], exchanges: list[Exchange]) -> Dialogue[Judgment]:
    """Return the dialogue with every request and what came back noted among the exchanges."""

    def hear(requests: list[Request], came: Came) -> None:
        if isinstance(came, RequestError):
            exchanges.extend(Exchange(request.messages, "") for request in requests)
        else:
            exchanges.extend(map(_exchange, requests, came))

    return relayed(dialogue, hear=hear)


def _exchange(request: Request, response: Response) -> Exchange:
    cost = 0.0 if response.cached else response.cost
    asked = request.messages or tuple({"role": "user", "content": text} for text in request.texts)
    return Exchange(tuple(asked), response.text, response.latency, cost, response.model)


async def _all(work: Sequence[Any]) -> list[Judgment]:
    """Await everything at once; when one raises, the others are waited for. One alone needs no task of its own."""
    if len(work) == 1:
        return [await work[0]]
    done = await asyncio.gather(*work, return_exceptions=True)
    for found in done:
        if isinstance(found, BaseException):
            raise found
    return [found for found in done if isinstance(found, Judgment)]


def _kept(seat: Seat, combine: Callable[[], Judgment], exchanges: Sequence[Exchange]) -> Judgment:
    try:
        return replace(combine(), exchanges=tuple(exchanges))
    except Exception as error:  # noqa: BLE001 - as above
        return Judgment(_fault(seat, error), exchanges=tuple(exchanges))


def _fault(seat: Seat, error: Exception) -> Failure:
    return Failure("fault", f"{seat.name} failed: {type(error).__name__}: {error}")


def _with_opponent(seat: Seat, sample: Sample, output: Output) -> Sample | None:
    if seat.opponents is None:
        return sample
    answers = seat.opponents.get((sample.original or sample).id)
    if not answers:
        return None
    turns = answers[min(output.repeat, len(answers) - 1)]
    return replace(sample, meta={**sample.meta, OPPONENT: turns[-1], OPPONENT_TURNS: tuple(turns)})
