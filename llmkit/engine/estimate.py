"""Guesses about requests that were not sent: for ``--dry-run``, token limits and the budget's reservations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmkit.types import Request

ANSWER = 256
"""Tokens an answer is taken to have where nothing limits it and nothing was seen yet."""

_CHARACTERS = 4
_MESSAGE = 4
_PICTURE = 800
_SEEN = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What running these requests would take; nothing was sent to find out.

    Attributes:
        requests: Distinct requests that would be sent.
        cached: Requests that the response cache would answer.
        journaled: Requests that this run had answered before it was interrupted.
        shared: Requests identical to one counted before.
        tokens_in: Estimated prompt tokens of what would be sent.
        tokens_out: Estimated completion tokens, an upper bound where ``max_tokens`` is set.
        cost: Estimated US dollars; None where a price is unknown.
    """

    requests: int = 0
    cached: int = 0
    journaled: int = 0
    shared: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0

    def __add__(self, other: Plan) -> Plan:
        counts = ("requests", "cached", "journaled", "shared", "tokens_in", "tokens_out")
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Plan(**{name: getattr(self, name) + getattr(other, name) for name in counts}, cost=cost)


def estimate_tokens(request: Request, answer: int | None = None, answers: int = 1) -> tuple[int, int]:
    """Return estimated ``(tokens_in, tokens_out)``: a token for four bytes of text, and what ``max_tokens`` allows.

    Args:
        request: The request.
        answer: Tokens of one answer where the request sets no ``max_tokens``; `ANSWER` by default.
        answers: Answers where the request sets no ``n``.
    """
    prompt = sum(_message_size(message) for message in request.messages)
    tokens_in = -(-prompt // _CHARACTERS) + _MESSAGE * len(request.messages)
    if request.kind == "embedding":
        return tokens_in + sum(_tokens(text) for text in request.texts), 0
    if request.kind == "loglikelihood":
        return sum(tokens_in + _tokens(text) for text in request.texts), 0
    params = request.params
    limit = params.get("max_completion_tokens") or params.get("max_tokens") or answer or ANSWER
    return tokens_in, int(limit) * int(params.get("n") or answers)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _tokens(text: str) -> int:
    return -(-_size(text) // _CHARACTERS)


def _message_size(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    if isinstance(content, str):
        return _size(content)
    if isinstance(content, (list, tuple)):
        return sum(_part_size(part) for part in content)
    return 0


def _part_size(part: Any) -> int:
    if isinstance(part, Mapping):
        text = part.get("text")
        return _size(text) if isinstance(text, str) else _PICTURE * _CHARACTERS
    return _size(str(part))


class Experience:
    """What a lane's answers have taught about its estimates: how far prompts are off, how long answers are."""

    __slots__ = ("_answers", "_estimated_in", "_tokens_in", "_tokens_out")

    def __init__(self) -> None:
        self._answers = 0
        self._estimated_in = 0
        self._tokens_in = 0
        self._tokens_out = 0

    def expect(self, request: Request, answer: int | None, answers: int) -> tuple[int, int]:
        """Return ``(tokens_in, tokens_out)``: the static estimate, corrected once enough answers were seen."""
        tokens_in, tokens_out = estimate_tokens(request, answer, answers)
        if self._answers < _SEEN:
            return tokens_in, tokens_out
        if self._estimated_in:
            tokens_in = -(-tokens_in * self._tokens_in // self._estimated_in)
        return tokens_in, min(tokens_out, -(-self._tokens_out // self._answers))

    def learn(self, request: Request, tokens_in: int, tokens_out: int) -> None:
        """Count an answer."""
        self._answers += 1
        self._estimated_in += estimate_tokens(request)[0]
        self._tokens_in += tokens_in
        self._tokens_out += tokens_out
