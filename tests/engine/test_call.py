"""One request: who answers it, what it costs, how it fails."""

from __future__ import annotations

import asyncio

import pytest

from llmkit.engine import (
    Answered,
    Engine,
    Event,
    Failed,
    PriceBook,
    Retried,
    Reused,
    Sent,
    Settings,
    SlowedDown,
    Stopped,
)
from llmkit.errors import (
    AuthenticationError,
    ConfigError,
    LlmkitError,
    PermanentError,
    RateLimitedError,
    RequestError,
    TransientError,
    UnauthorizedError,
    UsageError,
)
from llmkit.protocols import Dialogue
from llmkit.testing import FakeClock, MemoryDict, Reply, ScriptedProvider
from llmkit.types import Request, Response
from tests.engine.support import ask, asked, collect, echo


def call(engine: Engine, provider: ScriptedProvider, clock: FakeClock, request: Request | None = None) -> Response:
    return clock.run(engine.call(engine.lane(provider, "fake"), request or ask("hello")))


def test_the_journal_answers_unchanged_and_before_the_cache() -> None:
    clock, journal, cache = FakeClock(), MemoryDict(), MemoryDict()
    provider = ScriptedProvider(["one"], cacheable=True)
    first = call(Engine(journal=journal, cache=cache, clock=clock), provider, clock)
    engine = Engine(journal=journal, cache=cache, clock=clock)
    assert call(engine, provider, clock) == first
    assert (engine.usage.from_journal, engine.usage.from_cache, engine.usage.sent) == (1, 0, 0)
    assert not first.cached


def test_the_cache_answers_a_later_run_for_nothing() -> None:
    clock, cache = FakeClock(), MemoryDict()
    provider = ScriptedProvider([Response("one", cost=0.5)], cacheable=True)
    assert call(Engine(cache=cache, clock=clock), provider, clock).cost == 0.5
    engine = Engine(cache=cache, clock=clock)
    response = call(engine, provider, clock)
    assert (response.text, response.cached, response.cost) == ("one", True, 0.5)
    assert (engine.usage.cost, engine.usage.from_cache) == (0.0, 1)


def test_refresh_asks_anew_and_overwrites() -> None:
    clock, cache = FakeClock(), MemoryDict()
    provider = ScriptedProvider(["old", "new"], cacheable=True)
    call(Engine(cache=cache, clock=clock), provider, clock)
    assert call(Engine(cache=cache, refresh=True, clock=clock), provider, clock).text == "new"
    assert call(Engine(cache=cache, clock=clock), provider, clock).text == "new"


@pytest.mark.parametrize(("cacheable", "journaled"), [(False, True), (True, False), (False, False)])
def test_a_provider_says_what_may_remember_it(cacheable: bool, journaled: bool) -> None:
    clock, journal, cache = FakeClock(), MemoryDict(), MemoryDict()
    provider = ScriptedProvider(["one"], cacheable=cacheable, journaled=journaled)
    call(Engine(journal=journal, cache=cache, clock=clock), provider, clock)
    assert (len(cache.rows), len(journal.rows)) == (int(cacheable), int(journaled))


def test_other_identity_other_key() -> None:
    clock, journal = FakeClock(), MemoryDict()
    engine = Engine(journal=journal, clock=clock)
    provider = ScriptedProvider(["a", "b"])

    async def main() -> tuple[str, str]:
        one, two = engine.lane(provider, "one"), engine.lane(provider, "two")
        return (await engine.call(one, ask("x"))).text, (await engine.call(two, ask("x"))).text

    assert clock.run(main()) == ("a", "b")


def test_identical_requests_in_flight_fail_together() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(lambda _: PermanentError("no", kind="http_400", status=400), latency=1.0, clock=clock)
    engine = Engine(clock=clock)

    async def main() -> list[Response | BaseException]:
        lane = engine.lane(provider, "fake")
        return await asyncio.gather(*(engine.call(lane, ask("x")) for _ in range(3)), return_exceptions=True)

    errors = clock.run(main())
    assert len(provider.requests) == 1
    assert [str(error) for error in errors] == ["no"] * 3


