"""The OpenAI wire format without I/O, inward: an HTTP answer becomes a response, or the failure that it is."""

from __future__ import annotations

import base64
import binascii
import json
import sys
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from llmkit.errors import PermanentError, RequestError, TransientError
from llmkit.providers import _openai_logprobs, _openai_sse
from llmkit.providers._openai_failures import Reply, failure, failure_in_success, short
from llmkit.providers._openai_wire import content_text, prompt_text
from llmkit.types import EACH_LOGPROB, Json, Request, Response

_DECODE = json.JSONDecoder().decode
_OK = 200


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads what one endpoint answers.

    Attributes:
        name: How messages name the endpoint.
        scrub: Takes secrets out of a text.
        allow_empty: True when an answer without text is an answer.
    """

    name: str
    scrub: Callable[[str], str]
    allow_empty: bool = False

    def read(self, request: Request, reply: Reply, started: float) -> Response:
        """Return the response that a reply holds.

        Args:
            request: What was asked.
            reply: The HTTP answer.
            started: ``perf_counter()`` when the request was sent, for the latency.

        Raises:
            TransientError: the status says so, the body is no answer (``malformed``), or the answer is ``empty``.
            PermanentError: the status says so, the content filter refused, the token limit left no answer, or the
                server cannot do what is asked.
        """
        if reply.status != _OK:
            raise failure(reply, name=self.name, scrub=self.scrub)
        data = self._decode(reply.body)
        if isinstance(data, list) and len(data) == 1:
            data = data[0]
        if not isinstance(data, dict):
            raise self._malformed("the body is not an object")
        if data.get("error") or (data.get("object") == "error"):
            raise failure_in_success(data, name=self.name, scrub=self.scrub)
        try:
            if request.kind == "embedding":
                return self._embeddings(request, data, started)
            if request.kind == "loglikelihood":
                return self._loglikelihoods(request, data, started)
            return self._answer(data, started)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise self._malformed(f"{type(error).__name__} at {error}") from None

    def _decode(self, body: bytes) -> Json:
        try:
            if _openai_sse.is_stream(body):
                return _openai_sse.assemble(body)
            return _DECODE(body.decode("utf-8-sig"))
        except (ValueError, RecursionError, TypeError, AttributeError) as error:
            what = "the body is empty" if not body.strip() else f"the body is not the JSON of an answer: {error}"
            raise self._malformed(what) from None

    def _malformed(self, what: str) -> TransientError:
        return TransientError(f"{self.name} sent a garbled answer: {short(self.scrub(what))}", kind="malformed")

    def _answer(self, data: dict[str, Any], started: float) -> Response:
        choices = data["choices"]
        if not choices:
            raise ValueError("no choices")
        if len(choices) > 1:
            choices = sorted(choices, key=lambda choice: choice.get("index") or 0)
        first = choices[0]
        if first.get("error"):
            raise failure_in_success(first, name=self.name, scrub=self.scrub)
        texts = [_valid(_choice_text(choice)) for choice in choices]
        message = first.get("message") or {}
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
            raise ValueError("tool_calls that are not a list of objects")
        finish = str(first.get("finish_reason") or "")
        tokens_in, tokens_out, tokens_cached, extra = _usage(data)
        if not calls and not any(texts) and (refused := self._empty(finish)) is not None:
            refused.tokens = (tokens_in, tokens_out, tokens_cached)
            raise refused
        _keep(extra, message)
        return Response(
            text=texts[0],
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            tokens_cached=tokens_cached,
            finish=finish,
            model=str(data.get("model") or ""),
            alternatives=tuple(texts) if len(texts) > 1 else (),
            tool_calls=tuple(calls),
            logprobs=_openai_logprobs.of_choice(first) if first.get("logprobs") else (),
            extra=extra,
            latency=perf_counter() - started,
        )

    def _empty(self, finish: str) -> RequestError | None:
        """Return the failure that an answer without text is, or None where the user takes it as an answer."""
        if finish == "content_filter":
            message = f"{self.name} withheld the answer by its content filter"
            return PermanentError(message, kind="content_filter", status=_OK)
        if self.allow_empty:
            return None
        if finish == "length":
            message = f"{self.name} used up the token limit before it said anything; raise max_tokens"
            return PermanentError(message, kind="empty", status=_OK)
        message = f"{self.name} sent an empty answer (finish: {finish or 'not given'})"
        return TransientError(message, kind="empty")

    def _loglikelihoods(self, request: Request, data: dict[str, Any], started: float) -> Response:
        choices = sorted(data["choices"], key=lambda choice: choice.get("index") or 0)
        if len(choices) != len(request.texts):
            raise ValueError(f"{len(choices)} choices for {len(request.texts)} prompts")
        context = prompt_text(request.messages)
        try:
            found = tuple(
                _openai_logprobs.loglikelihood(choice, context, text, parts=bool(request.params.get(EACH_LOGPROB)))
                for choice, text in zip(choices, request.texts, strict=True)
            )
        except _openai_logprobs.UnsupportedError as error:
            message = f"{self.name} cannot score given texts: {self.scrub(str(error))}"
            raise PermanentError(message, kind="unsupported", status=_OK) from None
        return self._numbers(data, started, loglikelihoods=found)

    def _embeddings(self, request: Request, data: dict[str, Any], started: float) -> Response:
        rows = sorted(data["data"], key=lambda row: row.get("index") or 0)
        vectors = tuple(_vector(row["embedding"]) for row in rows)
        if len(vectors) != len(request.texts):
            raise ValueError(f"{len(vectors)} embeddings for {len(request.texts)} texts")
        if len({len(vector) for vector in vectors}) > 1 or not all(vectors):
            raise ValueError("embeddings of unequal length")
        return self._numbers(data, started, embeddings=vectors)

    def _numbers(self, data: dict[str, Any], started: float, **fields: Any) -> Response:
        tokens_in, tokens_out, tokens_cached, extra = _usage(data)
        return Response(
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            tokens_cached=tokens_cached,
            model=str(data.get("model") or ""),
            extra=extra,
            latency=perf_counter() - started,
            **fields,
        )


def _choice_text(choice: Mapping[str, Any]) -> str:
    message = choice.get("message")
    if message is None:
        text = choice.get("text")
        if text is None:
            raise ValueError("a choice without message or text")
        return str(text)
    return content_text(message.get("content")) or content_text(message.get("refusal"))


def _valid(text: str) -> str:
    """Return ``text`` with half a surrogate pair, which some servers cut off, replaced; files could not hold it."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _usage(data: Mapping[str, Any]) -> tuple[int | None, int | None, int | None, dict[str, Any]]:
    usage = data.get("usage") or {}
    extra: dict[str, Any] = {}
    reasoning = _count((usage.get("completion_tokens_details") or {}).get("reasoning_tokens"))
    if reasoning:
        extra["reasoning_tokens"] = reasoning
    fingerprint = data.get("system_fingerprint")
    if fingerprint:
        extra["system_fingerprint"] = fingerprint
    cached = _count((usage.get("prompt_tokens_details") or {}).get("cached_tokens"))
    return _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), cached, extra


def _count(value: Json) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _keep(extra: dict[str, Any], message: Mapping[str, Any]) -> None:
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    if reasoning:
        extra["reasoning"] = _valid(reasoning) if isinstance(reasoning, str) else reasoning
    if message.get("refusal"):
        extra["refusal"] = True
    if message.get("annotations"):
        extra["annotations"] = message["annotations"]


def _vector(value: Json) -> tuple[float, ...]:
    if not isinstance(value, str):
        return tuple(map(float, value))
    try:
        numbers = array("f", base64.b64decode(value, validate=True))
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if sys.byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)
