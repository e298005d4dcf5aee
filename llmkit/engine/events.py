"""What happens while the engine works, for whoever draws a progress bar or keeps a log.

The engine prints nothing. It hands these to ``Engine(observe=...)``, on the event loop's thread, so an observer
must be quick. ``lane`` is the identity the lane was made with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmkit.errors import LlmkitError, RequestError
from llmkit.types import Response


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened. Flows add their own kinds."""


@dataclass(frozen=True, slots=True)
class Sent(Event):
    """An attempt (counted from 1) was handed to the provider."""

    lane: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """The provider answered; the response carries its cost and its number of attempts."""

    lane: str
    response: Response


@dataclass(frozen=True, slots=True)
class Reused(Event):
    """A request was answered without asking."""

    lane: str
    source: Literal["journal", "cache", "flight"]


@dataclass(frozen=True, slots=True)
class Retried(Event):
    """An attempt failed and another follows, ``delay`` seconds from now at the earliest."""

    lane: str
    error: RequestError
    attempt: int
    delay: float


@dataclass(frozen=True, slots=True)
class SlowedDown(Event):
    """The server answered 429: at most ``limit`` requests at a time, and none for ``pause`` seconds."""

    lane: str
    limit: int
    pause: float


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """A request was given up; the error says after how many attempts."""

    lane: str
    error: RequestError


@dataclass(frozen=True, slots=True)
class Stopped(Event):
    """Nothing more is sent: the user stopped the run, the budget is used up, or the key was refused."""

    reason: LlmkitError
