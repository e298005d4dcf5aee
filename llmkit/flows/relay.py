"""A dialogue held through a middleman, who may change its requests and hear what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from llmkit.errors import RequestError
from llmkit.protocols import Dialogue
from llmkit.types import Request, Response

T = TypeVar("T")

Requests = list[Request]
Came = list[Response] | RequestError


def relayed(
    dialogue: Dialogue[T],
    *,
    first: Requests | None = None,
    change: Callable[[Requests], Requests] = lambda requests: requests,
    hear: Callable[[Requests, Came], None] = lambda _requests, _came: None,
) -> Dialogue[T]:
    """Return a dialogue that drives another and returns what that returns; it is closed with it.

    Args:
        dialogue: The other one. What fails is thrown into it, and it may go on.
        first: Its first requests, where it was begun already.
        change: What is asked in their place.
        hear: Told of the requests as they were asked, and of what came: the responses, or why there are none.
    """
    try:
        wanted = next(dialogue) if first is None else first
        while True:
            asked = change(wanted)
            try:
                responses: list[Response] = yield asked
            except RequestError as error:
                hear(asked, error)
                wanted = dialogue.throw(error)
            else:
                hear(asked, responses)
                wanted = dialogue.send(responses)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        dialogue.close()
