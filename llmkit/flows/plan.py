"""A dry run: what would be asked, and what it would cost. Nothing is sent, nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

from llmkit.engine import ANSWER, Engine, Lane, Plan
from llmkit.flows.ask_choices import ChoiceAsker
from llmkit.flows.eval import Options, asker_of, cache_path, tasks
from llmkit.flows.setup import Setup
from llmkit.store import ResponseCache
from llmkit.types import Request, Response

_UNKNOWN = "?" * 4 * ANSWER


def plan_eval(setup: Setup, options: Options | None = None) -> Plan:
    """Return what running ``setup`` would ask: requests, tokens and cost, and the share that is cached.

    A further turn of a conversation is asked after an answer that may not be known; it is then counted with an answer
    of the length that estimates give one.
    """
    chosen = options or Options()
    with ExitStack() as stack:
        path = cache_path(setup, chosen)
        cache = stack.enter_context(closing(ResponseCache(path))) if path is not None and path.exists() else None
        engine = Engine(setup.settings, cache=cache, refresh=chosen.refresh, prices=setup.prices)
        lane = engine.lane(setup.target, setup.target_identity)
        return engine.plan(lane, _requests(setup, engine, lane))


def _requests(setup: Setup, engine: Engine, lane: Lane) -> Iterator[Request]:
    asker = asker_of(setup)
    for sample, repeat in tasks(setup):
        if isinstance(asker, ChoiceAsker):
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
