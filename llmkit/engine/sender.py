"""Sends one request until it is answered or given up: gate, attempt, retry, price, account."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from llmkit.engine.budget import Budget
from llmkit.engine.events import Answered, Event, Failed, Retried, Sent, SlowedDown, Stopped
from llmkit.engine.gate import Gate, Ticket
from llmkit.engine.lane import Lane
from llmkit.engine.prices import PriceBook
from llmkit.engine.retry import History, RetryPolicy
from llmkit.engine.settings import Settings
from llmkit.engine.usage import Usage
from llmkit.errors import (
    AuthenticationError,
    InfrastructureError,
    LlmkitError,
    PermanentError,
    RateLimitedError,
    RequestError,
    TransientError,
    UnauthorizedError,
    UsageError,
)
from llmkit.protocols import Clock
from llmkit.types import Request, Response

LOST_AT_FIRST = 8
"""Requests given up without a reply, before any reply ever came, that mean: nobody is there."""

LOST_AFTER_REPLIES = 64
"""The same, in a row, for a server that did reply before."""

_NOBODY = frozenset({"connection", "timeout"})


class Sender:
    """What stands between a request and its provider once nobody remembers the answer."""

    def __init__(
        self,
        settings: Settings,
        usage: Usage,
        *,
        prices: PriceBook,
        clock: Clock,
        seed: int,
        observe: Callable[[Event], None] | None,
    ) -> None:
        self._timeout = settings.timeout
        self._max_cost = settings.max_cost
        self._usage = usage
        self._prices = prices
        self._clock = clock
        self._rng = random.Random(seed)  # noqa: S311 - jitter needs no secrets
        self._observe = observe
        self._policy = RetryPolicy(settings.max_retries, settings.patience)
        self.budget = Budget(settings)
        self.gate = Gate(settings, clock, self.budget)
        self._estimates = settings.tokens_per_minute is not None or self.budget.limited

    async def send(self, lane: Lane, request: Request, wasted: Callable[[Response], None] | None = None) -> Response:
        """Return the answer, with cost and attempts filled in.

        Args:
            lane: Whom to ask.
            request: What to ask.
            wasted: Told of each attempt that was paid for and gave no answer: a response of 0 attempts, without text.

        Raises:
            RequestError: it failed for good.
            AuthenticationError: the key was refused; this halts the run.
            LlmkitError: the run was halted.
        """
        ticket = self._ticket(lane, request)
        history: History | None = None
        due = 0.0
        while True:
            try:
                await self.gate.enter(ticket, due)
            except RequestError as error:
                raise self._given_up(lane, error, history.attempts if history else 0) from None
            attempts = history.attempts + 1 if history else 1
            self._usage.sent += 1
            if self._observe is not None:
                self._observe(Sent(lane.identity, attempts))
            try:
                response = await self._attempt(lane, request)
                return self._account(lane, request, response, ticket, attempts)
            except TransientError as error:
                self._count_wasted(lane, request, error, wasted)
                history = history or History()
                history.attempts = attempts
                due = self._again(lane, error, ticket, history)
            except RequestError as error:
                self._count_wasted(lane, request, error, wasted)
                self._given_up(lane, error, attempts)
                if isinstance(error, UnauthorizedError):
                    reason = _refused(lane, error)
                    self.halt(reason)
                    raise reason from error
                raise
            finally:
                self.gate.leave(ticket)
            self._usage.retries += 1

    async def _attempt(self, lane: Lane, request: Request) -> Response:
        """Ask once; every failure comes out as a `RequestError`, except a halt and a cancellation."""
        try:
            async with asyncio.timeout(self._timeout):
                return await lane.complete(request)
        except (RequestError, LlmkitError):
            raise
        except TimeoutError as error:
            limit = f"within {self._timeout:g} s" if self._timeout is not None else "in time"
            raise TransientError(f"no answer {limit}", kind="timeout") from error
        except ConnectionError as error:
            raise TransientError(f"the connection failed: {error}", kind="connection") from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise PermanentError("the target cancelled itself", kind="exception") from error
        except Exception as error:
            raise PermanentError(f"{type(error).__name__}: {error}", kind="exception") from error

    def _again(self, lane: Lane, error: TransientError, ticket: Ticket, history: History) -> float:
        """Return when to try again, slowing the lane down after a 429; raise when it is time to give up."""
        now = self._clock.monotonic()
        if isinstance(error, RateLimitedError):
            self._usage.rate_limited += 1
            pause = max(error.retry_after or 0.0, 0.0)
            cut = lane.concurrency.limited(ticket.started, now)
            self.gate.pause(lane, now + pause)
            if cut and self._observe is not None:
                self._observe(SlowedDown(lane.identity, lane.concurrency.limit, pause))
        delay = self._policy.delay(history, error, now, self._rng)
        if delay is None:
            raise self._given_up(lane, error, history.attempts) from error.__cause__
        if self._observe is not None:
            self._observe(Retried(lane.identity, error, history.attempts, delay))
        return now + delay

    def _account(self, lane: Lane, request: Request, response: Response, ticket: Ticket, attempts: int) -> Response:
        """Count an answer, and write into it what only the engine knows."""
        usage = self._usage
        usage.answered += 1
        lane.reached, lane.lost = True, 0
        lane.concurrency.succeeded()
        tokens_in, tokens_out = response.tokens_in, response.tokens_out
        known = tokens_in is not None and tokens_out is not None
        usage.tokens_in += tokens_in or 0
        usage.tokens_out += tokens_out or 0
        cost = response.cost
        if cost is None and has_price(lane, request):
            cost = self._price(lane, request, response.model, (tokens_in, tokens_out, response.tokens_cached))
            usage.unpriced += cost is None
        usage.cost += cost or 0.0
        if self._estimates:
            used = (tokens_in or 0) + (tokens_out or 0) if known else ticket.tokens
            self.budget.spend(used, cost if cost is not None else ticket.cost)
            if known:
                lane.experience.learn(request, tokens_in or 0, tokens_out or 0)
            if lane.tokens is not None:
                lane.tokens.correct(ticket.tokens, used)
        changes: dict[str, Any] = {}
        if cost is not None and cost != response.cost:
            changes["cost"] = cost
        if attempts > 1:
            changes["attempts"] = attempts
        if not response.latency and (lane.journaled or lane.cacheable):
            changes["latency"] = self._clock.monotonic() - ticket.started
        if changes:
            response = replace(response, **changes)
        if self._observe is not None:
            self._observe(Answered(lane.identity, response))
        return response

    def _count_wasted(
        self, lane: Lane, request: Request, error: RequestError, wasted: Callable[[Response], None] | None
    ) -> None:
        """Count what an attempt took that gave no answer: an empty one is paid for like any other."""
        if error.tokens is None:
            return
        tokens_in, tokens_out, tokens_cached = error.tokens
        cost = self._price(lane, request, "", error.tokens) if has_price(lane, request) else None
        self._usage.tokens_in += tokens_in or 0
        self._usage.tokens_out += tokens_out or 0
        self._usage.cost += cost or 0.0
        if self._estimates:
            self.budget.spend((tokens_in or 0) + (tokens_out or 0), cost or 0.0)
        if wasted is not None:
            wasted(Response("", tokens_in, tokens_out, tokens_cached, cost=cost, attempts=0))

    def spend_estimate(self, lane: Lane, request: Request, response: Response) -> None:
        """Take from the budget what an answer of unknown size, paid before the run was interrupted, may have taken."""
        ticket = self._ticket(lane, request)
        self.budget.spend(ticket.tokens, ticket.cost if response.cost is None else 0.0)

    def _given_up(self, lane: Lane, error: RequestError, attempts: int) -> RequestError:
        error.attempts = attempts
        self._usage.failed += 1
        self._count_lost(lane, error)
        if self._observe is not None:
            self._observe(Failed(lane.identity, error))
        return error

    def _count_lost(self, lane: Lane, error: RequestError) -> None:
        """Halt when nobody is there: retrying every row of a long run against a dead endpoint would take hours."""
        if error.status is not None:
            lane.reached, lane.lost = True, 0
        elif error.kind not in _NOBODY:
            lane.lost = 0
        else:
            lane.lost += 1
            if lane.lost >= (LOST_AFTER_REPLIES if lane.reached else LOST_AT_FIRST):
                self.halt(
                    InfrastructureError(
                        f"Nobody answers: {lane.lost} requests in a row were given up, the last because {error}. "
                        "What is finished is kept; run the same command to continue."
                    )
                )

    def halt(self, reason: LlmkitError) -> None:
        """Send nothing more."""
        if self.gate.halt(reason) and self._observe is not None:
            self._observe(Stopped(reason))

    # Prices.

    def _ticket(self, lane: Lane, request: Request) -> Ticket:
        if request.model:
            self.require_price(lane, request.model)
        if not self._estimates:
            return Ticket(lane)
        size = lane.experience.expect(request, lane.answer, lane.answers)
        model = request.model or lane.model
        cost = self._prices.cost(model, *size) if model and self._max_cost is not None else None
        return Ticket(lane, float(sum(size)), cost or 0.0)

    def _price(
        self, lane: Lane, request: Request, answered: str, tokens: tuple[int | None, int | None, int | None]
    ) -> float | None:
        cost = self._prices.cost(request.model or lane.model, *tokens)
        return cost if cost is not None or not answered else self._prices.cost(answered, *tokens)

    def require_price(self, lane: Lane, model: str) -> None:
        """Refuse a model of unknown price where a ``max_cost`` has to be kept."""
        if self._max_cost is None or not model or not lane.journaled or model in lane.priced:
            return
        if not self._prices.knows(model):
            reason = UsageError(
                f"engine.max_cost is set, but the price of '{model}' is unknown, so the budget could not be kept. "
                "Add the model to a price file (0 for a model of your own), or remove engine.max_cost."
            )
            self.halt(reason)
            raise reason
        lane.priced.add(model)


def has_price(lane: Lane, request: Request) -> bool:
    """Return whether an answer of this lane is a model's, which costs something."""
    return lane.journaled and bool(request.model or lane.model)


def _refused(lane: Lane, error: UnauthorizedError) -> AuthenticationError:
    return AuthenticationError(
        f"The endpoint of '{lane.identity}' refused the key: {error}. Nothing more is asked; mend the key and run the "
        "same command to continue."
    )
