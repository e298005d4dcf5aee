"""A dry run of an audit: what would be asked, and what it would cost. Nothing is sent, nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from llmkit.engine import Engine, Plan
from llmkit.flows.audit.live import Work, again
from llmkit.flows.audit.setup import AuditSetup
from llmkit.flows.judging import Seat
from llmkit.flows.options import CACHE_PATH, Options
from llmkit.store import ResponseCache
from llmkit.types import Sample


def audit_cache(setup: AuditSetup, options: Options) -> Path | None:
    """Return where the response cache is, or None where none is wanted."""
    wanted = setup.config.engine.cache
    models = setup.seat.models() if setup.seat is not None else ()
    if not options.cache or wanted is False or not any(getattr(m.provider, "cacheable", False) for m in models):
        return None
    return CACHE_PATH if isinstance(wanted, bool) else setup.config.base / wanted


def plan_audit(setup: AuditSetup, options: Options | None = None) -> Plan:
    """Return what running the audit would ask, and what that would cost; nothing is sent."""
    chosen = options or Options()
    work = setup.work
    if work is None:
        return Plan(0, 0, 0, 0, 0, 0, 0.0)
    with ExitStack() as stack:
        path = audit_cache(setup, chosen)
        cache = stack.enter_context(closing(ResponseCache(path))) if path is not None and path.exists() else None
        engine = Engine(setup.settings, cache=cache, refresh=chosen.refresh, prices=setup.prices)
        plans = []
        for seat in _asking(work.seat):
            assert seat.model is not None
            lane = engine.lane(seat.model.provider, seat.model.identity)
            plans.append(engine.plan(lane, _questions(work, seat, (row.sample for row in setup.walk()))))
        return _added(plans)


def _asking(seat: Seat) -> Iterator[Seat]:
    if not seat.members:
        yield seat
    for member in seat.members:
        yield from _asking(member)


def _questions(work: Work, seat: Seat, samples: Iterator[Sample]) -> Iterator[Any]:
    for askings in work.askings(samples):
        for asking in askings:
            output = asking.output
            if output is None:
                continue
            judge: Any = (again(seat, asking.time) if asking.time else seat).judge
            with closing(judge.judge(asking.sample, output)) as dialogue:
                yield from (request for request in next(dialogue, ()) if request.kind != "embedding")


def _added(plans: Iterable[Plan]) -> Plan:
    total = Plan(0, 0, 0, 0, 0, 0, 0.0)
    for one in plans:
        cost = None if total.cost is None or one.cost is None else total.cost + one.cost
        counts = ("requests", "cached", "journaled", "shared", "tokens_in", "tokens_out")
        total = Plan(**{name: getattr(total, name) + getattr(one, name) for name in counts}, cost=cost)
    return total
