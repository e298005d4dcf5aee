"""Bodies of good answers: chat, completions, embeddings, models. Numbers depend on the texts alone."""

from __future__ import annotations

import base64
import json
import re
from array import array
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any
from zlib import crc32

from tests.fakeserver._behaviour import Answer, Behaviour

_TOKEN = re.compile(r"\s*\S+|\s+$")
_quote = json.encoder.encode_basestring_ascii  # the C function behind json.dumps
DIMENSIONS = 8


class BadRequestError(Exception):
    """The request's body is not one that the real server would take; the message becomes its 400."""


def tokens_of(text: str) -> list[str]:
    """Return the fake tokenizer's tokens, words with the space before them; joined they are ``text``."""
    return _TOKEN.findall(text)


def logprob_of(token: str) -> float:
    """Return the log-probability that the fake model gives a token, whatever stands before it."""
    return -0.01 - (crc32(token.encode("utf-8", "replace")) % 1000) / 250


def is_greedy(token: str) -> bool:
    """Return whether the fake model would have chosen the token itself."""
    return crc32(token.encode("utf-8", "replace")) % 2 == 0


def embedding_of(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return the fake embedding of a text, numbers in [-1, 1) that float32 holds exactly."""
    raw = blake2b(text.encode("utf-8", "replace"), digest_size=2 * dimensions).digest()
    return [(int.from_bytes(raw[i : i + 2], "big") - 32768) / 32768 for i in range(0, len(raw), 2)]


def prompt_of(path: str, body: Mapping[str, Any]) -> str:
    """Return the text that a request is known by: its last user message, its first prompt or its first input."""
    value: Any
    if path.endswith("/chat/completions"):
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise BadRequestError("messages must be a list that is not empty")
        value = next((m.get("content") for m in reversed(messages) if m.get("role") == "user"), "")
    else:
        value = body.get("prompt" if path.endswith("/completions") else "input")
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = value.get("text", "")
    return value if isinstance(value, str) else ""


def chat(behaviour: Behaviour, prompt: str, body: dict[str, Any], number: int) -> str:
    """Return the body of a chat answer; the plain case is put together by hand, because benchmarks run on it."""
    answer = behaviour.reply(prompt, body)
    size = sum(len(m.get("content") or "") for m in body["messages"]) // 4 + 3
    if isinstance(answer, str) and not body.keys() & {"n", "logprobs", "tools", "max_tokens", "max_completion_tokens"}:
        choices = (
            '{"index":0,"message":{"role":"assistant","content":' + _quote(answer) + ',"refusal":null},'
            '"logprobs":null,"finish_reason":"stop"}'
        )
        made = len(answer.split())
    else:
        listed = [_choice(answer, body, index) for index in range(body.get("n") or 1)]
        choices = json.dumps(listed)[1:-1]
        made = sum(len((choice["message"].get("content") or "").split()) for choice in listed)
    model = _quote(str(body.get("model", "")))
    return (
        f'{{"id":"chatcmpl-{number}","object":"chat.completion","created":1700000000,"model":{model},'
        f'"choices":[{choices}],{_usage(behaviour, size, made)},"system_fingerprint":"fp_fake"}}'
    )


def _usage(behaviour: Behaviour, tokens_in: int, tokens_out: int) -> str:
    return (
        f'"usage":{{"prompt_tokens":{tokens_in},"completion_tokens":{tokens_out},'
        f'"total_tokens":{tokens_in + tokens_out},"prompt_tokens_details":{{"cached_tokens":{behaviour.cached_tokens}}},'
        f'"completion_tokens_details":{{"reasoning_tokens":0}}}}'
    )


def _choice(answer: Answer, body: Mapping[str, Any], index: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    finish = "stop"
    if isinstance(answer, str):
        text, finish = _cut(answer if index == 0 else f"{answer} ({index + 1})", body)
        forced = _forced_tool(body)
        if forced:
            call = {"name": forced, "arguments": json.dumps({"text": text})}
            message["tool_calls"] = [{"id": f"call_{index}", "type": "function", "function": call}]
            finish = "stop" if isinstance(body.get("tool_choice"), dict) else "tool_calls"
        else:
            message["content"] = text
    else:
        message |= answer
        finish = message.pop("finish_reason", "tool_calls" if message.get("tool_calls") else "stop")
    logprobs = message.pop("logprobs", None)
    if body.get("logprobs") and logprobs is None:
        content = [_chat_logprob(token, body.get("top_logprobs") or 0) for token in tokens_of(message["content"] or "")]
        logprobs = {"content": content, "refusal": None}
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": finish}


def _cut(text: str, body: Mapping[str, Any]) -> tuple[str, str]:
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    tokens = tokens_of(text) if limit else []
    return ("".join(tokens[:limit]), "length") if limit and len(tokens) > limit else (text, "stop")


def _forced_tool(body: Mapping[str, Any]) -> str:
    tools, choice = body.get("tools"), body.get("tool_choice")
    if not tools or choice in (None, "none", "auto"):
        return ""
    return str(choice["function"]["name"] if isinstance(choice, dict) else tools[0]["function"]["name"])


def _chat_logprob(token: str, top: int) -> dict[str, Any]:
    own = {"token": token, "logprob": logprob_of(token), "bytes": list(token.encode("utf-8", "replace"))}
    others = [{"token": f"{token}~{i}", "logprob": logprob_of(token) - i, "bytes": None} for i in range(1, top)]
    return own | {"top_logprobs": [own, *others] if top else []}


def completions(behaviour: Behaviour, body: dict[str, Any], number: int) -> str:
    """Return the body of a plain completion; several prompts and echoed log-probabilities included."""
    prompts = body.get("prompt")
    if isinstance(prompts, str):
        prompts = [prompts]
    if not isinstance(prompts, list) or not prompts or not all(isinstance(p, str) for p in prompts):
        raise BadRequestError("prompt must be a text or a list of texts")
    wanted = body.get("logprobs")
    if body.get("echo") and wanted is not None and not behaviour.prompt_logprobs:
        raise BadRequestError("Setting 'echo' and 'logprobs' at the same time is not supported for this model.")
    choices: list[dict[str, Any]] = []
    for prompt in prompts:
        for index in range(body.get("n") or 1):
            choices.append(_completion(behaviour, prompt, body, index, len(choices)))
    made = sum(len(str(choice["text"]).split()) for choice in choices)
    head = {"id": f"cmpl-{number}", "object": "text_completion", "created": 1700000000}
    shown = json.dumps(head | {"model": body.get("model"), "choices": choices, "system_fingerprint": "fp_fake"})
    return f"{shown[:-1]},{_usage(behaviour, sum(map(len, prompts)) // 4 + 1, made)}}}"


def _completion(behaviour: Behaviour, prompt: str, body: dict[str, Any], index: int, place: int) -> dict[str, Any]:
    echo = bool(body.get("echo"))
    text, finish = "", "length"
    if body.get("max_tokens") != 0:
        answer = behaviour.reply(prompt, body)
        plain = answer if isinstance(answer, str) else str(answer.get("content"))
        text, finish = _cut(plain if index == 0 else f"{plain} ({index + 1})", body)
    logprobs = None
    if body.get("logprobs") is not None:
        bos = [behaviour.bos] if echo and behaviour.bos else []
        tokens = [*bos, *(tokens_of(prompt) if echo else []), *tokens_of(text)]
        logprobs = _legacy_logprobs(tokens, body["logprobs"], first_unknown=echo)
    return {"index": place, "text": prompt + text if echo else text, "logprobs": logprobs, "finish_reason": finish}


def _legacy_logprobs(tokens: Sequence[str], top: int, *, first_unknown: bool) -> dict[str, Any]:
    offsets, place = [], 0
    for token in tokens:
        offsets.append(place)
        place += len(token)
    numbers: list[float | None] = [logprob_of(token) for token in tokens]
    tops: list[dict[str, float] | None] = []
    for token in tokens:
        own = logprob_of(token)
        tops.append({token: own} if is_greedy(token) else {"~": own / 2, token: own} if top > 1 else {"~": own / 2})
    if first_unknown and tokens:
        numbers[0] = tops[0] = None
    return {"tokens": tokens, "token_logprobs": numbers, "top_logprobs": tops, "text_offset": offsets}


def embeddings(behaviour: Behaviour, body: Mapping[str, Any]) -> str:
    """Return the body of an embeddings answer, as floats or as base64 of little-endian float32."""
    texts = body.get("input")
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list) or not texts:
        raise BadRequestError("input must be a text or a list of texts that is not empty")
    rows: list[dict[str, Any]] = []
    for index, text in enumerate(texts):
        vector = embedding_of(text, body.get("dimensions") or DIMENSIONS)
        packed = body.get("encoding_format") == "base64"
        shown = base64.b64encode(array("f", vector).tobytes()).decode() if packed else vector
        rows.append({"object": "embedding", "index": index, "embedding": shown})
    size = sum(map(len, texts)) // 4 + 1
    usage = {"prompt_tokens": size, "total_tokens": size}
    return json.dumps({"object": "list", "data": rows[::-1], "model": body.get("model"), "usage": usage})


MODELS = json.dumps({"object": "list", "data": [{"id": "fake", "object": "model", "owned_by": "llmkit"}]})
