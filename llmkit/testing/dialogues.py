"""Judges without a model: replies fed by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from llmkit.protocols import Dialogue
from llmkit.types import Request, Response

T = TypeVar("T")
Reply = str | Response | Exception


def converse(dialogue: Dialogue[T], replies: Sequence[Reply] | Callable[[Request], Reply]) -> tuple[T, list[Request]]:
    """Drive a dialogue with replies from a list, in the order of its requests, or from a function of the request.

    Returns:
        What the dialogue returned, and every request it made.

    Raises:
        AssertionError: it asked more than there are replies.
    """
    asked: list[Request] = []
    left = list(replies) if not callable(replies) else []

    def reply(request: Request) -> Response | Exception:
        asked.append(request)
        if not callable(replies):
            assert left, f"the dialogue asked more than {len(asked) - 1} times"
        said = replies(request) if callable(replies) else left.pop(0)
        return Response(text=said) if isinstance(said, str) else said

    try:
        requests = next(dialogue)
        while True:
            answers = [reply(request) for request in requests]
            failed = next((answer for answer in answers if isinstance(answer, Exception)), None)
            if failed is not None:
                requests = dialogue.throw(failed)
            else:
                requests = dialogue.send([answer for answer in answers if isinstance(answer, Response)])
    except StopIteration as end:
        result: T = end.value
        return result, asked
