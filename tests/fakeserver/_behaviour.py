"""What the fake server does: how it answers, how long it takes, and when and how it fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import blake2b
from time import time
from typing import Any, Literal

Answer = str | Mapping[str, Any]
Mode = Literal["reply", "drop", "truncate", "hang"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail.

    Attributes:
        status: The HTTP status of the reply.
        body: The reply's body; None takes an error body in OpenAI's form, made of ``code`` and ``message``.
        headers: Extra headers; the value ``@date+S`` becomes the HTTP date ``S`` seconds from now.
        mode: ``reply`` sends the body; ``drop`` closes the connection instead; ``truncate`` promises the whole body,
            sends half of it and closes; ``hang`` never answers.
        code: The error's code and type in the body.
        message: The error's message in the body; ``{key}`` stands for the key that the client sent.
        content_type: The reply's content type.
    """

    status: int = 500
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = "reply"
    code: str = "server_error"
    message: str = "the fake server was told to fail"
    content_type: str = "application/json"

    def text(self, key: str) -> str:
        """Return the body to send."""
        if self.body is not None:
            return self.body
        message = self.message.replace("{key}", key)
        return json.dumps({"error": {"message": message, "type": self.code, "param": None, "code": self.code}})

    def header_lines(self) -> str:
        """Return the extra headers, ready to send."""
        lines = []
        for name, value in self.headers.items():
            shown = formatdate(time() + float(value[6:]), usegmt=True) if value.startswith("@date+") else value
            lines.append(f"{name}: {shown}\r\n")
        return "".join(lines)


def _chat(content: str | None, finish: str) -> str:
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "text": content or "", "finish_reason": finish}
    usage = {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}
    return json.dumps({"id": "fake", "object": "chat.completion", "model": "fake", "choices": [choice], "usage": usage})


