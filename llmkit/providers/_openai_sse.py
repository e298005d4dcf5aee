"""An event stream that came although none was asked for, put together into one answer. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def is_stream(body: bytes) -> bool:
    """Return whether a body is an event stream."""
    return body.lstrip()[:6] in (b"data: ", b"data:{", b"event:") or body.startswith(b": ")


def assemble(body: bytes) -> dict[str, Any]:
    """Return the chunks of a stream as one body of the ordinary form.

    Raises:
        ValueError: a chunk is not JSON, or the stream ended before every choice was finished.
    """
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in _chunks(body):
        if chunk.get("error"):
            return chunk
        whole |= {key: value for key, value in chunk.items() if key != "choices" and value is not None}
        for piece in chunk.get("choices") or ():
            _add(choices.setdefault(piece.get("index", 0), {"finish_reason": None}), piece)
    if not choices or any(choice["finish_reason"] is None for choice in choices.values()):
        raise ValueError("the stream ended early")
    return whole | {"choices": [choices[index] | {"index": index} for index in sorted(choices)]}


def _chunks(body: bytes) -> Iterator[dict[str, Any]]:
    for line in body.decode("utf-8", "replace").splitlines():
        if line.startswith("data:") and line[5:].strip() not in ("", "[DONE]"):
            chunk = json.loads(line[5:])
            if isinstance(chunk, dict):
                yield chunk


def _add(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    choice["finish_reason"] = piece.get("finish_reason") or choice["finish_reason"]
    if "text" in piece:
        choice["text"] = choice.get("text", "") + (piece["text"] or "")
    delta = piece.get("delta") or piece.get("message")
    if delta is None:
        return
    message = choice.setdefault("message", {"role": "assistant", "content": None})
    for key in ("content", "refusal", "reasoning_content", "reasoning"):
        if delta.get(key):
            message[key] = (message.get(key) or "") + delta[key]
    for part in delta.get("tool_calls") or ():
        calls = message.setdefault("tool_calls", [])
        index = part.get("index", len(calls))
        while len(calls) <= index:
            calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
        call, function = calls[index], part.get("function") or {}
        call["id"] = part.get("id") or call["id"]
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""
