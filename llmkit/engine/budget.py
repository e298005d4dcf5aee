"""The budget stop: what a run may spend in money, tokens and requests."""

from __future__ import annotations

from typing import Literal

from llmkit.engine.settings import Settings
from llmkit.errors import BudgetError

Decision = Literal["go", "wait", "stop"]


class Budget:
    """Reserves an estimate before each attempt, and counts the truth after it.

    An attempt starts only while what is spent and what is reserved for attempts in flight leave room for it. So
    the run spends at most the limit and the difference between truth and estimate of what was in flight. Where
    only reservations stand in the way, the attempt waits for them: estimates are usually too high.
    """

    def __init__(self, settings: Settings) -> None:
        self._max_cost = settings.max_cost
        self._max_tokens = settings.max_tokens
        self._max_requests = settings.max_requests
        self.limited = any(limit is not None for limit in (self._max_cost, self._max_tokens, self._max_requests))
        self.requests = 0
        self.tokens = 0.0
        self.cost = 0.0
        self._tokens_reserved = 0.0
        self._cost_reserved = 0.0
        self._in_flight = 0

    def decide(self, tokens: float, cost: float) -> Decision:
        """Return whether an attempt of this estimated size may start."""
        if self._max_requests is not None and self.requests >= self._max_requests:
            return "stop"
        decision: Decision = "go"
        for limit, spent, reserved, size in (
            (self._max_cost, self.cost, self._cost_reserved, cost),
            (self._max_tokens, self.tokens, self._tokens_reserved, tokens),
        ):
            if limit is not None and spent + reserved + size > limit:
                if spent >= limit or not self._in_flight:
                    return "stop"
                decision = "wait"
        return decision

    def reserve(self, tokens: float, cost: float) -> None:
        """Count an attempt that starts."""
        self._in_flight += 1
        self.requests += 1
        self._tokens_reserved += tokens
        self._cost_reserved += cost

    def release(self, tokens: float, cost: float) -> None:
        """Give back the reservation of an attempt that ended."""
        self._in_flight -= 1
        if not self._in_flight:
            self._tokens_reserved = self._cost_reserved = 0.0
            return
        self._tokens_reserved -= tokens
        self._cost_reserved -= cost

    def spend(self, tokens: float, cost: float) -> None:
        """Count what an answer took."""
        self.tokens += tokens
        self.cost += cost

    def error(self, tokens: float, cost: float) -> BudgetError:
        """Return the sentence that names the limit in the way of an attempt of this size."""
        if self._max_requests is not None and self.requests >= self._max_requests:
            key, limit, spent, more = "max_requests", f"{self._max_requests:,}", f"{self.requests:,} sent", ""
        elif self._max_cost is not None and self.cost + cost > self._max_cost:
            key, limit, spent = "max_cost", f"${self._max_cost:.2f}", f"${self.cost:.4f} spent"
            more = f", and the next request is estimated at ${cost:.4f}"
        else:
            key, limit, spent = "max_tokens", f"{self._max_tokens:,}", f"{self.tokens:,.0f} used"
            more = f", and the next request is estimated at {tokens:,.0f}"
        return BudgetError(
            f"The budget stop was reached: {key} is {limit}, {spent}{more}. Nothing more is asked and what is "
            f"finished is kept; raise engine.{key} and run the same command to continue."
        )