def test_a_follower_takes_over_when_the_leader_is_cancelled() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(echo, latency=1.0, clock=clock)
    engine = Engine(clock=clock)

    async def main() -> str:
        lane = engine.lane(provider, "fake")
        leader = asyncio.create_task(engine.call(lane, ask("x")))
        followers = [asyncio.create_task(engine.call(lane, ask("x"))) for _ in range(2)]
        await clock.sleep(0.5)
        leader.cancel()
        followers[0].cancel()
        response = await followers[1]
        await asyncio.wait({leader, followers[0]})
        assert leader.cancelled()
        assert followers[0].cancelled()
        return response.text

    assert clock.run(main()) == "re: x"
    assert len(provider.requests) == 2
    assert clock.now == 1.5


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_transient_failures_use_up_the_retries(retries: int) -> None:
    clock = FakeClock()
    provider = ScriptedProvider(lambda _: TransientError("boom", kind="http_500", status=500))
    engine = Engine(Settings(max_retries=retries), clock=clock)
    with pytest.raises(TransientError, match="boom") as caught:
        call(engine, provider, clock)
    assert caught.value.attempts == len(provider.requests) == retries + 1
    assert engine.usage.failed == 1
    assert engine.usage.retries == retries


def test_permanent_failures_are_not_retried() -> None:
    clock = FakeClock()
    provider = ScriptedProvider([PermanentError("bad request", kind="http_400", status=400)])
    with pytest.raises(PermanentError) as caught:
        call(Engine(clock=clock), provider, clock)
    assert caught.value.attempts == 1


def test_a_retried_answer_says_how_many_attempts_it_took() -> None:
    clock = FakeClock()
    provider = ScriptedProvider([TransientError("x"), RateLimitedError("y", retry_after=20.0), "fine"])
    response = call(Engine(clock=clock), provider, clock)
    assert (response.text, response.attempts) == ("fine", 3)
    assert clock.now >= 20.0


def test_a_bug_in_a_provider_is_a_failed_request_not_a_crash() -> None:
    clock = FakeClock()
    provider = ScriptedProvider([ZeroDivisionError("division by zero")])
    with pytest.raises(PermanentError, match="ZeroDivisionError: division by zero") as caught:
        call(Engine(clock=clock), provider, clock)
    assert caught.value.kind == "exception"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(("error", "kind"), [(TimeoutError(), "timeout"), (ConnectionResetError("peer"), "connection")])
def test_the_networks_own_errors_are_transient(error: Exception, kind: str) -> None:
    clock = FakeClock()
    engine = Engine(Settings(max_retries=0), clock=clock)
    with pytest.raises(TransientError) as caught:
        call(engine, ScriptedProvider([error]), clock)
    assert caught.value.kind == kind


def test_an_attempt_that_hangs_times_out_and_is_retried() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(
        ["never", "there"], latency=lambda _: 1e6 if not provider.answered else 0.0, clock=clock
    )
    engine = Engine(Settings(timeout=10.0, max_retries=1), clock=clock)
    with pytest.raises(TransientError, match="no answer within 10 s"):
        call(engine, provider, clock)
    assert 20.0 <= clock.now <= 20.5
    assert provider.active == 0


def test_429s_are_waited_out_for_the_patience_and_use_no_retries() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(lambda _: RateLimitedError("slow down", retry_after=10.0, status=429))
    engine = Engine(Settings(max_retries=0, patience=95.0), clock=clock)
    with pytest.raises(RateLimitedError) as caught:
        call(engine, provider, clock)
    assert caught.value.attempts in {9, 10}
    assert 80.0 <= clock.now <= 95.0


def test_a_pause_beyond_the_patience_fails_everyone_at_once() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(lambda _: RateLimitedError("quota", retry_after=3600.0), latency=1.0, clock=clock)
    engine = Engine(Settings(max_concurrency=2, patience=60.0), clock=clock)

    async def main() -> list[Response | BaseException]:
        lane = engine.lane(provider, "fake")
        calls = [engine.call(lane, ask(number)) for number in range(20)]
        return await asyncio.gather(*calls, return_exceptions=True)

    errors = clock.run(main())
    assert all(isinstance(error, RateLimitedError) for error in errors)
    assert "longer than engine.patience (60 s)" in str(errors[-1])
    assert len(provider.requests) == 2
    assert clock.now == 1.0


