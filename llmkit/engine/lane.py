"""One provider, as the engine sees it: how to ask it, and how fast."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from llmkit.engine.estimate import Experience
from llmkit.engine.limits import AdaptiveConcurrency, RequestPacer, TokenPacer
from llmkit.engine.settings import Settings
from llmkit.protocols import Provider

if TYPE_CHECKING:
    from llmkit.engine.gate import Ticket


class Lane:
    """A provider with its own limiter. Made by `llmkit.engine.Engine.lane`.

    Attributes:
        provider: The provider.
        identity: What makes it answer as it does; the first part of every content key.
        model: The provider's model, for prices; empty where it has none.
        answer: The longest answer the provider allows, in tokens; None where it does not say.
        answers: Answers it asks for with each request.
        active: Attempts in flight.
        paused_until: Nothing starts before this time, because the server said so.
        reached: Whether the server has ever replied, if only with an error.
        lost: Requests given up in a row without any reply in between.
    """

    __slots__ = (
        "active",
        "answer",
        "answers",
        "cacheable",
        "complete",
        "concurrency",
        "experience",
        "identity",
        "journaled",
        "lost",
        "model",
        "paused_until",
        "priced",
        "provider",
        "reached",
        "requests",
        "tokens",
        "waiting",
    )

    def __init__(self, provider: Provider, identity: str, settings: Settings) -> None:
        self.provider = provider
        self.identity = identity
        self.complete = provider.complete
        self.cacheable = bool(getattr(provider, "cacheable", False))
        self.journaled = bool(getattr(provider, "journaled", True))
        self.model = str(getattr(provider, "model", "") or "")
        self.answer = _positive(provider, "max_completion_tokens") or _positive(provider, "max_tokens")
        self.answers = _positive(provider, "n") or 1
        self.priced: set[str] = set()
        self.active = 0
        self.reached = False
        self.lost = 0
        self.paused_until = float("-inf")
        self.concurrency = AdaptiveConcurrency(settings.max_concurrency)
        self.requests = RequestPacer(settings.requests_per_minute) if settings.requests_per_minute else None
        self.tokens = TokenPacer(settings.tokens_per_minute) if settings.tokens_per_minute else None
        self.experience = Experience()
        self.waiting: deque[Ticket] = deque()

    def ready_at(self, now: float, tokens: float) -> float:
        """Return when an attempt of ``tokens`` may start, as far as time is concerned."""
        at = self.paused_until
        if self.requests is not None:
            at = max(at, self.requests.ready_at())
        if self.tokens is not None:
            at = max(at, self.tokens.ready_at(now, tokens))
        return at

    def take(self, now: float, tokens: float) -> None:
        """Count an attempt that starts."""
        self.active += 1
        if self.requests is not None:
            self.requests.take(now)
        if self.tokens is not None:
            self.tokens.take(now, tokens)


def _positive(provider: Provider, name: str) -> int | None:
    value = getattr(provider, name, None)
    return value if isinstance(value, int) and value > 0 else None
