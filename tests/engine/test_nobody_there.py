"""A dead endpoint stops a run soon; a flaky one does not."""

from __future__ import annotations

import pytest

from llmkit.engine import Engine, Settings
from llmkit.engine.sender import LOST_AFTER_REPLIES, LOST_AT_FIRST
from llmkit.errors import InfrastructureError, RequestError, TransientError
from llmkit.testing import FakeClock
from llmkit.types import Request, Response


class Dying:
    """Answers the first ``alive`` requests, then nobody is there."""

    journaled = False

    def __init__(self, alive: int, *, status: int | None = None) -> None:
        self.alive = alive
        self.status = status
        self.asked = 0

    async def complete(self, request: Request) -> Response:
        self.asked += 1
        if self.asked > self.alive:
            raise TransientError("connection refused", kind="connection", status=self.status)
        return Response("yes")

    async def aclose(self) -> None:
        """Nothing is open."""


def ask(provider: Dying, rows: int) -> list[str]:
    async def main() -> list[str]:
        engine = Engine(Settings(max_concurrency=4, max_retries=1), clock=clock)
        lane = engine.lane(provider, "dying")

        async def one(row: int) -> str:
            try:
                return (await engine.call(lane, Request(({"role": "user", "content": str(row)},)))).text
            except RequestError as error:
                return error.kind

        return [text async for text in engine.map(one, range(rows))]

    clock = FakeClock()
    return clock.run(main())


def test_an_endpoint_that_never_replied_stops_the_run_after_a_few_requests() -> None:
    provider = Dying(alive=0)
    with pytest.raises(InfrastructureError, match=r"Nobody answers: 8 requests in a row.*connection refused"):
        ask(provider, 1000)
    assert provider.asked <= 2 * (LOST_AT_FIRST + 4)


def test_an_endpoint_that_died_later_stops_the_run_too() -> None:
    provider = Dying(alive=50)
    with pytest.raises(InfrastructureError, match="Nobody answers"):
        ask(provider, 1000)
    assert provider.asked <= 50 + 2 * (LOST_AFTER_REPLIES + 4)


def test_an_endpoint_that_replies_with_errors_is_there() -> None:
    assert ask(Dying(alive=0, status=503), 100) == ["connection"] * 100


def test_a_few_lost_requests_are_rows() -> None:
    assert ask(Dying(alive=0), LOST_AT_FIRST - 1) == ["connection"] * (LOST_AT_FIRST - 1)
