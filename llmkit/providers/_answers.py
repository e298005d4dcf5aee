"""What the targets that are code share: the question in a request, and a response made from what code returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmkit.errors import PermanentError
from llmkit.hashing import canonical_json
from llmkit.types import Passage, Request, Response

_OWN_FIELDS = frozenset({"text", "tokens_in", "tokens_out", "cost", "latency", "finish", "model", "retrieved", "extra"})


def content_text(content: Any) -> str:
    """Return the text of a message's ``content``: a text, or the text parts of a list of parts, joined by newlines."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""


def question(request: Request) -> str:
    """Return the last user message of a request; its last message where no user speaks; else an empty text."""
    for message in reversed(request.messages):
        if message.get("role") == "user":
            return content_text(message.get("content"))
    return content_text(request.messages[-1].get("content")) if request.messages else ""


def plain(value: Any) -> Any:
    """Return a mapping of any kind as plain dicts and lists, so that code and JSON can take it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def as_text(value: Any) -> str:
    """Return a text as it is and any other JSON value as canonical JSON, the rule that references follow too."""
    return value if isinstance(value, str) else canonical_json(value)


def response_of(value: Any, who: str, latency: float = 0.0) -> Response:
    """Return the response that a target's return value stands for.

    Args:
        value: A text; a mapping with ``text`` and optionally ``tokens_in``, ``tokens_out``, ``cost`` (US dollars),
            ``latency`` (seconds), ``finish``, ``model``, ``retrieved`` (passages best first: texts, or mappings
            with ``id``, ``text``, ``score``), anything else going to ``extra``; or a `Response`.
        who: The target, for the message when the value is none of these.
        latency: Seconds it took, used where the value does not say.

    Raises:
        PermanentError: kind ``malformed``, naming the field that is wrong.
    """
    if isinstance(value, Response):
        return value
    if isinstance(value, str):
        return Response(text=value, latency=latency)
    if not isinstance(value, Mapping):
        raise _malformed(who, f"returned {_a(value)}; expected a text, or a mapping with 'text'")
    text = value.get("text")
    if not isinstance(text, str):
        raise _malformed(
            who, f"'text' is {_a(text)}; expected a text" if "text" in value else "no 'text' in the mapping"
        )
    extra = {str(key): item for key, item in value.items() if key not in _OWN_FIELDS}
    own = value.get("extra")
    return Response(
        text=text,
        tokens_in=_count(value, "tokens_in", who),
        tokens_out=_count(value, "tokens_out", who),
        cost=_number(value, "cost", who),
        latency=latency if (taken := _number(value, "latency", who)) is None else taken,
        finish=str(value.get("finish") or ""),
        model=str(value.get("model") or ""),
        retrieved=_passages(value.get("retrieved"), who),
        extra={**extra, **own} if isinstance(own, Mapping) else extra,
    )


def _passages(value: Any, who: str) -> tuple[Passage, ...]:
    if value is None:
        return ()
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        raise _malformed(who, f"'retrieved' is {_a(value)}; expected a list of passages")
    return tuple(_passage(item, number, who) for number, item in enumerate(value))


def _passage(value: Any, number: int, who: str) -> Passage:
    if isinstance(value, Passage):
        return value
    if isinstance(value, str):
        return Passage(id=str(number), text=value)
    if not isinstance(value, Mapping):
        raise _malformed(
            who, f"'retrieved[{number}]' is {_a(value)}; expected a text, or a mapping with 'id' and 'text'"
        )
    own = ("id", "text", "score", "meta")
    more = {str(key): item for key, item in value.items() if key not in own}
    meta = value.get("meta")
    return Passage(
        id=str(value.get("id", number)),
        text=as_text(value.get("text") or ""),
        score=_number(value, "score", who) or 0.0,
        meta={**more, **meta} if isinstance(meta, Mapping) else more,
    )


def _number(value: Mapping[str, Any], name: str, who: str) -> float | None:
    number = value.get(name)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise _malformed(who, f"'{name}' is {_a(number)}; expected a number")
    return float(number)


def _count(value: Mapping[str, Any], name: str, who: str) -> int | None:
    number = _number(value, name, who)
    if number is None:
        return None
    if number < 0 or number != int(number):
        raise _malformed(who, f"'{name}' is {number:g}; expected a whole number of tokens")
    return int(number)


def _a(value: Any) -> str:
    names = {
        "NoneType": "nothing (None)",
        "str": "a text",
        "dict": "a mapping",
        "list": "a list",
        "bool": "true or false",
        "int": "a number",
        "float": "a number",
    }
    return names.get(type(value).__name__, f"a value of type {type(value).__name__}")


def _malformed(who: str, what: str) -> PermanentError:
    return PermanentError(f"{who}: {what}", kind="malformed")
