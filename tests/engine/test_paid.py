"""What is paid is counted: attempts that gave no answer, answers whose size nobody said, several answers a request."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llmkit.engine import Engine, Settings
from llmkit.errors import BudgetError, PermanentError, TransientError
from llmkit.store import Journal
from llmkit.testing import FakeClock, MemoryDict, ScriptedProvider
from llmkit.types import Request, Response
from tests.engine.support import ask, asked, collect

MODEL = "gpt-4o-mini"  # $0.15 and $0.60 a million tokens


def empty() -> TransientError:
    error = TransientError("empty", kind="empty")
    error.tokens = (1000, 2000, None)
    return error


def test_attempts_that_gave_no_answer_are_counted_also_after_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    provider = ScriptedProvider(
        [empty(), empty(), Response("a", 10, 20), empty(), PermanentError("no", kind="http_400")], model=MODEL
    )
    with Journal(tmp_path / "journal") as journal:
        engine = Engine(Settings(max_concurrency=1), journal=journal, clock=clock)
        lane = engine.lane(provider, "fake")
        assert clock.run(engine.call(lane, ask(1))).attempts == 3
        with pytest.raises(PermanentError):
            clock.run(engine.call(lane, ask(2)))
    assert (engine.usage.tokens_in, engine.usage.tokens_out) == (3010, 6020)
    assert engine.usage.cost == pytest.approx((3010 * 0.15 + 6020 * 0.60) / 1e6)
    with Journal(tmp_path / "journal") as journal:
        again = Engine(Settings(max_requests=3), journal=journal, clock=clock)
        later = ScriptedProvider([empty(), Response("b", 1, 1)], model=MODEL)
        assert again.usage.cost == pytest.approx(engine.usage.cost)
        with pytest.raises(BudgetError):  # the answer took three attempts, and they are counted once
            clock.run(again.call(again.lane(later, "fake"), ask(3)))


def test_the_budget_stops_a_model_that_says_nothing_for_money() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(lambda request: empty(), model=MODEL)
    engine = Engine(Settings(max_concurrency=1, max_tokens=7000, max_retries=100), clock=clock)
    with pytest.raises(BudgetError):
        clock.run(collect(engine, engine.lane(provider, "fake"), range(9)))
    assert len(provider.requests) == 3


def test_answers_of_unknown_size_count_against_the_budget_of_a_resumed_run() -> None:
    clock = FakeClock()
    journal = MemoryDict()
    settings = Settings(max_concurrency=1, max_tokens=1000)

    def run() -> int:
        provider = ScriptedProvider(lambda request: "an answer without a count")
        engine = Engine(settings, journal=journal, clock=clock)
        with pytest.raises(BudgetError):
            clock.run(collect(engine, engine.lane(provider, "fake"), [1, 1, *range(2, 50)]))
        return len(provider.requests)

    assert run() == 3  # of about 260 tokens
    assert run() == 0


@pytest.mark.parametrize("n", [None, 5])
def test_the_answers_a_provider_asks_for_are_estimated(n: int | None) -> None:
    provider = ScriptedProvider(["x"], model=MODEL)
    provider.n = n  # type: ignore[attr-defined]  # a field of providers that can give several answers
    engine = Engine(Settings(max_tokens=1000))
    lane = engine.lane(provider, "fake")
    assert engine.plan(lane, [ask(1)]).tokens_out == 256 * (n or 1)
    assert engine.plan(lane, [ask(1, n=2)]).tokens_out == 512
    if n:
        with pytest.raises(BudgetError):
            asyncio.run(engine.call(lane, ask(1)))


def test_a_target_that_cancels_itself_fails_its_own_row_only() -> None:
    clock = FakeClock()

    def reply(request: Request) -> Response:
        if asked(request) == "3":
            raise asyncio.CancelledError
        return Response("x")

    engine = Engine(Settings(max_concurrency=2), clock=clock)
    lane = engine.lane(ScriptedProvider(reply, latency=1.0, clock=clock), "fake")

    async def answer(number: int) -> str:
        try:
            return (await engine.call(lane, ask(number))).text
        except PermanentError as error:
            return str(error)

    async def main() -> list[str]:
        return [result async for result in engine.map(answer, range(6))]

    assert clock.run(main()) == ["x", "x", "x", "the target cancelled itself", "x", "x"]


def test_a_server_that_wants_a_wait_beyond_the_patience_is_not_waited_for() -> None:
    clock = FakeClock()
    down = TransientError("down for maintenance", kind="http_503", status=503, retry_after=86_400)
    provider = ScriptedProvider([down])
    engine = Engine(Settings(patience=600), clock=clock)
    with pytest.raises(TransientError, match="maintenance"):
        clock.run(engine.call(engine.lane(provider, "fake"), ask(1)))
    assert clock.monotonic() < 600


def test_a_garbled_reply_shows_that_somebody_is_there() -> None:
    clock = FakeClock()

    def reply(request: Request) -> Exception:
        garbled = int(asked(request)) % 5 == 0
        return TransientError("x", kind="malformed" if garbled else "connection")

    engine = Engine(Settings(max_concurrency=1, max_retries=0), clock=clock)
    lane = engine.lane(ScriptedProvider(reply), "fake")

    async def main() -> None:
        for number in range(20):
            with pytest.raises(TransientError):
                await engine.call(lane, ask(number))

    clock.run(main())
    assert engine.halted is None