def test_a_refused_key_stops_the_run_with_one_sentence() -> None:
    clock = FakeClock()
    refusal = UnauthorizedError("Incorrect API key provided", status=401, kind="http_401")
    provider = ScriptedProvider(lambda _: refusal, latency=0.1, clock=clock)
    engine = Engine(Settings(max_concurrency=4), clock=clock)
    with pytest.raises(AuthenticationError, match="'fake' refused the key: Incorrect API key provided"):
        clock.run(collect(engine, engine.lane(provider, "fake"), range(100)))
    assert len(provider.requests) == 4
    with pytest.raises(AuthenticationError):
        clock.run(engine.call(engine.lane(provider, "fake"), ask("more")))
    assert len(provider.requests) == 4


def test_a_sentence_for_the_user_raised_by_a_provider_ends_the_run() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(lambda _: UsageError("OPENAI_API_KEY is not set"))
    engine = Engine(clock=clock)
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        clock.run(collect(engine, engine.lane(provider, "fake"), range(5)))
    assert isinstance(engine.halted, UsageError)


def test_the_engine_fills_in_cost_and_latency() -> None:
    clock = FakeClock()
    reply = Response("x", tokens_in=1_000_000, tokens_out=100_000, tokens_cached=500_000)
    provider = ScriptedProvider([reply], model="gpt-4o-mini-2024-07-18", latency=2.5, clock=clock)
    engine = Engine(clock=clock)
    response = call(engine, provider, clock)
    assert response.cost == pytest.approx(0.5 * 0.15 + 0.5 * 0.075 + 0.06)
    assert response.latency == 2.5
    assert engine.usage.cost == response.cost


def test_a_model_of_unknown_price_is_counted() -> None:
    clock = FakeClock()
    engine = Engine(clock=clock)
    response = call(engine, ScriptedProvider([Response("x", tokens_in=1, tokens_out=1)], model="mine"), clock)
    assert response.cost is None
    assert engine.usage.unpriced == 1


def test_a_cost_that_the_provider_knows_is_kept() -> None:
    clock = FakeClock()
    reply = Response("x", tokens_in=1000, tokens_out=1000, cost=0.25)
    assert call(Engine(clock=clock), ScriptedProvider([reply], model="gpt-4o"), clock).cost == 0.25


def test_max_cost_refuses_a_model_of_unknown_price_before_anything_is_sent() -> None:
    clock = FakeClock()
    engine = Engine(Settings(max_cost=1.0), clock=clock)
    with pytest.raises(UsageError, match="price of 'mine' is unknown"):
        engine.lane(ScriptedProvider(["x"], model="mine"), "fake")
    provider = ScriptedProvider(["x"], model="gpt-4o")
    engine = Engine(Settings(max_cost=1.0), clock=clock)
    with pytest.raises(UsageError, match="price of 'theirs' is unknown"):
        call(engine, provider, clock, Request(model="theirs"))
    assert not provider.requests


