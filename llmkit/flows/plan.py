"""A dry run: what would be asked, and what it would cost. Nothing is sent, nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain

from llmkit.engine import ANSWER, Engine, Lane, Plan
from llmkit.flows.ask import Asker
from llmkit.flows.ensemble import each_target
from llmkit.flows.eval import asker_of, tasks
from llmkit.flows.judging import OPPONENT, Bench, Seat
from llmkit.flows.mode_judging import seen_in
from llmkit.flows.open_engine import planning_engine
from llmkit.flows.options import Options
from llmkit.flows.rag import RagTarget
from llmkit.flows.setup import Setup
from llmkit.protocols import Provider
from llmkit.types import Output, Request, Response, Sample

_UNKNOWN = "?" * 4 * ANSWER


def plan_eval(setup: Setup, options: Options | None = None) -> Plan:
    """Return what running ``setup`` would ask: requests, tokens and cost, and the share that is cached.

    A further turn of a conversation is asked after an answer that may not be known; it is then counted with an answer
    of the length that estimates give one. So are the questions of judges, of which the first for each output are
    counted: whether there are more depends on what is answered.
    """
    chosen = options or Options()
    with planning_engine(setup, chosen) as engine:
        bench = Bench(setup.seats, engine)
        plans = []
        if setup.target is not None and chosen.outputs is None:
            for one in each_target(setup):
                lane = bench.lane(*_asked(one))
                plans.append(engine.plan(lane, _requests(one, engine, lane)))
        for seat in chain.from_iterable(seat.asking() for seat in setup.seats):
            assert seat.model is not None
            plans.append(engine.plan(bench.lanes[seat.model.identity], _questions(setup, seat)))
        return sum(plans, Plan())


def _asked(setup: Setup) -> tuple[Provider, str]:
    """Return who answers, and what makes it answer as it does; of an index with a model, the model."""
    if isinstance(setup.target, RagTarget):
        return setup.target.model_asked.provider, setup.target.model_asked.identity
    return setup.target, setup.target_identity


def _requests(setup: Setup, engine: Engine, lane: Lane) -> Iterator[Request]:
    asker = asker_of(setup)
    for sample, repeat in tasks(setup):
        if not isinstance(asker, Asker):
            yield from asker.every_request(sample, repeat)
            continue
        with closing(asker.dialogue(sample, repeat)) as dialogue:
            first = next(dialogue, None)
            if first is None:  # the row has nothing to ask for
                continue
            [request] = first
            yield request
            for _ in sample.turns:
                known = engine.remembered(lane, request)
                [request] = dialogue.send([known or Response(text=_UNKNOWN)])
                yield request


def _questions(setup: Setup, seat: Seat) -> Iterator[Request]:
    """Yield what a judge asks first of each output."""
    waiting: list[Output] = []
    modes = setup.target.settings.modes if isinstance(setup.target, RagTarget) and not seat.over_repeats else ("",)
    for sample, repeat, mode in ((*task, mode) for task in tasks(setup) for mode in modes):
        text = f"{_UNKNOWN} {sample.id} {repeat}{mode}"  # no two answers are taken to be the same
        output = Output(sample.id, text, repeat, Response(text=text))
        waiting.append(output)
        if seat.over_repeats and len(waiting) < setup.config.repeats:
            continue
        outputs, waiting = waiting, []
        judge = seat.judge
        row = _with_unknown(seat, seen_in(mode, setup.variants.meant(sample)))
        dialogue = judge.judge_over(row, outputs) if seat.over_repeats else judge.judge(row, output)  # type: ignore[attr-defined]
        with closing(dialogue):
            yield from (request for request in next(dialogue, ()) if request.kind != "embedding")


def _with_unknown(seat: Seat, sample: Sample) -> Sample:
    if seat.opponents is None:
        return sample
    return replace(sample, meta={**sample.meta, OPPONENT: _UNKNOWN})
