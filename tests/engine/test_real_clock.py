"""The same engine on real time, in tenths of a second."""

from __future__ import annotations

import asyncio
import time

import pytest

from llmkit.engine import Engine, Settings, SystemClock
from llmkit.errors import RateLimitedError, TransientError
from llmkit.testing import Reply, ScriptedProvider
from tests.engine.support import ask


def test_a_hanging_attempt_times_out() -> None:
    provider = ScriptedProvider(["late"], latency=600.0)
    engine = Engine(Settings(timeout=0.05, max_retries=0))
    with pytest.raises(TransientError, match=r"no answer within 0\.05 s"):
        asyncio.run(engine.call(engine.lane(provider, "fake"), ask("x")))
    assert provider.active == 0


def test_retry_after_is_honoured() -> None:
    started: list[float] = []
    script: list[Reply] = [RateLimitedError("slow", retry_after=0.1), "fine"]

    def reply(_: object) -> Reply:
        started.append(time.monotonic())
        return script.pop(0)

    engine = Engine(clock=SystemClock())
    response = asyncio.run(engine.call(engine.lane(ScriptedProvider(reply), "fake"), ask("x")))
    assert response.text == "fine"
    assert started[1] - started[0] >= 0.1
