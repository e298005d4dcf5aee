"""One engine for every command that asks a model: concurrency, limits, retries, budget, resume."""

from __future__ import annotations

from llmkit.engine.clock import SystemClock
from llmkit.engine.engine import Engine
from llmkit.engine.estimate import ANSWER, Plan, estimate_tokens
from llmkit.engine.events import Answered, Event, Failed, Retried, Reused, Sent, SlowedDown, Stopped
from llmkit.engine.lane import Lane
from llmkit.engine.prices import Price, PriceBook
from llmkit.engine.settings import Settings
from llmkit.engine.usage import Usage
from llmkit.errors import Interrupted

__all__ = [
    "ANSWER",
    "Answered",
    "Engine",
    "Event",
    "Failed",
    "Interrupted",
    "Lane",
    "Plan",
    "Price",
    "PriceBook",
    "Retried",
    "Reused",
    "Sent",
    "Settings",
    "SlowedDown",
    "Stopped",
    "SystemClock",
    "Usage",
    "estimate_tokens",
]
