"""When to ask again: small values that decide, and never sleep themselves."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from llmkit.errors import RateLimitedError, TransientError


@dataclass(frozen=True, slots=True)
class FullJitter:
    """Exponential backoff with full jitter: uniform between 0 and ``min(cap, base * 2**n)`` seconds.

    Of the schemes with the same mean, it spreads the retries of many clients best (M. Brooker, "Exponential
    Backoff And Jitter", AWS Architecture Blog, 2015).
    """

    base: float = 0.5
    cap: float = 30.0

    def delay(self, failures: int, rng: random.Random) -> float:
        """Return the seconds to wait after ``failures`` >= 1 failures."""
        return rng.uniform(0.0, min(self.cap, self.base * 2.0 ** min(failures - 1, 62)))


@dataclass(slots=True)
class History:
    """What one request has been through.

    Attributes:
        attempts: Attempts sent.
        faults: Transient failures other than 429.
        limited: Answers 429.
        limited_since: When the first 429 came.
    """

    attempts: int = 0
    faults: int = 0
    limited: int = 0
    limited_since: float = 0.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most ``max_retries`` after faults; answers 429 are waited out for ``patience`` seconds.

    A server's own wish (Retry-After) is never undercut; one that exceeds the patience ends the request at once, because
    waiting for less would be asking too early. After a 429 it replaces the backoff, with a little jitter so that not
    everybody comes back at the same moment.
    """

    max_retries: int = 5
    patience: float = 600.0
    wait: FullJitter = field(default_factory=FullJitter)

    def delay(self, history: History, error: TransientError, now: float, rng: random.Random) -> float | None:
        """Count ``error`` in ``history`` and return the seconds to wait, or None to give up."""
        wish = max(error.retry_after or 0.0, 0.0)
        if isinstance(error, RateLimitedError):
            history.limited += 1
            if history.limited == 1:
                history.limited_since = now
            delay = wish + self.wait.delay(1 if wish else history.limited, rng)
            return delay if now + delay - history.limited_since <= self.patience else None
        history.faults += 1
        if history.faults > self.max_retries or wish > self.patience:
            return None
        return max(wish, self.wait.delay(history.faults, rng))
