"""The OpenAI wire format without I/O, outward: a request becomes a path and a body.

Both transports send what `build` makes and hand what comes back to `_openai_read.Reader`, so they cannot differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from llmkit.types import EACH_LOGPROB, Json, Message, Request

_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False, default=dict).encode
_LIMITS = frozenset({"max_tokens", "max_completion_tokens"})
_CHAT_ONLY = ("tools", "tool_choice", "reasoning_effort", "parallel_tool_calls")


class Call(NamedTuple):
    """What is to be sent: an API path and the body's fields."""

    path: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a provider adds to each of its requests.

    Attributes:
        model: Its model.
        params: Its sampling parameters under their names on the wire, None left out.
        extra: Body fields that it passes through on every endpoint.
        system: A system message to put before chats that have none; empty for none.
        completions: True when chats go to ``/completions`` as plain text.
        renames_max_tokens: True for OpenAI's own API, where chat knows only ``max_completion_tokens``.
    """

    model: str
    params: Mapping[str, Any]
    extra: Mapping[str, Any]
    system: str = ""
    completions: bool = False
    renames_max_tokens: bool = False


def encode(body: Mapping[str, Any]) -> bytes:
    """Return a body as JSON in UTF-8; a lone surrogate, which UTF-8 cannot hold, becomes a question mark."""
    return _ENCODE(body).encode("utf-8", "replace")


def build(dialect: Dialect, request: Request) -> Call:
    """Return what to send for a request; its own parameters win over the provider's, None removes one.

    A ``seed`` grows with ``request.repeat``: a repetition is a new draw, and as reproducible as the first.
    """
    model = request.model or dialect.model
    if request.kind == "embedding":
        body: dict[str, Any] = {"model": model, "input": list(request.texts), "encoding_format": "float"}
        return Call("/embeddings", _merged(body, dialect.extra, request.params))
    if request.kind == "loglikelihood":
        context = prompt_text(request.messages)
        prompts = [context + text for text in request.texts]
        prompt: Json = prompts[0] if len(prompts) == 1 else prompts
        body = {"model": model, "prompt": prompt, "echo": True, "logprobs": 1, "max_tokens": 0, "temperature": 0}
        asked = {name: value for name, value in request.params.items() if name != EACH_LOGPROB}
        return Call("/completions", _merged(body, dialect.extra, asked))
    own = dialect.params
    if request.params.keys() & _LIMITS:
        own = {key: value for key, value in own.items() if key not in _LIMITS}
    params = _merged(own, dialect.extra, request.params)
    if request.repeat and isinstance(params.get("seed"), int):
        params["seed"] += request.repeat
    if request.kind == "completion" or dialect.completions:
        prompt = prompt_text(_with_system(dialect, request.messages) if request.kind == "chat" else request.messages)
        return Call("/completions", {"model": model, "prompt": prompt} | _for_completions(params))
    messages = _with_system(dialect, request.messages)
    return Call("/chat/completions", {"model": model, "messages": messages} | _for_chat(params, dialect))


def _merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update(layer)
    return {key: value for key, value in merged.items() if value is not None}


def _for_chat(params: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    logprobs = params.get("logprobs")
    if logprobs is not None and not isinstance(logprobs, bool):
        params["logprobs"] = True
        params.setdefault("top_logprobs", logprobs)
    elif params.get("top_logprobs") is not None and logprobs is None:
        params["logprobs"] = True
    if dialect.renames_max_tokens and "max_tokens" in params:
        params.setdefault("max_completion_tokens", params.pop("max_tokens"))
        params.pop("max_tokens", None)
    return params


def _for_completions(params: dict[str, Any]) -> dict[str, Any]:
    top = params.pop("top_logprobs", None)
    logprobs = params.get("logprobs")
    if logprobs is False:
        del params["logprobs"]
    elif logprobs is True or (logprobs is None and top is not None):
        params["logprobs"] = 1 if top is None else top
    if "max_completion_tokens" in params:
        params.setdefault("max_tokens", params.pop("max_completion_tokens"))
    return {key: value for key, value in params.items() if key not in _CHAT_ONLY}


def _with_system(dialect: Dialect, messages: Sequence[Message]) -> list[Message]:
    if not dialect.system or any(message.get("role") in ("system", "developer") for message in messages):
        return list(messages)
    return [{"role": "system", "content": dialect.system}, *messages]


def prompt_text(messages: Sequence[Message]) -> str:
    """Return a chat as plain text: the texts of its messages, a blank line between them."""
    return "\n\n".join(content_text(message.get("content")) for message in messages)


def content_text(content: Json) -> str:
    """Return the text of a message's content, which is a text or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "".join(part if isinstance(part, str) else str(part.get("text") or "") for part in content)
    return ""
