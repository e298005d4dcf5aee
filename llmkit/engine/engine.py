"""The engine: memory, sharing, budget, limits, retries and price around a provider that does none of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Literal, TypeVar

from llmkit.engine.clock import SystemClock
from llmkit.engine.estimate import Plan, estimate_tokens
from llmkit.engine.events import Event, Reused
from llmkit.engine.lane import Lane
from llmkit.engine.ordered import Ordered
from llmkit.engine.prices import PriceBook
from llmkit.engine.recall import Recall
from llmkit.engine.sender import Sender, has_price
from llmkit.engine.settings import Settings
from llmkit.engine.usage import Usage
from llmkit.errors import Interrupted, LlmkitError, PermanentError, RequestError
from llmkit.hashing import request_key
from llmkit.protocols import Clock, Dialogue, Memory, Provider
from llmkit.types import Request, Response

I = TypeVar("I")  # noqa: E741 - items
R = TypeVar("R")
T = TypeVar("T")

_LEAST_WINDOW = 256
_WINDOW_PER_WORKER = 64


class Engine:
    """Sends requests for everyone: evals, judges, guards, indexing, cache warming.

    One engine serves one run in one event loop. Concurrency and budget are shared by all its lanes; rate limits are
    each lane's own.

    Args:
        settings: Limits; see `Settings`.
        journal: Answers this run has paid for. Its method ``keys()``, if it has one, lets what the run spent before it
            was interrupted count against the budget from the start.
        cache: Answers of earlier runs, for providers that are ``cacheable``.
        refresh: Ask anew although the cache knows, and overwrite it.
        prices: Prices of models; the packaged ones by default.
        clock: Real time by default.
        seed: Of the jitter.
        observe: Called with each `Event`.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        journal: Memory | None = None,
        cache: Memory | None = None,
        refresh: bool = False,
        prices: PriceBook | None = None,
        clock: Clock | None = None,
        seed: int = 0,
        observe: Callable[[Event], None] | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.usage = Usage()
        self._observe = observe
        self._prices = prices or PriceBook.load()
        self._recall = Recall(journal, cache, refresh=refresh)
        self._sender = Sender(
            self.settings, self.usage, prices=self._prices, clock=clock or SystemClock(), seed=seed, observe=observe
        )
        self._flights: dict[str, asyncio.Future[Response | Exception | None]] = {}
        self._unsized: set[str] = set()  # paid before, and nobody said how many tokens: the request gives an estimate
        self._count_paid()

    @property
    def halted(self) -> LlmkitError | None:
        """Why nothing more is sent, or None."""
        return self._sender.gate.halted

    def lane(self, provider: Provider, identity: str) -> Lane:
        """Return the lane of a provider; one for each provider, made once.

        Args:
            provider: Who answers.
            identity: What makes it answer as it does (its canonical spec and endpoint); part of every content key.

        Raises:
            UsageError: there is a ``max_cost`` and the price of the provider's model is unknown.
        """
        lane = Lane(provider, identity, self.settings)
        self._sender.require_price(lane, lane.model)
        self._sender.gate.add(lane)
        return lane

    async def call(self, lane: Lane, request: Request) -> Response:
        """Return the answer to one request: remembered, shared with an identical one in flight, or asked for.

        Raises:
            RequestError: it failed for good; ``attempts`` says how often it was sent.
            LlmkitError: the run was halted (interrupted, budget, refused key).
        """
        if not (lane.journaled or lane.cacheable):
            return await self._sender.send(lane, request)
        key = request_key(lane.identity, request)
        while True:
            known = self._recall.get(lane, key)
            if known is not None:
                if key in self._unsized:
                    self._unsized.remove(key)
                    self._sender.spend_estimate(lane, request, known[1])
                return self._reused(lane, *known)
            flight = self._flights.get(key)
            if flight is None:
                return await self._lead(lane, request, key)
            outcome = await asyncio.shield(flight)
            if isinstance(outcome, Response):
                return self._reused(lane, "flight", outcome)
            if outcome is not None:
                raise outcome

    async def converse(self, lane: Lane | Callable[[Request], Lane], dialogue: Dialogue[T]) -> T:
        """Drive a dialogue to its end and return its result.

        ``lane`` is who answers, or a function that says so for each request. The requests of one list are sent at the
        same time, as far as the limits allow. When some fail, the error of the first in the list is thrown into the
        dialogue, which may catch it and go on.
        """
        try:
            requests = next(dialogue)
            while True:
                try:
                    if len(requests) == 1:
                        responses = [
                            await self.call(lane if isinstance(lane, Lane) else lane(requests[0]), requests[0])
                        ]
                    else:
                        responses = await self._together(lane, requests)
                except RequestError as error:
                    requests = dialogue.throw(error)
                else:
                    requests = dialogue.send(responses)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            dialogue.close()

    def map(self, function: Callable[[I], Awaitable[R]], items: Iterable[I]) -> AsyncGenerator[R, None]:
        """Yield ``await function(item)`` for each item, in item order, ``max_concurrency`` items at a time.

        Items are pulled when there is a worker for them and never far ahead of what was yielded, so they may be a
        generator without end. When the engine is halted, work in flight finishes, everything finished is yielded (in
        order; with gaps where an item could not finish), and the reason is raised.

        Raises:
            Interrupted: after `stop`.
            BudgetError: the budget stop was reached.
            AuthenticationError: a provider refused the key.
            Exception: whatever ``function`` or ``items`` raised, once.
        """
        workers = self.settings.max_concurrency
        window = max(_LEAST_WINDOW, _WINDOW_PER_WORKER * workers)
        ordered = Ordered(
            function,
            items,
            workers=workers,
            window=window,
            halted=lambda: self._sender.gate.halted,
            halt=self._sender.halt,
        )
        return ordered.results()

    def stop(self) -> None:
        """Pull no more, send no more, let what is in flight finish. Call it on the event loop's thread."""
        self._sender.halt(Interrupted("Interrupted. What is finished is kept; run the same command to continue."))

    def remembered(self, lane: Lane, request: Request) -> Response | None:
        """Return the answer that journal or cache know, or None. Sends nothing and counts nothing."""
        known = self._recall.get(lane, request_key(lane.identity, request))
        return None if known is None else known[1]

    def plan(self, lane: Lane, requests: Iterable[Request]) -> Plan:
        """Return what these requests would take. Sends nothing."""
        counts = {"sent": 0, "cache": 0, "journal": 0, "flight": 0}
        tokens_in = tokens_out = 0
        cost: float | None = 0.0
        seen: set[str] = set()
        for request in requests:
            key = request_key(lane.identity, request)
            known = self._recall.get(lane, key)
            if known is not None or key in seen:
                counts[known[0] if known is not None else "flight"] += 1
                continue
            seen.add(key)
            counts["sent"] += 1
            size = estimate_tokens(request, lane.answer, lane.answers)
            tokens_in += size[0]
            tokens_out += size[1]
            if has_price(lane, request):
                price = self._prices.cost(request.model or lane.model, *size)
                cost = None if cost is None or price is None else cost + price
        return Plan(counts["sent"], counts["cache"], counts["journal"], counts["flight"], tokens_in, tokens_out, cost)

    def _count_paid(self) -> None:
        usage, budget = self.usage, self._sender.budget
        for key, response in self._recall.paid():
            tokens_in, tokens_out = response.tokens_in, response.tokens_out
            known = tokens_in is not None and tokens_out is not None
            usage.tokens_in += tokens_in or 0
            usage.tokens_out += tokens_out or 0
            usage.cost += response.cost or 0.0
            budget.requests += response.attempts
            budget.spend((tokens_in or 0) + (tokens_out or 0) if known else 0, response.cost or 0.0)
            if budget.limited and not known and response.attempts:
                self._unsized.add(key)

    def _reused(self, lane: Lane, source: Literal["journal", "cache", "flight"], response: Response) -> Response:
        if source == "journal":
            self.usage.from_journal += 1
        elif source == "cache":
            self.usage.from_cache += 1
        else:
            self.usage.shared += 1
        if self._observe is not None:
            self._observe(Reused(lane.identity, source))
        return response

    async def _lead(self, lane: Lane, request: Request, key: str) -> Response:
        """Ask, and tell everyone who waits for the same key; when cancelled, one of them takes over."""
        flight: asyncio.Future[Response | Exception | None] = asyncio.get_running_loop().create_future()
        self._flights[key] = flight
        outcome: Response | Exception | None = None
        try:
            outcome = await self._sender.send(lane, request, lambda paid: self._recall.put_wasted(lane, key, paid))
            try:
                self._recall.put(lane, key, outcome)
            except ValueError as error:
                raise PermanentError(f"the answer cannot be recorded: {error}", kind="malformed") from error
        except Exception as error:
            outcome = error
            raise
        else:
            return outcome
        finally:
            del self._flights[key]
            flight.set_result(outcome)

    async def _together(self, lane: Lane | Callable[[Request], Lane], requests: list[Request]) -> list[Response]:
        calls = [self.call(lane if isinstance(lane, Lane) else lane(request), request) for request in requests]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if errors:
            raise next((error for error in errors if not isinstance(error, RequestError)), errors[0])
        return [outcome for outcome in outcomes if isinstance(outcome, Response)]
