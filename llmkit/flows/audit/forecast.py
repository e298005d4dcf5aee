"""A dry run of an audit: what would be asked, and what it would cost. Nothing is sent, nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from llmkit.engine import Plan
from llmkit.flows.audit.live import Work, again
from llmkit.flows.audit.setup import AuditSetup
from llmkit.flows.judging import Seat
from llmkit.flows.open_engine import planning_engine
from llmkit.flows.options import Options
from llmkit.types import Sample


def plan_audit(setup: AuditSetup, options: Options | None = None) -> Plan:
    """Return what running the audit would ask, and what that would cost; nothing is sent."""
    chosen = options or Options()
    work = setup.work
    if work is None:
        return Plan()
    with planning_engine(setup, chosen) as engine:
        plans = []
        for seat in work.seat.asking():
            assert seat.model is not None
            lane = engine.lane(seat.model.provider, seat.model.identity)
            plans.append(engine.plan(lane, _questions(work, seat, (row.sample for row in setup.walk()))))
        return sum(plans, Plan())


def _questions(work: Work, seat: Seat, samples: Iterator[Sample]) -> Iterator[Any]:
    for askings in work.askings(samples):
        for asking in askings:
            output = asking.output
            if output is None:
                continue
            judge: Any = (again(seat, asking.time) if asking.time else seat).judge
            with closing(judge.judge(asking.sample, output)) as dialogue:
                yield from (request for request in next(dialogue, ()) if request.kind != "embedding")
