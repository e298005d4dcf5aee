"""One question to the judge's model, asked again once where the answer is not in form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from llmkit.protocols import Dialogue
from llmkit.types import Failure, Message, Request, Response

T = TypeVar("T")

SHOWN = 300
"""How much of an answer that is not in form stands in the row's reason; all of it is in judgments.jsonl."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an answer is no verdict: a class to count and a sentence, also for the model that is asked again.

    ``kind`` is one of ``off_form``, ``off_menu``, ``out_of_range``, ``empty``, ``refused``, ``cut_off``.
    """

    kind: str
    message: str


def asked(
    messages: Sequence[Message],
    read: Callable[[Response], T | Fault],
    *,
    params: Mapping[str, Any] | None = None,
    schema: Mapping[str, Any] | None = None,
    again: int = 1,
    repeat: int = 0,
) -> Dialogue[T | Failure]:
    """Ask, read, and ask again where the answer is not in form, naming the fault.

    Args:
        messages: The chat.
        read: Returns what an answer says, or the `Fault` that keeps it from being a verdict.
        params: Sampling parameters.
        schema: JSON Schema that the endpoint is to enforce; None asks for plain text.
        again: How often it is asked again.
        repeat: Tells samples of one question apart.

    Returns:
        What ``read`` returned, or a `Failure` that names the last fault and shows what was said.

    Raises:
        RequestError: the request failed for good.
    """
    sent = dict(params or {})
    if schema is not None:
        sent["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "verdict", "strict": True, "schema": dict(schema)},
        }
    chat = list(messages)
    while True:
        [response] = yield [Request(messages=tuple(chat), params=sent, repeat=repeat)]
        found = _fault_of(response) or read(response)
        if not isinstance(found, Fault):
            return found
        if not again:
            return Failure(found.kind, f"{found.message}; the judge said: {_shown(response.text)}")
        again -= 1
        chat += [
            {"role": "assistant", "content": response.text or "(no text)"},
            {"role": "user", "content": f"That cannot be used: {found.message}. Answer again, in the form asked for."},
        ]


def _fault_of(response: Response) -> Fault | None:
    if response.text.strip():
        return None
    if response.finish == "length":
        return Fault("cut_off", "the answer was cut off by its token limit before it said anything")
    if response.finish == "content_filter":
        return Fault("refused", "the answer was withheld by a content filter")
    return Fault("empty", "the answer is empty")


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= SHOWN else f"{line[:SHOWN]}...")


def together(dialogues: Sequence[Dialogue[T]]) -> Dialogue[list[T]]:
    """Hold several dialogues at once: their requests go out in one list, so that the engine sends them side by side.

    Raises:
        RequestError: a request of one of them failed for good; the others are given up.
    """
    results: dict[int, T] = {}
    waiting: dict[int, list[Request]] = {}

    def step(number: int, move: Callable[[], list[Request]]) -> None:
        try:
            waiting[number] = move()
        except StopIteration as end:
            waiting.pop(number, None)
            results[number] = end.value

    try:
        for number, dialogue in enumerate(dialogues):
            step(number, lambda d=dialogue: next(d))  # type: ignore[misc]
        while waiting:
            asking = list(waiting.items())
            responses = iter((yield [request for _, requests in asking for request in requests]))
            for number, requests in asking:
                answers = [next(responses) for _ in requests]
                step(number, lambda d=dialogues[number], a=answers: d.send(a))  # type: ignore[misc]
    finally:
        for dialogue in dialogues:
            dialogue.close()
    return [results[number] for number in range(len(dialogues))]
