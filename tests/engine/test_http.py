"""The engine over real HTTP: our fake server fails in every way a real one does."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from llmkit.engine import Engine, Settings
from llmkit.engine.retry import FullJitter, RetryPolicy
from llmkit.errors import AuthenticationError, TransientError
from llmkit.providers.openai import Openai
from llmkit.testing import MemoryDict
from tests.engine.support import ask, collect
from tests.fakeserver import FakeServer

FLAKY = {"429": 0.08, "500": 0.05, "drop": 0.05, "truncated": 0.04, "malformed": 0.04, "empty": 0.04, "hang": 0.01}


def impatient(engine: Engine) -> Engine:
    """Wait for hundredths of a second where a user's engine waits for seconds."""
    engine._sender._policy = RetryPolicy(engine.settings.max_retries, wait=FullJitter(0.01, 0.05))
    return engine


def run(server: FakeServer, engine: Engine, texts: Any) -> list[Any]:
    async def main() -> list[Any]:
        provider = Openai(model="gpt-4o-mini", base_url=server.base_url)
        try:
            return await collect(engine, engine.lane(provider, "fake"), texts)
        finally:
            await provider.aclose()

    return asyncio.run(main())


def test_every_fault_is_overcome_and_nothing_finished_is_asked_again() -> None:
    journal = MemoryDict()
    settings = Settings(max_concurrency=16, timeout=1.0, max_retries=30)
    with FakeServer(faults=FLAKY, seed=3, latency=0.005) as server:
        engine = impatient(Engine(settings, journal=journal))
        results = run(server, engine, range(200))
        assert [number for number, _ in results] == list(range(200))
        statuses = Counter(status for _, _, status in server.log())
        assert statuses[429] == engine.usage.rate_limited > 0
        assert statuses[500] > 0
        sent = server.stats()["total"]
        assert sent == engine.usage.sent > 200
        again = Engine(settings, journal=journal)
        assert run(server, again, range(200)) == results
        assert server.stats()["total"] == sent
    assert again.usage.from_journal == 200
    assert again.usage.cost == pytest.approx(engine.usage.cost)
    assert engine.usage.cost > 0


@pytest.mark.parametrize(
    ("fault", "kind"), [("empty", "empty"), ("malformed", "malformed"), ("truncated", "malformed"), ("hang", "timeout")]
)
def test_what_never_gets_better_ends_as_a_failure_and_is_not_remembered(fault: str, kind: str) -> None:
    journal, cache = MemoryDict(), MemoryDict()
    with FakeServer(faults={fault: 1.0}) as server:
        engine = impatient(Engine(Settings(timeout=0.2, max_retries=2), journal=journal, cache=cache))

        async def main() -> None:
            provider = Openai(model="m", base_url=server.base_url)
            try:
                await engine.call(engine.lane(provider, "fake"), ask("x"))
            finally:
                await provider.aclose()

        with pytest.raises(TransientError) as caught:
            asyncio.run(main())
        assert server.stats()["total"] == 3
    assert caught.value.attempts == 3
    assert caught.value.kind in {kind, "connection"}
    assert all("/wasted/" in name for name in journal.rows)
    assert not cache.rows


def test_a_wrong_key_ends_the_run_in_one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMKIT_TEST_KEY", "wrong-key-value")
    with FakeServer(api_key="right") as server:

        async def main(engine: Engine) -> None:
            provider = Openai(model="m", base_url=server.base_url, api_key_env="LLMKIT_TEST_KEY")
            try:
                await collect(engine, engine.lane(provider, "fake"), range(100))
            finally:
                await provider.aclose()

        with pytest.raises(AuthenticationError) as caught:
            asyncio.run(main(Engine(Settings(max_concurrency=4))))
        assert server.stats()["total"] <= 4
    assert "wrong-key-value" not in str(caught.value)
