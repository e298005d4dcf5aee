"""Providers that answer from a script, or fail as often as they are told to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from llmkit.errors import PermanentError, RateLimitedError, TransientError
from llmkit.hashing import request_key
from llmkit.protocols import Clock
from llmkit.types import Request, Response

Reply: TypeAlias = str | Response | Exception
"""What a fake says: a text, a whole response, or an exception that it raises."""


class ScriptedProvider:
    """Answers from a list, one reply after the other, or by a function of the request.

    Args:
        replies: Replies in the order requests come, or a function that is given each request.
        latency: Seconds each answer takes, or a function of the request.
        clock: Sleeps the latency; real time by default.
        model: The provider's model, for prices.
        cacheable: As in `llmkit.protocols.Provider`.
        journaled: As in `llmkit.protocols.Provider`.

    Attributes:
        requests: Every request it was sent, in order.
        answered: Those it answered.
        active: Requests it holds now.
        peak: The most it ever held.
        closed: How often ``aclose`` was called.
    """

    def __init__(
        self,
        replies: Iterable[Reply] | Callable[[Request], Reply],
        *,
        latency: float | Callable[[Request], float] = 0.0,
        clock: Clock | None = None,
        model: str = "",
        cacheable: bool = False,
        journaled: bool = True,
    ) -> None:
        self._function: Callable[[Request], Reply] | None = replies if callable(replies) else None
        self._replies: Iterator[Reply] = iter(()) if callable(replies) else iter(replies)
        self._latency = latency
        self._clock = clock
        self.model = model
        self.cacheable = cacheable
        self.journaled = journaled
        self.requests: list[Request] = []
        self.answered: list[Request] = []
        self.active = 0
        self.peak = 0
        self.closed = 0

    async def complete(self, request: Request) -> Response:
        """Return or raise the next reply."""
        self.requests.append(request)
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            reply = self._reply(request)
            seconds = self._latency(request) if callable(self._latency) else self._latency
            if seconds > 0:
                await (self._clock.sleep(seconds) if self._clock is not None else asyncio.sleep(seconds))
        finally:
            self.active -= 1
        if isinstance(reply, Exception):
            raise reply
        self.answered.append(request)
        return Response(text=reply) if isinstance(reply, str) else reply

    async def aclose(self) -> None:
        """Count the call."""
        self.closed += 1

    def _reply(self, request: Request) -> Reply:
        if self._function is not None:
            return self._function(request)
        try:
            return next(self._replies)
        except StopIteration:
            message = f"the script has no reply left for request {len(self.requests)}"
            raise PermanentError(message, kind="script_end") from None


class FlakyProvider:
    """Puts seeded faults in front of another provider.

    Whether an attempt fails depends only on the seed, the request and how often it was asked before: not on the
    order in which requests come. So two runs see the same faults whatever their concurrency.

    Args:
        inner: Who answers when nothing fails.
        rate_limited: Share of attempts answered 429.
        retry_after: The Retry-After of those, in seconds; None sends none.
        server_error: Share answered 500.
        hanging: Share never answered; only a timeout ends them.
        empty: Share answered with nothing, as providers report it.
        seed: Of the faults.
        clock: Sleeps for the hanging ones; real time by default.

    Attributes:
        faults: What happened to each attempt, in order: ``ok``, ``rate_limited``, ``http_500``, ``hanging``, ``empty``.
    """

    def __init__(
        self,
        inner: Any,
        *,
        rate_limited: float = 0.0,
        retry_after: float | None = 1.0,
        server_error: float = 0.0,
        hanging: float = 0.0,
        empty: float = 0.0,
        seed: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self._inner = inner
        self._shares = (
            ("rate_limited", rate_limited),
            ("http_500", server_error),
            ("hanging", hanging),
            ("empty", empty),
        )
        self._retry_after = retry_after
        self._seed = seed
        self._clock = clock
        self._asked: dict[str, int] = {}
        self.model: str = getattr(inner, "model", "")
        self.cacheable: bool = getattr(inner, "cacheable", False)
        self.journaled: bool = getattr(inner, "journaled", True)
        self.faults: list[str] = []

    async def complete(self, request: Request) -> Response:
        """Fail as the seed says, or return the inner provider's answer."""
        fault = self._fault(request)
        self.faults.append(fault)
        if fault == "rate_limited":
            raise RateLimitedError("too many requests", kind=fault, status=429, retry_after=self._retry_after)
        if fault == "http_500":
            raise TransientError("internal server error", kind=fault, status=500)
        if fault == "empty":
            raise TransientError("the answer is empty", kind=fault)
        while fault == "hanging":
            await (self._clock.sleep(3600.0) if self._clock is not None else asyncio.sleep(3600.0))
        response: Response = await self._inner.complete(request)
        return response

    async def aclose(self) -> None:
        """Close the inner provider."""
        await self._inner.aclose()

    def _fault(self, request: Request) -> str:
        key = request_key("", request)
        asked = self._asked.get(key, 0)
        self._asked[key] = asked + 1
        draw = random.Random(f"{self._seed}:{key}:{asked}").random()  # noqa: S311 - faults need no secrets
        for fault, share in self._shares:
            if draw < share:
                return fault
            draw -= share
        return "ok"
