"""A dry run: what would be asked, and what it would cost. Nothing is sent, nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

from llmkit.engine import Engine, Plan
from llmkit.flows.eval import Options, asker_of, open_cache, tasks
from llmkit.flows.setup import Setup
from llmkit.types import Request


def plan_eval(setup: Setup, options: Options | None = None) -> Plan:
    """Return what running ``setup`` would ask: requests, tokens and cost, and the share that is cached.

    Of a conversation with several turns only the first request can be known; the others are counted as if
    their prompts were as long as the first.
    """
    chosen = options or Options()
    with ExitStack() as stack:
        cache = open_cache(setup, chosen)
        if cache is not None:
            stack.enter_context(closing(cache))
        engine = Engine(setup.settings, cache=cache, refresh=chosen.refresh, prices=setup.prices)
        return engine.plan(engine.lane(setup.target, setup.target_identity), _requests(setup))


def _requests(setup: Setup) -> Iterator[Request]:
    asker = asker_of(setup)
    for sample, repeat in tasks(setup):
        request = asker.first_request(sample, repeat)
        for _ in range(1 + len(sample.turns)):
            yield request