def _sse(*deltas: str, done: bool = True) -> str:
    chunks: list[dict[str, Any]] = [
        {"object": "chat.completion.chunk", "model": "fake", "choices": [{"index": 0, "delta": {"content": delta}}]}
        for delta in deltas
    ]
    if done:
        chunks.append({"model": "fake", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join(lines) + ("data: [DONE]\n\n" if done else "")


FAULTS: Mapping[str, Fault] = {
    "429": Fault(429, code="rate_limit_exceeded", message="Rate limit reached", headers={"Retry-After": "0.05"}),
    "429-bare": Fault(429, code="rate_limit_exceeded", message="Rate limit reached"),
    "429-date": Fault(429, code="rate_limit_exceeded", headers={"Retry-After": "@date+20", "Date": "@date+0"}),
    "429-ms": Fault(429, code="rate_limit_exceeded", headers={"Retry-After-Ms": "250", "Retry-After": "7"}),
    "429-reset": Fault(
        429,
        code="rate_limit_exceeded",
        headers={
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1m2.5s",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-tokens": "6ms",
        },
    ),
    "quota": Fault(429, code="insufficient_quota", message="You exceeded your current quota"),
    "400": Fault(400, code="invalid_request_error", message="This value is not accepted"),
    "401": Fault(401, code="invalid_api_key", message="Incorrect API key provided: {key}"),
    "403": Fault(403, code="forbidden", message="Not for you"),
    "404": Fault(404, code="model_not_found", message="The model does not exist"),
    "408": Fault(408, code="timeout", message="Too slow"),
    "409": Fault(409, code="conflict", message="Try again"),
    "422": Fault(422, code="unprocessable", message="Not processable"),
    "500": Fault(500),
    "502-html": Fault(502, body="<html><h1>Bad Gateway</h1></html>", content_type="text/html"),
    "503": Fault(503, code="overloaded", message="Overloaded", headers={"Retry-After": "1"}),
    "filter-400": Fault(400, code="content_filter", message="The prompt was filtered"),
    "filter": Fault(200, body=_chat(None, "content_filter")),
    "drop": Fault(mode="drop"),
    "hang": Fault(mode="hang"),
    "truncated": Fault(200, body=_chat("an answer that never arrives in full", "stop"), mode="truncate"),
    "malformed": Fault(200, body='{"id": "fake", "choices": [{"index": 0, "mess'),
    "garbage": Fault(200, body=_chat("fine", "stop") + "\n502 upstream said goodbye"),
    "not-object": Fault(200, body='"just a text"'),
    "no-choices": Fault(200, body='{"id": "fake", "object": "chat.completion", "choices": []}'),
    "empty": Fault(200, body=_chat("", "stop")),
    "empty-body": Fault(200, body=""),
    "length": Fault(200, body=_chat("", "length")),
    "error-200": Fault(200, body='{"error": {"message": "Provider returned error", "code": 502}}'),
    "error-200-429": Fault(200, body='{"error": {"message": "slow down", "code": 429}}'),
    "sse": Fault(200, body=_sse("Hel", "lo"), content_type="text/event-stream"),
    "sse-cut": Fault(200, body=_sse("Hel", done=False), content_type="text/event-stream"),
}
"""Faults by name. A few of them (``length``, ``sse``) are odd answers rather than failures."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Settings of a fake server.

    Attributes:
        latency: Seconds from a request's last byte to its answer.
        jitter: Up to this many seconds more, by a seeded draw.
        answer: ``echo`` gives back the last user message; any other text is the answer to everything; a function
            gets the request's body and returns the text, or a chat message (with ``tool_calls``, or with
            ``finish_reason`` or ``logprobs``, which move to the choice).
        answers: Canned answers by question: the last user message itself, or a part of it (the longest one wins).
        faults: Share of requests that fail, by fault: ``{"429": 0.05}``. The draw is seeded by prompt and attempt,
            so it does not depend on the order in which requests arrive.
        script: Faults of the first requests for a prompt: ``{"capital of France": ["500", "drop"]}``. A key matches
            prompts that contain it; ``""`` matches all. ``"ok"`` stands for a good answer.
        seed: Seed of jitter and faults.
        api_key: The key to ask for; None accepts anyone.
        cached_tokens: What the usage numbers report as read from the prompt cache.
        prompt_logprobs: False behaves as servers that refuse echo with logprobs.
        bos: A token that the tokenizer puts before every echoed prompt, as Llama's does.
    """

    latency: float = 0.0
    jitter: float = 0.0
    answer: str | Callable[[dict[str, Any]], Answer] = "echo"
    answers: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, float] = field(default_factory=dict)
    script: Mapping[str, Sequence[str | Fault]] = field(default_factory=dict)
    seed: int = 0
    api_key: str | None = None
    cached_tokens: int = 0
    prompt_logprobs: bool = True
    bos: str = ""

    def draw(self, salt: str, prompt: str, attempt: int) -> float:
        """Return a number in [0, 1) that depends on the seed, the prompt and the attempt only."""
        text = f"{self.seed}\0{salt}\0{attempt}\0{prompt}".encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(text, digest_size=7).digest(), "big") / 2**56

    def fault(self, prompt: str, attempt: int) -> tuple[str, Fault] | None:
        """Return how request number ``attempt`` (counted from 0) for ``prompt`` fails, or None."""
        for part, faults in self.script.items():
            if part in prompt and attempt < len(faults):
                planned = faults[attempt]
                if isinstance(planned, Fault):
                    return "custom", planned
                return None if planned == "ok" else (planned, FAULTS[planned])
        if self.faults:
            draw = self.draw("fault", prompt, attempt)
            for name, share in self.faults.items():
                if draw < share:
                    return name, FAULTS[name]
                draw -= share
        return None

    def reply(self, prompt: str, body: dict[str, Any]) -> Answer:
        """Return the answer to ``prompt``."""
        if self.answers:
            if prompt in self.answers:
                return self.answers[prompt]
            parts = [question for question in self.answers if question in prompt]
            if parts:
                return self.answers[max(parts, key=len)]
        if callable(self.answer):
            return self.answer(body)
        return prompt if self.answer == "echo" else self.answer
