"""A judge at work for an audit: every recorded answer judged, some of them changed or asked about again."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from llmkit.engine import Engine
from llmkit.flows.audit.evidence import Row
from llmkit.flows.audit.probes import INJECTIONS, PADDING, changed
from llmkit.flows.audit.sources import games_of
from llmkit.flows.judging import Bench, Seat
from llmkit.flows.loop import stopped_by_signals
from llmkit.flows.relay import relayed
from llmkit.hashing import digest
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Judgment, Output, Request, Sample, Score, Skipped, Transcript

_AGAIN = 1_000_000
"""Between the numbers of two askings: a judge that samples one question uses small numbers of its own."""


@dataclass(frozen=True)
class Again:
    """A judge that is asked the same once more: its requests differ in their number alone."""

    judge_: Any
    time: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.judge_, name)

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Drive the judge's own dialogue with requests numbered anew."""
        return relayed(self.judge_.judge(sample, output), change=self._numbered)

    def _numbered(self, requests: list[Request]) -> list[Request]:
        return [dataclasses.replace(one, repeat=one.repeat + self.time * _AGAIN) for one in requests]


def again(seat: Seat, time: int) -> Seat:
    """Return a seat whose judge is asked once more; of a jury each member."""
    if seat.members:
        return dataclasses.replace(seat, members=tuple(again(member, time) for member in seat.members))
    return dataclasses.replace(seat, judge=Again(seat.judge, time))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Asking:
    """One thing to be judged: a row's answer, as it is or changed, for the first time or again."""

    sample: Sample
    probe: str = ""
    time: int = 0

    @property
    def output(self) -> Output | None:
        """The answer to judge; None where the row has none."""
        text = self.sample.output
        if text is None:
            return None
        return Output(self.sample.id, changed(text, self.probe) if self.probe else text)


@dataclass
class Spent:
    """What verdicts took: requests, seconds and dollars, of those that were asked."""

    verdicts: int = 0
    requests: int = 0
    seconds: float = 0.0
    cost: float = 0.0
    unpriced: int = 0

    def add(self, judgment: Judgment) -> None:
        """Count the exchanges of one verdict."""
        self.verdicts += 1
        for exchange in judgment.exchanges:
            self.requests += 1
            self.seconds += exchange.latency
            if exchange.cost is None:
                self.unpriced += 1
            else:
                self.cost += exchange.cost


@dataclass
class Work:
    """The askings of an audit, planned before anything is sent.

    Attributes:
        seat: The judge.
        drawn: Ids of the rows that are probed.
        probes: How answers are changed.
        repeats: How often an answer is judged in all.
    """

    seat: Seat
    drawn: frozenset[str]
    probes: Sequence[str]
    repeats: int
    spent: Spent = field(default_factory=Spent)

    def askings(self, samples: Iterator[Sample]) -> Iterator[list[Asking]]:
        """Yield for each row what is asked about it."""
        for sample in samples:
            found = [Asking(sample)]
            if sample.id in self.drawn and sample.output is not None:
                found += [Asking(sample, probe) for probe in self.probes]
                found += [Asking(sample, time=time) for time in range(1, self.repeats)]
            yield found


def probes_of(config: Any) -> list[str]:
    """Return the names of the probes that a config asks for; injections are held against mere padding."""
    padded = config.probes.padding or config.probes.injection
    return [*([PADDING] if padded else []), *(INJECTIONS if config.probes.injection else ())]


def draw(ids: Sequence[str], count: int, seed: int) -> frozenset[str]:
    """Return which rows are probed: by a digest of seed and id, so that other rows change nothing."""
    order = sorted(ids, key=lambda one: digest([seed, one], 8))
    return frozenset(order[:count])


async def judged(
    work: Work, engine: Engine, samples: Iterator[Sample], keep: Any, *, catch_signals: bool
) -> AsyncIterator[Row]:
    """Yield every row with its verdict, in dataset order.

    Args:
        work: What is asked.
        engine: Asks.
        samples: The rows.
        keep: Called with every score and transcript, in order.
        catch_signals: Whether Ctrl-C stops cleanly.
    """
    first = Bench([work.seat], engine)
    benches = {0: first}
    for time in range(1, work.repeats):
        benches[time] = Bench([again(work.seat, time)], engine, first.lanes)
    try:
        with stopped_by_signals(engine, wanted=catch_signals):
            async with aclosing(engine.map(partial(_of_row, work, benches), work.askings(samples))) as found:
                async for askings, judgments in found:
                    yield _row(work, askings, judgments, keep)
    finally:
        await first.aclose()


async def _of_row(
    work: Work, benches: Mapping[int, Bench], askings: list[Asking]
) -> tuple[list[Asking], list[Judgment]]:
    """Return what the judge says of everything that is asked about a row."""

    async def one(asking: Asking) -> Judgment:
        output = asking.output
        if output is None:
            return Judgment(Failure("no_output", "the row holds no answer to judge"))
        found = await benches[asking.time].judge(asking.sample, output)
        return found[work.seat.name]

    done = await asyncio.gather(*(one(asking) for asking in askings), return_exceptions=True)
    for item in done:
        if isinstance(item, BaseException):
            raise item
    return askings, [item for item in done if isinstance(item, Judgment)]


def _row(work: Work, askings: Sequence[Asking], judgments: Sequence[Judgment], keep: Any) -> Row:
    scores = [_score(work.seat, asking, judgment) for asking, judgment in zip(askings, judgments, strict=True)]
    for asking, judgment, score in zip(askings, judgments, scores, strict=True):
        work.spent.add(judgment)
        transcript = None
        if judgment.exchanges:
            transcript = Transcript(asking.sample.id, score.scorer, judgment.exchanges)
        keep(score, transcript)
    sample, mine = askings[0].sample, scores[0]
    repeated = tuple(score.value for asking, score in zip(askings, scores, strict=True) if not asking.probe)
    probes: Mapping[str, Any] = {
        asking.probe: score.value for asking, score in zip(askings, scores, strict=True) if asking.probe
    }
    opponent = sample.meta.get(getattr(work.seat.judge, "field", ""))
    return Row(
        sample,
        sample.output,
        mine.value,
        "" if mine.value is not None else mine.reason.partition(":")[0] or mine.status,
        mine.reason if mine.value is not None else "",
        repeated if len(repeated) > 1 else (),
        games=games_of(mine) if getattr(work.seat.judge, "aggregates", "") == "preference" else None,
        other=opponent if isinstance(opponent, str) else None,
        probes=probes,
    )


def _score(seat: Seat, asking: Asking, judgment: Judgment) -> Score:
    name = seat.name + (f"#{asking.probe}" if asking.probe else f"#again {asking.time}" if asking.time else "")
    stats = judgment.stats
    if isinstance(stats, Failure):
        return Score(asking.sample.id, name, None, "error", f"{stats.kind}: {stats.message}")
    if isinstance(stats, Skipped):
        return Score(asking.sample.id, name, None, "skipped", stats.reason)
    return Score(asking.sample.id, name, seat.judge.sample_value(stats), "ok", judgment.reason, tuple(stats))


def reasons(counts: Counter[str]) -> dict[str, int]:
    """Return the commonest reasons."""
    return dict(counts.most_common(20))
