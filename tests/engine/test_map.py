"""Many at once: what comes out of `map` when things go wrong, and when nothing ever waits."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit.engine import Engine, Interrupted, Settings
from llmkit.errors import DataError, InfrastructureError, LlmkitError
from llmkit.testing import FakeClock, MemoryDict, ScriptedProvider
from llmkit.types import Request, Response
from tests.engine.support import ask, collect, echo, question


class Recorded:
    """A provider that answers at once and remembers nothing, as recorded outputs do."""

    journaled = False

    async def complete(self, request: Request) -> Response:
        return Response(text=str(request.messages[0]["content"]))

    async def aclose(self) -> None:
        pass


def test_nothing_in_nothing_out() -> None:
    clock = FakeClock()
    engine = Engine(clock=clock)
    assert clock.run(collect(engine, engine.lane(ScriptedProvider([]), "fake"), [])) == []


@settings(max_examples=50, deadline=None)
@given(at=st.integers(0, 30), concurrency=st.integers(1, 8))
def test_a_bug_in_the_function_surfaces_once_and_cancels_the_rest(at: int, concurrency: int) -> None:
    clock = FakeClock()
    engine = Engine(Settings(max_concurrency=concurrency), clock=clock)
    lane = engine.lane(ScriptedProvider(echo, latency=1.0, clock=clock), "fake")
    results: list[str] = []

    async def answer(number: int) -> str:
        text = await engine.converse(lane, question(number))
        if number == at:
            raise KeyError("bug")
        return text

    async def main() -> None:
        with pytest.raises(KeyError, match="bug"):
            async for result in engine.map(answer, range(40)):
                results.append(result)  # noqa: PERF401 - what came before the error must be kept
        assert asyncio.all_tasks() == {asyncio.current_task()}

    clock.run(main())
    assert results == [f"re: {number}" for number in range(len(results))]
    assert len(results) <= at


def test_a_bug_in_the_items_surfaces() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    clock = FakeClock()
    engine = Engine(clock=clock)
    with pytest.raises(ZeroDivisionError):
        clock.run(collect(engine, engine.lane(ScriptedProvider(echo), "fake"), items()))


def test_a_bad_row_lets_work_in_flight_finish() -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise DataError("set.jsonl:4: not JSON")

    clock = FakeClock()
    engine = Engine(Settings(max_concurrency=8), clock=clock)
    results: list[object] = []
    provider = ScriptedProvider(echo, latency=1.0, clock=clock)
    with pytest.raises(DataError, match="not JSON"):
        clock.run(collect(engine, engine.lane(provider, "fake"), items(), results))
    assert results == [(number, f"re: {number}") for number in range(3)]


def test_a_full_disk_stops_the_run() -> None:
    class Full(MemoryDict):
        def put(self, key: str, response: Response) -> None:
            raise InfrastructureError("No space left on device")

    clock = FakeClock()
    provider = ScriptedProvider(echo, latency=1.0, clock=clock)
    engine = Engine(Settings(max_concurrency=2), journal=Full(), clock=clock)
    with pytest.raises(InfrastructureError, match="No space left"):
        clock.run(collect(engine, engine.lane(provider, "fake"), range(100)))
    assert len(provider.requests) <= 4


def test_stop_finishes_what_is_in_flight_and_yields_it_even_behind_a_gap() -> None:
    clock = FakeClock()

    def dialogue(number: int) -> Iterator[list[Request]]:
        for step in range(3 if number == 0 else 1):
            yield [ask(f"{number}.{step}")]

    provider = ScriptedProvider(echo, latency=1.0, clock=clock)
    engine = Engine(Settings(max_concurrency=3), clock=clock)
    lane = engine.lane(provider, "fake")
    results: list[int] = []

    async def answer(number: int) -> int:
        await engine.converse(lane, dialogue(number))  # type: ignore[arg-type]
        return number

    async def main() -> None:
        async def interrupt() -> None:
            await clock.sleep(0.5)
            engine.stop()
            engine.stop()

        stopper = asyncio.create_task(interrupt())
        with pytest.raises(Interrupted, match="run the same command to continue"):
            async for result in engine.map(answer, range(50)):
                results.append(result)  # noqa: PERF401 - what came before the error must be kept
        await stopper

    clock.run(main())
    assert results == [1, 2]
    assert clock.now == 1.0
    assert len(provider.answered) == len(provider.requests) == 3


def test_stop_wakes_those_who_wait_for_a_retry_or_a_limit() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(echo, clock=clock)
    engine = Engine(Settings(max_concurrency=4, requests_per_minute=1), clock=clock)

    async def main() -> None:
        asyncio.get_running_loop().call_later(5.0, engine.stop)
        with pytest.raises(Interrupted):
            await collect(engine, engine.lane(provider, "fake"), range(50))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    clock.run(main())
    assert clock.now == 5.0
    assert len(provider.requests) == 1


def test_stop_when_everything_is_done_changes_nothing() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(echo, latency=1.0, clock=clock)
    engine = Engine(Settings(max_concurrency=8), clock=clock)

    async def main() -> list[object]:
        asyncio.get_running_loop().call_later(0.5, engine.stop)
        return await collect(engine, engine.lane(provider, "fake"), range(3))

    assert len(clock.run(main())) == 3
    with pytest.raises(LlmkitError):
        clock.run(collect(engine, engine.lane(provider, "fake"), range(1)))


def test_an_item_cancelled_from_outside_is_not_lost_in_silence() -> None:
    clock = FakeClock()
    engine = Engine(Settings(max_concurrency=2), clock=clock)

    async def answer(number: int) -> int:
        if number == 3:
            raise asyncio.CancelledError
        await clock.sleep(1.0)
        return number

    async def main() -> None:
        async for _ in engine.map(answer, range(9)):
            pass

    with pytest.raises(RuntimeError, match="cancelled from outside"):
        clock.run(main())


def test_leaving_early_leaks_no_tasks_and_no_slots() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(echo, latency=1.0, clock=clock)
    engine = Engine(Settings(max_concurrency=4), clock=clock)
    lane = engine.lane(provider, "fake")

    async def main() -> None:
        results = engine.map(lambda number: engine.call(lane, ask(number)), range(100))
        await anext(results)
        await results.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert provider.active == 0
        assert len(await collect(engine, lane, range(200, 208))) == 8

    clock.run(main())
    assert provider.peak == 4


def test_lanes_share_the_slots_and_none_starves() -> None:
    clock = FakeClock()
    target = ScriptedProvider(echo, latency=1.0, clock=clock)
    judge = ScriptedProvider(echo, latency=1.0, clock=clock)
    engine = Engine(Settings(max_concurrency=4), clock=clock)

    async def main() -> None:
        lanes = engine.lane(target, "target"), engine.lane(judge, "judge")
        both = (asyncio.gather(*(engine.call(lane, ask(number)) for number in range(40))) for lane in lanes)
        first = asyncio.gather(*both)
        await clock.sleep(10.0)
        assert min(len(target.requests), len(judge.requests)) >= 16
        await first

    clock.run(main())
    assert clock.now == 20.0


def test_a_free_lane_does_not_exceed_the_shared_slots() -> None:
    clock = FakeClock()
    servers = [ScriptedProvider(echo, latency=1.0, clock=clock) for _ in range(3)]
    engine = Engine(Settings(max_concurrency=2), clock=clock)

    async def main() -> None:
        lanes = [engine.lane(server, str(number)) for number, server in enumerate(servers)]
        await asyncio.gather(*(engine.call(lane, ask("x")) for lane in lanes))

    clock.run(main())
    assert clock.now == 2.0


def test_a_slot_granted_to_a_task_that_is_just_being_cancelled_is_given_back() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(echo, latency=1.0, clock=clock)
    engine = Engine(Settings(max_concurrency=1), clock=clock)

    async def main() -> None:
        lane = engine.lane(provider, "fake")
        waiting: list[asyncio.Task[Response]] = []

        async def first() -> None:
            await engine.call(lane, ask("first"))
            waiting[0].cancel()  # the slot is its own by now, but it has not run since

        leader = asyncio.create_task(first())
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(engine.call(lane, ask("second"))))
        await leader
        async with asyncio.timeout(5.0):
            await engine.call(lane, ask("third"))
        assert waiting[0].cancelled()

    clock.run(main())
    assert [request.messages[0]["content"] for request in provider.requests] == ["first", "third"]


def test_recorded_rows_stream_in_flat_memory() -> None:
    engine = Engine(Settings(max_concurrency=8))
    lane = engine.lane(Recorded(), "recorded")

    async def pass_over(count: int) -> int:
        seen = 0
        async for result in engine.map(lambda number: engine.converse(lane, question(number)), range(count)):
            assert result == str(seen)
            seen += 1
        return seen

    async def main() -> tuple[int, int]:
        await pass_over(2_000)
        tracemalloc.start()
        try:
            assert await pass_over(2_000) == 2_000
            small = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            assert await pass_over(20_000) == 20_000
            return small, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = asyncio.run(main())
    assert large <= 1.5 * small