def test_a_model_of_ones_own_can_be_priced_zero(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("prices") / "own.yaml"
    path.write_text("mine: {input: 0, output: 0}\n", encoding="utf-8")
    clock = FakeClock()
    engine = Engine(Settings(max_cost=0), prices=PriceBook.load(path), clock=clock)
    assert call(engine, ScriptedProvider(["x"], model="mine"), clock).cost == 0.0


def test_events_tell_the_story() -> None:
    clock = FakeClock()
    events: list[Event] = []
    script: list[Reply] = [RateLimitedError("slow", retry_after=5.0), "fine", PermanentError("no")]
    engine = Engine(Settings(max_concurrency=8), journal=MemoryDict(), clock=clock, observe=events.append)

    async def main() -> None:
        lane = engine.lane(ScriptedProvider(script), "fake")
        await engine.call(lane, ask("x"))
        await engine.call(lane, ask("x"))
        with pytest.raises(PermanentError):
            await engine.call(lane, ask("y"))
        engine.stop()

    clock.run(main())
    kinds = [type(event) for event in events]
    assert kinds == [Sent, SlowedDown, Retried, Sent, Answered, Reused, Sent, Failed, Stopped]
    assert events[1] == SlowedDown("fake", 4, 5.0)
    assert isinstance(events[2], Retried)
    assert events[2].delay >= 5.0


def test_an_answer_that_cannot_be_recorded_is_a_failure() -> None:
    class Picky(MemoryDict):
        def put(self, key: str, response: Response) -> None:
            raise ValueError("nan is not finite")

    clock = FakeClock()
    with pytest.raises(PermanentError, match="cannot be recorded: nan is not finite"):
        call(Engine(journal=Picky(), clock=clock), ScriptedProvider(["x"]), clock)


def test_a_dialogue_sends_one_list_at_the_same_time() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(echo, latency=1.0, clock=clock)

    def dialogue() -> Dialogue[list[str]]:
        nothing = yield []
        assert nothing == []
        first = yield [ask(1), ask(2), ask(3)]
        second = yield [ask(first[0].text)]
        return [response.text for response in (*first, *second)]

    engine = Engine(Settings(max_concurrency=2), clock=clock)
    result = clock.run(engine.converse(engine.lane(provider, "fake"), dialogue()))
    assert result == ["re: 1", "re: 2", "re: 3", "re: re: 1"]
    assert provider.peak == 2
    assert clock.now == 3.0


def test_a_failure_is_thrown_into_the_dialogue_which_may_go_on() -> None:
    clock = FakeClock()

    def reply(request: Request) -> Reply:
        return PermanentError("no") if asked(request) == "bad" else echo(request)

    def dialogue() -> Dialogue[str]:
        try:
            yield [ask("good"), ask("bad")]
        except RequestError as error:
            (response,) = yield [ask("instead")]
            return f"{error}, {response.text}"
        return "unexpected"

    provider = ScriptedProvider(reply)
    engine = Engine(clock=clock)
    assert clock.run(engine.converse(engine.lane(provider, "fake"), dialogue())) == "no, re: instead"
    assert sorted(map(asked, provider.answered)) == ["good", "instead"]


def test_a_failure_that_the_dialogue_does_not_catch_comes_out() -> None:
    clock = FakeClock()
    closed = []

    def dialogue() -> Dialogue[str]:
        try:
            yield [ask("x")]
        finally:
            closed.append(True)
        return ""

    engine = Engine(clock=clock)
    with pytest.raises(PermanentError, match="no"):
        clock.run(engine.converse(engine.lane(ScriptedProvider([PermanentError("no")]), "fake"), dialogue()))
    assert closed == [True]


def test_plan_sends_nothing_and_counts_each_request_once() -> None:
    clock, cache, journal = FakeClock(), MemoryDict(), MemoryDict()
    provider = ScriptedProvider(echo, model="gpt-4o-mini", cacheable=True)
    call(Engine(cache=cache, clock=clock), provider, clock, ask("in the cache"))
    call(Engine(journal=journal, clock=clock), provider, clock, ask("in the journal"))
    engine = Engine(cache=cache, journal=journal, clock=clock)
    texts = ["in the cache", "in the journal", "abcdefgh", "abcdefgh", "abcdefghi"]
    plan = engine.plan(engine.lane(provider, "fake"), [ask(text, max_tokens=100) for text in texts])
    assert (plan.requests, plan.cached, plan.journaled, plan.shared) == (4, 0, 0, 1)
    plan = engine.plan(engine.lane(provider, "fake"), map(ask, texts))
    assert (plan.requests, plan.cached, plan.journaled, plan.shared) == (2, 1, 1, 1)
    assert (plan.tokens_in, plan.tokens_out) == (2 + 4 + 3 + 4, 512)
    assert plan.cost == pytest.approx((13 * 0.15 + 512 * 0.60) / 1e6)
    assert len(provider.requests) == 2
    unknown = engine.plan(engine.lane(ScriptedProvider([], model="mine"), "fake"), [ask("x")])
    assert unknown.cost is None
    assert engine.plan(engine.lane(ScriptedProvider([]), "fake"), [ask("x")]).cost == 0.0


def test_settings_out_of_range_are_named_all_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(max_concurrency=0, timeout=0, max_cost=-1.0)
    assert [problem.key for problem in caught.value.problems] == [
        "engine.max_concurrency",
        "engine.timeout",
        "engine.max_cost",
    ]
    assert isinstance(caught.value, LlmkitError)
