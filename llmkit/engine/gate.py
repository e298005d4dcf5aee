"""The one place where attempts wait: for a free slot, a rate limit, a server's pause, a backoff or the budget.

An attempt waits before it holds anything and holds its slot only while it is in flight, so lanes cannot starve or
block each other; stopping the run means failing whoever waits here.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from llmkit.engine.budget import Budget
from llmkit.engine.lane import Lane
from llmkit.engine.settings import Settings
from llmkit.errors import LlmkitError, RateLimitedError
from llmkit.protocols import Clock

_NEVER = float("inf")
_SHORTEST_NAP = 0.001


@dataclass(slots=True, eq=False)
class Ticket:
    """One request's place at the gate, used again for each of its attempts.

    Attributes:
        lane: Where it wants to go.
        tokens: Estimated tokens.
        cost: Estimated US dollars.
        started: When its last attempt started.
        granted: Resolved when a waiting ticket may start (None) or must give up (the error); None while it does
            not wait.
    """

    lane: Lane
    tokens: float = 0.0
    cost: float = 0.0
    started: float = 0.0
    granted: asyncio.Future[Exception | None] | None = None


class Gate:
    """Lets attempts start in order, as all limits allow."""

    def __init__(self, settings: Settings, clock: Clock, budget: Budget) -> None:
        self.halted: LlmkitError | None = None
        self.active = 0
        self._most = settings.max_concurrency
        self._patience = settings.patience
        self._clock = clock
        self._budget = budget
        self._lanes: deque[Lane] = deque()
        self._delayed: list[tuple[float, int, Ticket]] = []
        self._order = itertools.count()
        self._waiting = 0
        self._timer: asyncio.Task[None] | None = None
        self._timer_at = _NEVER

    def add(self, lane: Lane) -> None:
        """Take a lane into the rota."""
        self._lanes.append(lane)

    async def enter(self, ticket: Ticket, due: float = 0.0) -> None:
        """Return when the attempt may start, not before ``due``; every ``enter`` needs its ``leave``.

        Raises:
            LlmkitError: the run was halted.
            RateLimitedError: the server asked for a longer pause than a request may wait.
        """
        if self.halted is not None:
            raise self.halted
        now = self._clock.monotonic()
        if not self._waiting and due <= now and self._startable(ticket, now) <= now:
            self._start(ticket, now)
            return
        self._refuse_long_pause(ticket.lane, now)
        ticket.granted = asyncio.get_running_loop().create_future()
        self._waiting += 1
        if due > now:
            heapq.heappush(self._delayed, (due, next(self._order), ticket))
        else:
            ticket.lane.waiting.append(ticket)
        self._dispatch()
        try:
            refusal = await ticket.granted
        except asyncio.CancelledError:
            self._withdraw(ticket)
            raise
        ticket.granted = None
        if refusal is not None:
            raise refusal

    def leave(self, ticket: Ticket) -> None:
        """Give the slot back; whoever may start now, starts."""
        self.active -= 1
        ticket.lane.active -= 1
        if self._budget.limited:
            self._budget.release(ticket.tokens, ticket.cost)
        if self._waiting:
            self._dispatch()

    def pause(self, lane: Lane, until: float) -> None:
        """Let nothing of this lane start before ``until``; a pause beyond the patience fails those who wait."""
        if until <= lane.paused_until:
            return
        lane.paused_until = until
        now = self._clock.monotonic()
        if until - now > self._patience:
            for ticket in list(self._queued()):
                if ticket.lane is lane:
                    self._answer(ticket, self._long_pause(lane, now))
            lane.waiting.clear()
            self._delayed = [entry for entry in self._delayed if entry[2].lane is not lane]
            heapq.heapify(self._delayed)
            self._dispatch()

    def halt(self, reason: LlmkitError) -> bool:
        """Let nothing start any more, and fail everyone who waits; False when already halted."""
        if self.halted is not None:
            return False
        self.halted = reason
        self._fail_all(reason)
        return True

    def _startable(self, ticket: Ticket, now: float) -> float:
        """Return when the ticket may start: ``<= now``, a later time, or never until somebody leaves."""
        lane = ticket.lane
        if self.active >= self._most or lane.active >= lane.concurrency.limit:
            return _NEVER
        at = lane.ready_at(now, ticket.tokens)
        if at > now or not self._budget.limited:
            return at
        return at if self._budget.decide(ticket.tokens, ticket.cost) == "go" else _NEVER

    def _start(self, ticket: Ticket, now: float) -> None:
        ticket.started = now
        self.active += 1
        ticket.lane.take(now, ticket.tokens)
        if self._budget.limited:
            self._budget.reserve(ticket.tokens, ticket.cost)

    def _dispatch(self) -> None:
        if not self._waiting:
            self._delayed.clear()
            self._disarm()
            return
        now = self._clock.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            ticket = heapq.heappop(self._delayed)[2]
            ticket.lane.waiting.appendleft(ticket)
        wake = self._delayed[0][0] if self._delayed else _NEVER
        blocked: set[Lane] = set()
        while self.active < self._most and len(blocked) < len(self._lanes):
            lane = self._lanes[0]
            self._lanes.rotate(-1)
            if lane in blocked:
                continue
            at = self._serve(lane, now)
            if self.halted is not None:
                return
            if at > now:
                blocked.add(lane)
                wake = min(wake, at)
        self._arm(wake, now)

    def _serve(self, lane: Lane, now: float) -> float:
        """Start the lane's first ticket if it may; return when to look again (``<= now``: it started)."""
        waiting = lane.waiting
        while waiting and (waiting[0].granted is None or waiting[0].granted.done()):
            waiting.popleft()
        if not waiting:
            return _NEVER
        ticket = waiting[0]
        at = self._startable(ticket, now)
        if at <= now:
            waiting.popleft()
            self._start(ticket, now)
            self._answer(ticket, None)
        elif at == _NEVER and self._budget.limited and self._budget.decide(ticket.tokens, ticket.cost) == "stop":
            self.halt(self._budget.error(ticket.tokens, ticket.cost))
        return at

    def _answer(self, ticket: Ticket, refusal: Exception | None) -> None:
        if ticket.granted is not None and not ticket.granted.done():
            self._waiting -= 1
            ticket.granted.set_result(refusal)

    def _withdraw(self, ticket: Ticket) -> None:
        granted, ticket.granted = ticket.granted, None
        if granted is None or granted.cancelled() or not granted.done():
            self._waiting -= 1
            self._dispatch()
        elif granted.result() is None:
            self.leave(ticket)

    def _queued(self) -> Iterator[Ticket]:
        for lane in self._lanes:
            yield from lane.waiting
        for _, _, ticket in self._delayed:
            yield ticket

    def _fail_all(self, error: Exception) -> None:
        for ticket in list(self._queued()):
            self._answer(ticket, error)
        for lane in self._lanes:
            lane.waiting.clear()
        self._delayed.clear()
        self._disarm()

    def _refuse_long_pause(self, lane: Lane, now: float) -> None:
        if lane.paused_until - now > self._patience:
            raise self._long_pause(lane, now)

    def _long_pause(self, lane: Lane, now: float) -> RateLimitedError:
        pause = lane.paused_until - now
        return RateLimitedError(
            f"the server asks to wait {pause:.0f} s, longer than engine.patience ({self._patience:g} s)",
            kind="rate_limited",
            status=429,
            retry_after=pause,
        )

    def _arm(self, at: float, now: float) -> None:
        if at == _NEVER:
            self._disarm()
        elif self._timer is None or at < self._timer_at:
            self._disarm()
            self._timer_at = at
            self._timer = asyncio.get_running_loop().create_task(self._wake(max(at - now, _SHORTEST_NAP)))

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, _NEVER

    async def _wake(self, delay: float) -> None:
        try:
            await self._clock.sleep(delay)
            self._timer, self._timer_at = None, _NEVER
            self._dispatch()
        except Exception as error:  # noqa: BLE001 - a broken clock must fail those who wait, not hang them
            self._timer = None
            self._fail_all(error)
