"""Requests and dialogues that several test files use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from zlib import crc32

from llmkit.engine import Engine, Lane
from llmkit.protocols import Dialogue
from llmkit.types import Request, Response


def ask(question: object, **params: Any) -> Request:
    return Request(messages=({"role": "user", "content": str(question)},), params=params)


def asked(request: Request) -> str:
    return str(request.messages[0]["content"])


def question(text: object) -> Dialogue[str]:
    """Ask one question; the answer is the result."""
    (response,) = yield [ask(text)]
    return response.text


def echo(request: Request) -> Response:
    return Response(text=f"re: {asked(request)}", tokens_in=10, tokens_out=5)


async def collect(
    engine: Engine,
    lane: Lane,
    texts: Iterable[Any],
    into: list[Any] | None = None,
    wording: Callable[[Any], Any] = str,
) -> list[Any]:
    """Ask everything through `map` and return the results, in the order they came."""
    results = [] if into is None else into

    async def answer(text: Any) -> tuple[Any, str]:
        return text, await engine.converse(lane, question(wording(text)))

    async for result in engine.map(answer, texts):
        results.append(result)
    return results


def most_in_any_window(times: Iterable[float], seconds: float) -> int:
    """Return the largest number of events in a closed window of this length."""
    ordered = sorted(times)
    most = first = 0
    for last, time in enumerate(ordered):
        while time - ordered[first] > seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def varied(seed: int) -> Callable[[Request], float]:
    """Return latencies between 0.1 and 3 seconds that depend on the question."""

    def latency(request: Request) -> float:
        return 0.1 + (crc32(f"{seed}{asked(request)}".encode()) % 30) / 10

    return latency
