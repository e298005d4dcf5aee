"""The fakes are public: they must do what they say."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from llmkit.errors import PermanentError, RateLimitedError, TransientError
from llmkit.protocols import Clock, Memory, Provider
from llmkit.testing import FakeClock, FlakyProvider, MemoryDict, ScriptedProvider
from llmkit.types import Request, Response


def ask(text: str) -> Request:
    return Request(messages=({"role": "user", "content": text},))


def test_time_passes_only_when_everybody_sleeps() -> None:
    clock = FakeClock(100.0)
    log: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        for _ in range(50):
            await asyncio.sleep(0)
        log.append((name, clock.monotonic()))

    async def main() -> str:
        await asyncio.gather(sleeper("long", 86_400.0 * 30), sleeper("short", 1.0), sleeper("none", 0.0))
        return "done"

    before = time.monotonic()
    assert clock.run(main()) == "done"
    assert log == [("none", 100.0), ("short", 101.0), ("long", pytest.approx(100.0 + 86_400.0 * 30))]
    assert time.monotonic() - before < 60.0


def test_asyncios_own_timeouts_are_virtual_too() -> None:
    clock = FakeClock()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600.0):
                await clock.sleep(7200.0)

    clock.run(main())
    assert clock.now == 3600.0


def test_the_clock_refuses_to_tick_in_a_foreign_loop() -> None:
    with pytest.raises(RuntimeError, match=r"clock\.run"):
        asyncio.run(FakeClock().sleep(1.0))


def test_a_deadlock_is_an_error_not_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmkit.testing.clock._STUCK", 0.01)

    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="deadlock"):
        FakeClock().run(main())


def test_threads_may_work_while_nobody_sleeps() -> None:
    async def main() -> int:
        return await asyncio.to_thread(lambda: 7)

    assert FakeClock().run(main()) == 7


def test_a_script_is_read_in_order_and_ends() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(["one", Response("two", tokens_in=3), ValueError("three")], clock=clock, latency=2.0)

    async def main() -> None:
        assert (await provider.complete(ask("a"))).text == "one"
        assert (await provider.complete(ask("b"))).tokens_in == 3
        with pytest.raises(ValueError, match="three"):
            await provider.complete(ask("c"))
        with pytest.raises(PermanentError, match="no reply left for request 4"):
            await provider.complete(ask("d"))
        await provider.aclose()

    clock.run(main())
    assert (clock.now, provider.closed, provider.peak, len(provider.answered)) == (6.0, 1, 1, 2)


def faults(order: list[str], seed: int) -> list[tuple[str, str]]:
    clock = FakeClock()
    provider = FlakyProvider(
        ScriptedProvider(lambda _: "fine"), rate_limited=0.2, retry_after=7.0, server_error=0.2, empty=0.2, seed=seed
    )
    seen = []

    async def main() -> None:
        for text in order:
            try:
                await provider.complete(ask(text))
                seen.append((text, "ok"))
            except RateLimitedError as error:
                seen.append((text, f"{error.kind} {error.status} {error.retry_after}"))
            except TransientError as error:
                seen.append((text, error.kind))
        assert [fault for _, fault in seen] == [f"{f} 429 7.0" if f == "rate_limited" else f for f in provider.faults]

    clock.run(main())
    return seen


def test_faults_depend_on_the_request_not_on_the_order() -> None:
    order = [str(number % 100) for number in range(400)]
    forwards, backwards = faults(order, 1), faults(order[::-1], 1)
    assert Counter(forwards) == Counter(backwards)
    assert Counter(forwards) != Counter(faults(order, 2))
    shares = Counter(fault for _, fault in forwards)
    assert all(50 < shares[fault] < 110 for fault in ("rate_limited 429 7.0", "http_500", "empty"))
    assert shares["ok"] > 120


def test_a_hanging_fault_ends_by_timeout_only() -> None:
    clock = FakeClock()
    provider = FlakyProvider(ScriptedProvider(["x"]), hanging=1.0, clock=clock)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(9000.0):
                await provider.complete(ask("x"))

    clock.run(main())
    assert clock.now == 9000.0


def test_the_memory_remembers() -> None:
    memory = MemoryDict()
    assert memory.get("a") is None
    memory.put("a", Response("x"))
    memory.flush()
    memory.close()
    assert memory.get("a") == Response("x")
    assert list(memory.keys()) == ["a"]
    assert (memory.flushes, memory.closed) == (1, True)


def test_the_fakes_fit_the_protocols() -> None:
    clock: Clock = FakeClock()
    memory: Memory = MemoryDict()
    provider: Provider = FlakyProvider(ScriptedProvider([]))
    assert isinstance(provider, Provider)
    assert clock.monotonic() == 0.0
    assert memory.get("") is None
