"""How fast one provider may be asked: requests and tokens a minute, and how many at a time.

Each limit answers ``ready_at`` and is told ``take``; none of them sleeps.
"""

from __future__ import annotations

_MINUTE = 60.0


class RequestPacer:
    """At most ``per_minute`` starts in any 60 seconds, as a generic cell rate algorithm (ITU-T I.371).

    With burst b and rate r, any closed window of 60 s sees at most floor(b + 60 r) starts. Starts are whole, so
    b + 60 r may be anything under ``per_minute + 1``; the percent left over keeps the law true when the machine
    starts a request a little later than it was allowed.
    """

    __slots__ = ("_arrival", "_interval", "_tolerance")

    def __init__(self, per_minute: int) -> None:
        burst = max(1.0, 0.05 * per_minute)
        self._interval = _MINUTE / (0.99 * per_minute + 0.9 - burst)
        self._tolerance = (burst - 1.0) * self._interval
        self._arrival = float("-inf")

    def ready_at(self) -> float:
        """Return the earliest time of the next start."""
        return self._arrival - self._tolerance

    def take(self, now: float) -> None:
        """Count a start."""
        self._arrival = max(self._arrival, now) + self._interval


class TokenPacer:
    """A bucket of a tenth of ``per_minute`` tokens that refills so that 60 seconds see at most ``per_minute``.

    What is taken is an estimate; ``correct`` puts the truth right afterwards and may leave a debt, which is
    waited out. A request larger than the bucket starts when the bucket is full, and leaves the rest as a debt.
    """

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, per_minute: int) -> None:
        self._burst = max(1.0, 0.1 * per_minute)
        self._rate = max(per_minute - self._burst, 0.5 * per_minute) / _MINUTE
        self._level = self._burst
        self._at = float("-inf")

    def ready_at(self, now: float, tokens: float) -> float:
        """Return the earliest time at which ``tokens`` may start."""
        self._refill(now)
        missing = min(tokens, self._burst) - self._level
        return now if missing <= 1e-6 else now + missing / self._rate  # noqa: PLR2004 - a rounding error of floats

    def take(self, now: float, tokens: float) -> None:
        """Count a start."""
        self._refill(now)
        self._level -= tokens

    def correct(self, estimated: float, actual: float) -> None:
        """Replace the estimate of a finished request by what it used."""
        self._level = min(self._burst, self._level + estimated - actual)

    def _refill(self, now: float) -> None:
        if now > self._at:
            if self._at > float("-inf"):
                self._level = min(self._burst, self._level + (now - self._at) * self._rate)
            self._at = now


class AdaptiveConcurrency:
    """How many requests at a time a server bears: additive increase, multiplicative decrease.

    A 429 halves the limit, but only once a round trip: an answer to a request that started before the last cut
    says nothing about the new limit. One full round of successes raises it by one (Chiu & Jain 1989).
    """

    __slots__ = ("_ceiling", "_cut_at", "_successes", "limit")

    def __init__(self, ceiling: int) -> None:
        self.limit = self._ceiling = ceiling
        self._cut_at = float("-inf")
        self._successes = 0

    def succeeded(self) -> None:
        """Count an answer."""
        if self.limit < self._ceiling:
            self._successes += 1
            if self._successes >= self.limit:
                self.limit += 1
                self._successes = 0

    def limited(self, started: float, now: float) -> bool:
        """Count a 429 to an attempt that started at ``started``; True when the limit was cut for it."""
        if started <= self._cut_at:
            return False
        self.limit = max(1, self.limit // 2)
        self._cut_at = now
        self._successes = 0
        return True
