"""A relayed dialogue is the dialogue: what it returns, what is thrown into it, and when it is closed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmkit.errors import RequestError
from llmkit.flows.audit.live import Again
from llmkit.flows.relay import Came, Requests, relayed
from llmkit.flows.routed import addressed, addressee
from llmkit.protocols import Dialogue
from llmkit.testing import converse
from llmkit.types import Judgment, Output, Request, Sample


def asked(text: str) -> list[Request]:
    return [Request(messages=({"role": "user", "content": text},))]


def forgiving(closed: list[str] | None = None) -> Dialogue[str]:
    """Ask; where that fails, ask something else."""
    try:
        try:
            [first] = yield asked("hard")
        except RequestError as error:
            [first] = yield asked(f"easy, after {error}")
        return first.text
    finally:
        if closed is not None:
            closed.append("closed")


def said(request: Request) -> str | RequestError:
    text = str(request.messages[0]["content"])
    return RequestError("no") if text == "hard" else text.upper()


def test_what_fails_is_thrown_into_the_dialogue_and_it_goes_on() -> None:
    heard: list[tuple[int, str]] = []

    def hear(requests: Requests, came: Came) -> None:
        heard.append((len(requests), type(came).__name__))

    found, requests = converse(relayed(forgiving(), hear=hear), said)
    assert (found, len(requests)) == ("EASY, AFTER NO", 2)
    assert heard == [(1, "RequestError"), (1, "list")]


def test_every_request_is_changed_that_follows_a_failure_too() -> None:
    found, requests = converse(addressed("model", forgiving()), said)
    assert found == "EASY, AFTER NO"
    assert [addressee(request) for request in requests] == ["model", "model"]


def test_a_dialogue_that_was_begun_is_not_begun_again() -> None:
    dialogue = forgiving()
    first = next(dialogue)
    found, requests = converse(relayed(dialogue, first=first), said)
    assert (found, len(requests)) == ("EASY, AFTER NO", 2)


def test_giving_up_closes_the_dialogue_behind() -> None:
    closed: list[str] = []
    outer = relayed(forgiving(closed))
    next(outer)
    assert closed == []
    outer.close()
    assert closed == ["closed"]


@pytest.mark.parametrize("time", [1, 2])
def test_a_judge_that_is_asked_again_still_hears_of_failures(time: int) -> None:
    class Forgiving:
        def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
            text = yield from forgiving()
            return Judgment((float(len(text)),))

    again = Again(Forgiving(), time)
    found, requests = converse(again.judge(Sample("a"), Output("a", "x")), said)
    assert found.stats == (float(len("EASY, AFTER NO")),)
    plain = [replace(request, repeat=0) for request in requests]
    assert plain == [*asked("hard"), *asked("easy, after no")]
    assert len({request.repeat for request in requests}) == 1 != requests[0].repeat
