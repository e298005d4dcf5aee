"""What must hold whatever the latencies, faults and interruptions; in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit.engine import Engine, Interrupted, Settings
from llmkit.errors import BudgetError, RateLimitedError
from llmkit.testing import FakeClock, FlakyProvider, MemoryDict, ScriptedProvider
from llmkit.types import Request, Response
from tests.engine.support import ask, asked, collect, echo, most_in_any_window, question, varied

few = settings(max_examples=100, deadline=None)
seeds = st.integers(0, 10_000)


@few
@given(
    texts=st.lists(st.integers(0, 12), max_size=60),
    concurrency=st.integers(1, 9),
    seed=seeds,
)
def test_each_key_is_sent_once_and_order_is_kept(texts: list[int], concurrency: int, seed: int) -> None:
    clock = FakeClock()
    provider = ScriptedProvider(echo, latency=varied(seed), clock=clock)
    engine = Engine(Settings(max_concurrency=concurrency), journal=MemoryDict(), clock=clock)
    results = clock.run(collect(engine, engine.lane(provider, "fake"), texts))
    assert results == [(text, f"re: {text}") for text in texts]
    assert Counter(map(asked, provider.requests)) == Counter(map(str, set(texts)))
    assert provider.peak <= concurrency
    assert engine.usage.answered == len(set(texts))
    assert engine.usage.answered + engine.usage.shared + engine.usage.from_journal == len(texts)


@few
@given(seed=seeds, concurrency=st.integers(1, 9), rates=st.tuples(*[st.sampled_from([0.0, 0.1, 0.2])] * 4))
def test_faults_change_nothing_but_time(seed: int, concurrency: int, rates: tuple[float, float, float, float]) -> None:
    clock = FakeClock()
    inner = ScriptedProvider(echo, latency=varied(seed), clock=clock)
    limited, broken, hanging, empty = rates
    provider = FlakyProvider(
        inner,
        rate_limited=limited,
        retry_after=3.0,
        server_error=broken,
        hanging=hanging,
        empty=empty,
        seed=seed,
        clock=clock,
    )
    engine = Engine(
        Settings(max_concurrency=concurrency, max_retries=30, patience=1e6),
        journal=MemoryDict(),
        clock=clock,
        seed=seed,
    )
    results = clock.run(collect(engine, engine.lane(provider, "fake"), range(40)))
    assert results == [(text, f"re: {text}") for text in range(40)]
    assert Counter(map(asked, inner.answered)) == Counter(map(str, range(40)))
    assert engine.usage.sent == len(provider.faults)
    assert engine.usage.retries == sum(fault != "ok" for fault in provider.faults)


@few
@given(
    per_minute=st.integers(1, 400),
    count=st.integers(1, 300),
    concurrency=st.integers(1, 50),
    latency=st.sampled_from([0.0, 0.3, 7.0]),
)
def test_no_window_of_a_minute_sees_more_than_the_limit(
    per_minute: int, count: int, concurrency: int, latency: float
) -> None:
    clock = FakeClock()
    starts: list[float] = []

    def reply(request: Request) -> Response:
        starts.append(clock.now)
        return echo(request)

    provider = ScriptedProvider(reply, latency=latency, clock=clock)
    engine = Engine(
        Settings(max_concurrency=concurrency, requests_per_minute=per_minute, timeout=None),
        clock=clock,
    )
    clock.run(collect(engine, engine.lane(provider, "fake"), range(count)))
    assert len(starts) == count
    assert most_in_any_window(starts, 60.0) <= per_minute
    if latency == 0.0:  # and the limit is used, not merely kept: at least 88 % of the steady rate
        assert starts[-1] <= (count / (0.88 * per_minute) + 1) * 60


@few
@given(per_minute=st.integers(300, 3000), count=st.integers(1, 120), sizes=st.lists(st.integers(1, 25), min_size=1))
def test_no_window_of_a_minute_uses_more_tokens_than_the_limit(per_minute: int, count: int, sizes: list[int]) -> None:
    clock = FakeClock()
    used: list[tuple[float, int]] = []

    def reply(request: Request) -> Response:
        size = sizes[int(asked(request)) % len(sizes)]
        used.append((clock.now, size + 5))
        return Response(text="x", tokens_in=5, tokens_out=size)

    provider = ScriptedProvider(reply, clock=clock)
    engine = Engine(Settings(max_concurrency=1, tokens_per_minute=per_minute, timeout=None), clock=clock)

    async def main() -> None:
        lane = engine.lane(provider, "fake")
        for number in range(count):
            await engine.call(lane, ask(number, max_tokens=25))

    clock.run(main())
    for start, _ in used:
        window = sum(size for time, size in used if start <= time < start + 60)
        assert window <= per_minute + 30  # one request's own error of estimation


@few
@given(seed=seeds, wish=st.floats(0.01, 90), share=st.sampled_from([0.05, 0.3]), concurrency=st.integers(1, 16))
def test_nothing_starts_before_retry_after_has_passed(seed: int, wish: float, share: float, concurrency: int) -> None:
    clock = FakeClock()
    attempts: list[float] = []
    forbidden: list[tuple[float, float]] = []
    too_early: list[float] = []
    script = FlakyProvider(ScriptedProvider(echo), rate_limited=share, retry_after=wish, seed=seed)

    class Server:
        async def complete(self, request: Request) -> Response:
            if any(said < clock.now < until for said, until in forbidden):
                too_early.append(clock.now)
            attempts.append(clock.now)
            await clock.sleep(0.2)
            try:
                return await script.complete(request)
            except RateLimitedError:
                forbidden.append((clock.now, clock.now + wish))
                raise

        async def aclose(self) -> None:
            await script.aclose()

    engine = Engine(Settings(max_concurrency=concurrency, patience=1e9), clock=clock, seed=seed)
    clock.run(collect(engine, engine.lane(Server(), "fake"), range(60)))
    assert not too_early
    assert len(attempts) == 60 + engine.usage.rate_limited


@few
@given(seed=seeds, concurrency=st.integers(1, 8), at=st.floats(0.0, 20.0), hard=st.booleans())
def test_resume_equals_an_uninterrupted_run(seed: int, concurrency: int, at: float, hard: bool) -> None:
    def run(journal: MemoryDict, inner: ScriptedProvider, clock: FakeClock, stop_at: float | None) -> list[Any]:
        provider = FlakyProvider(inner, server_error=0.2, rate_limited=0.1, seed=seed, clock=clock)
        engine = Engine(Settings(max_concurrency=concurrency, max_retries=50), journal=journal, clock=clock, seed=seed)
        results: list[Any] = []

        async def main() -> None:
            lane = engine.lane(provider, "fake")
            work = asyncio.create_task(collect(engine, lane, range(40), results, lambda number: number % 25))
            if stop_at is not None:
                await clock.sleep(stop_at)
                if hard:
                    work.cancel()
                else:
                    engine.stop()
            await asyncio.wait({work})
            assert asyncio.all_tasks() == {asyncio.current_task()}
            if work.cancelled():
                raise asyncio.CancelledError
            work.result()

        try:
            clock.run(main())
        except (Interrupted, asyncio.CancelledError):
            assert stop_at is not None
        return results

    def server(clock: FakeClock) -> ScriptedProvider:
        return ScriptedProvider(echo, latency=varied(seed), clock=clock)

    clock = FakeClock()
    whole_journal = MemoryDict()
    whole = run(whole_journal, server(clock), clock, None)
    clock = FakeClock()
    journal, first = MemoryDict(), server(clock)
    partial = run(journal, first, clock, at)
    assert partial == [result for result in whole if result in partial]
    second = server(clock)
    assert run(journal, second, clock, None) == whole
    answered = Counter(map(asked, first.answered + second.answered))
    assert answered == Counter(str(number) for number in range(25))
    plain = {key: row.text for key, row in journal.rows.items()}
    assert plain == {key: row.text for key, row in whole_journal.rows.items()}


@few
@given(
    seed=seeds,
    concurrency=st.integers(1, 16),
    limit=st.floats(0.0, 0.01),
    tokens_out=st.integers(1, 2000),
    max_tokens=st.sampled_from([1, 100, 4000]),
)
def test_the_budget_is_overshot_by_no_more_than_what_is_in_flight(
    seed: int, concurrency: int, limit: float, tokens_out: int, max_tokens: int
) -> None:
    clock = FakeClock()
    price = tokens_out * 0.60 / 1e6

    def reply(request: Request) -> Response:
        return Response(text="x", tokens_in=0, tokens_out=tokens_out)

    provider = ScriptedProvider(reply, latency=varied(seed), clock=clock, model="gpt-4o-mini")
    journal = MemoryDict()
    settings = Settings(max_concurrency=concurrency, max_cost=limit)

    async def main(engine: Engine) -> None:
        lane = engine.lane(provider, "fake")

        async def answer(number: int) -> str:
            return (await engine.call(lane, ask(number, max_tokens=max_tokens))).text

        async for _ in engine.map(answer, range(100)):
            pass

    engine = Engine(settings, journal=journal, clock=clock)
    try:
        clock.run(main(engine))
    except BudgetError as error:
        assert "max_cost" in str(error)  # noqa: PT017 - a budget that suffices is a good end too
    else:
        assert len(provider.answered) == 100
    assert len(provider.answered) == len(journal.rows)  # what was in flight was finished and kept
    assert engine.usage.cost == pytest.approx(price * len(journal.rows))
    assert engine.usage.cost <= limit + price * concurrency + 1e-12
    spent = len(provider.requests)
    again = Engine(settings, journal=journal, clock=clock)
    assert again.usage.cost == pytest.approx(engine.usage.cost)
    if again.usage.cost >= limit and spent < 100:
        with pytest.raises(BudgetError):
            clock.run(main(again))
        assert len(provider.requests) == spent


@few
@given(concurrency=st.integers(1, 8), seed=seeds, slow=st.integers(0, 50))
def test_pulling_is_bounded_although_items_never_end(concurrency: int, seed: int, slow: int) -> None:
    clock = FakeClock()
    pulled = 0
    farthest = 0
    taken = 0

    def endless() -> Any:
        nonlocal pulled
        while True:
            pulled += 1
            yield pulled - 1

    def latency(request: Request) -> float:
        return 500.0 if asked(request) == str(slow) else 0.01

    engine = Engine(Settings(max_concurrency=concurrency, timeout=None), clock=clock)
    lane = engine.lane(ScriptedProvider(echo, latency=latency, clock=clock), "fake")

    async def main() -> None:
        nonlocal farthest, taken
        results = engine.map(lambda text: engine.converse(lane, question(text)), endless())
        async for result in results:
            assert result == f"re: {taken}"
            taken += 1
            farthest = max(farthest, pulled - taken)
            if taken == 700:
                break
        await results.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    clock.run(main())
    assert farthest <= max(256, 64 * concurrency)
