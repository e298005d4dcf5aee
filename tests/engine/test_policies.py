"""The small values: backoff, pacers, adaptive concurrency, budget, estimates."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.engine import Engine, Settings, estimate_tokens
from llmkit.engine.limits import AdaptiveConcurrency, RequestPacer, TokenPacer
from llmkit.engine.retry import FullJitter, History, RetryPolicy
from llmkit.errors import BudgetError, RateLimitedError, TransientError
from llmkit.testing import FakeClock, MemoryDict, Reply, ScriptedProvider
from llmkit.types import Request, Response
from tests.engine.support import ask, asked, collect, echo, most_in_any_window


@given(st.integers(1, 2000), st.integers(0, 1000))
def test_full_jitter_stays_under_the_doubling_cap(failures: int, seed: int) -> None:
    delay = FullJitter().delay(failures, random.Random(seed))
    assert 0.0 <= delay <= min(30.0, 0.5 * 2.0 ** min(failures - 1, 10))


def test_full_jitter_fills_the_whole_range() -> None:
    rng = random.Random(0)
    delays = [FullJitter().delay(5, rng) for _ in range(2000)]
    assert sum(delays) / len(delays) == pytest.approx(4.0, rel=0.05)
    assert min(delays) < 0.1
    assert max(delays) > 7.9


@given(wish=st.floats(0, 1000), faults=st.integers(0, 9))
def test_no_policy_undercuts_the_servers_wish(wish: float, faults: int) -> None:
    policy = RetryPolicy(max_retries=10, patience=1e9)
    rng = random.Random(faults)
    for error in (TransientError("x", retry_after=wish), RateLimitedError("x", retry_after=wish)):
        delay = policy.delay(History(faults=faults), error, 0.0, rng)
        assert delay is not None
        assert delay >= wish


@given(st.integers(1, 5000), st.lists(st.floats(0.0, 30.0), min_size=1, max_size=300))
def test_the_request_pacer_keeps_every_window(per_minute: int, pauses: list[float]) -> None:
    pacer = RequestPacer(per_minute)
    now, starts = 0.0, []
    for pause in pauses:
        now = max(now + pause / per_minute, pacer.ready_at())
        pacer.take(now)
        starts.append(now)
    assert most_in_any_window(starts, 60.0) <= per_minute


def test_the_token_pacer_waits_out_its_debts() -> None:
    pacer = TokenPacer(600)  # a bucket of 60, refilled by 9 a second
    assert pacer.ready_at(0.0, 60) == 0.0
    pacer.take(0.0, 60)
    assert pacer.ready_at(0.0, 9) == pytest.approx(1.0)
    pacer.correct(60, 150)  # it took 90 more than was thought
    assert pacer.ready_at(0.0, 9) == pytest.approx(11.0)
    pacer.correct(90, 0)
    assert pacer.ready_at(0.0, 9) == pytest.approx(1.0)
    assert pacer.ready_at(1e6, 10_000) == 1e6  # larger than the bucket: when it is full


def test_concurrency_halves_once_a_round_trip_and_grows_by_one_a_round() -> None:
    speed = AdaptiveConcurrency(16)
    assert speed.limited(started=0.0, now=1.0)
    assert not speed.limited(started=0.5, now=1.5)
    assert speed.limit == 8
    assert speed.limited(started=2.0, now=3.0)
    assert speed.limit == 4
    for _ in range(4):
        speed.succeeded()
    assert speed.limit == 5
    for _ in range(1000):
        speed.succeeded()
    assert speed.limit == 16
    for time in range(4, 20):
        speed.limited(started=time, now=time + 0.5)
    assert speed.limit == 1


def test_requests_that_take_more_than_was_thought_slow_the_lane_down_at_once() -> None:
    clock = FakeClock()
    starts: list[float] = []

    def reply(request: Request) -> Response:
        starts.append(clock.now)
        return Response("x", tokens_in=590, tokens_out=10)

    engine = Engine(Settings(max_concurrency=1, tokens_per_minute=6000), clock=clock)
    lane = engine.lane(ScriptedProvider(reply), "fake")

    async def main() -> None:
        for number in range(30):
            await engine.call(lane, ask(number, max_tokens=1))

    clock.run(main())
    assert 9 <= most_in_any_window(starts, 59.9) <= 11


def test_a_retry_goes_before_requests_that_were_never_sent() -> None:
    clock = FakeClock()
    script: list[Reply] = [TransientError("once"), *["fine"] * 20]
    provider = ScriptedProvider(script, latency=5.0, clock=clock)
    engine = Engine(Settings(max_concurrency=1), clock=clock)

    async def main() -> None:
        lane = engine.lane(provider, "fake")
        await asyncio.gather(*(engine.call(lane, ask(number)) for number in range(10)))

    clock.run(main())
    assert list(map(asked, provider.requests[:4])) == ["0", "1", "0", "2"]


def test_a_server_with_a_ceiling_is_found_and_kept() -> None:
    clock = FakeClock()
    active: set[str] = set()

    class Server:
        async def complete(self, request: Request) -> Response:
            if len(active) >= 8:
                raise RateLimitedError("too many at once", retry_after=0.5, status=429)
            active.add(asked(request))
            await clock.sleep(1.0)
            active.discard(asked(request))
            return echo(request)

        async def aclose(self) -> None:
            pass

    engine = Engine(Settings(max_concurrency=64), clock=clock)
    results = clock.run(collect(engine, engine.lane(Server(), "fake"), range(400)))
    assert len(results) == 400
    assert engine.usage.rate_limited < 200
    assert clock.now < 400 / 8 * 2.5


@pytest.mark.parametrize("limit", [0, 1, 7])
def test_max_requests_counts_attempts_and_is_never_overshot(limit: int) -> None:
    clock = FakeClock()
    script: list[Reply] = [TransientError("once"), *["fine"] * 50]
    provider = ScriptedProvider(script, latency=1.0, clock=clock)
    engine = Engine(Settings(max_concurrency=4, max_requests=limit), clock=clock)
    with pytest.raises(BudgetError, match=f"max_requests is {limit}, {limit} sent"):
        clock.run(collect(engine, engine.lane(provider, "fake"), range(50)))
    assert len(provider.requests) == limit


def test_max_tokens_stops_before_the_request_that_would_not_fit() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(echo, latency=1.0, clock=clock)  # 15 tokens each
    engine = Engine(Settings(max_concurrency=4, max_tokens=1000), clock=clock)
    with pytest.raises(BudgetError, match=r"max_tokens is 1,000, \d+ used"):
        clock.run(collect(engine, engine.lane(provider, "fake"), range(500)))
    used = engine.usage.tokens_in + engine.usage.tokens_out
    assert 900 <= used <= 1000 + 4 * 15


def test_a_high_estimate_waits_for_what_is_in_flight_instead_of_stopping() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(echo, latency=1.0, clock=clock)

    async def main(engine: Engine) -> int:
        lane = engine.lane(provider, "fake")
        done = 0
        async for _ in engine.map(lambda number: engine.call(lane, ask(number, max_tokens=900)), range(20)):
            done += 1
        return done

    assert clock.run(main(Engine(Settings(max_tokens=1300), clock=clock))) == 20


def test_an_answer_without_usage_costs_its_estimate() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(lambda _: "no usage", model="gpt-4o")
    engine = Engine(Settings(max_cost=0.01), clock=clock)
    with pytest.raises(BudgetError, match="max_cost"):
        clock.run(collect(engine, engine.lane(provider, "fake"), range(1000)))
    assert 1 <= len(provider.requests) <= 10


def test_what_the_journal_paid_counts_against_the_budget() -> None:
    clock, journal = FakeClock(), MemoryDict()
    for number in range(5):
        journal.put(str(number), Response("x", tokens_in=1, tokens_out=1, cost=1.0, attempts=2))
    engine = Engine(Settings(max_cost=5.0), journal=journal, clock=clock)
    assert engine.usage.cost == 5.0
    provider = ScriptedProvider(["x"], model="gpt-4o")
    with pytest.raises(BudgetError, match=r"max_cost is \$5.00, \$5.0000 spent"):
        clock.run(engine.call(engine.lane(provider, "fake"), ask("more")))
    engine = Engine(Settings(max_requests=10), journal=journal, clock=clock)
    with pytest.raises(BudgetError, match="max_requests is 10, 10 sent"):
        clock.run(engine.call(engine.lane(provider, "fake"), ask("more")))
    assert not provider.requests


def test_estimates() -> None:
    assert estimate_tokens(ask("12345678")) == (2 + 4, 256)
    assert estimate_tokens(ask("x", max_tokens=7, n=3)) == (1 + 4, 21)
    assert estimate_tokens(ask("x", max_completion_tokens=9), answer=50) == (5, 9)
    assert estimate_tokens(ask("x"), answer=50) == (5, 50)
    assert estimate_tokens(Request(kind="embedding", texts=("abcd", "e"))) == (2, 0)
    scored = Request(messages=({"role": "user", "content": "abcd"},), kind="loglikelihood", texts=("a", "b"))
    assert estimate_tokens(scored) == (2 * (5 + 1), 0)
    assert estimate_tokens(ask("日本語文"))[0] == 3 + 4  # four bytes a token holds better than four characters
    parts = [{"type": "text", "text": "abcd"}, {"type": "image_url", "image_url": {"url": "data:..."}}]
    assert estimate_tokens(Request(messages=({"role": "user", "content": parts},)))[0] == 801 + 4
    assert estimate_tokens(Request(messages=({"role": "assistant", "content": None},)))[0] == 4
