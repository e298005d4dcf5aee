"""A row becomes a sample: the one place that knows what a row may hold.

``id input messages turns references reference contexts context choices answer output`` have a meaning; an object
``meta`` is opened; every other field becomes meta under its own name. ``null`` is the same as leaving a field out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from llmkit.errors import Problem
from llmkit.hashing import canonical_json, digest
from llmkit.types import Message, Sample

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_KINDS = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "null" if value is None else "a value of another kind")


def _gold(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _id(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ValueError(f"must be text or a number, not {_kind(value)}")
    if not value.strip():
        raise ValueError("is empty")
    return value


def _input(value: Any) -> str | tuple[Message, ...]:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and isinstance(value[0], str):
        return _texts(value)[0]
    return _messages(value)


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list):
        raise ValueError(f"must be text or a list of chat messages, not {_kind(value)}")
    if not value:
        raise ValueError("is an empty list")
    for number, message in enumerate(value, 1):
        if not isinstance(message, dict):
            raise ValueError(f"has {_kind(message)} as message {number}, where an object with 'role' must be")
        role = message.get("role")
        if role not in ROLES:
            was = "no role" if role is None else f"the role {role!r}"
            raise ValueError(f"has {was} in message {number} (roles are {', '.join(ROLES)})")
        content = message.get("content")
        if not isinstance(content, (str, list)) and not (content is None and len(message) > 1):
            raise ValueError(f"has {_kind(content)} as the content of message {number}, where text or parts must be")
    return tuple(value)


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise ValueError(f"must be text or a list of texts, not {_kind(value)}")
    for number, item in enumerate(value, 1):
        if not isinstance(item, str):
            raise ValueError(f"has {_kind(item)} as item {number}, where a text must be")
    return tuple(value)


def _references(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return (_gold(value),)
    if None in value:
        raise ValueError(f"has null as item {value.index(None) + 1}")
    return tuple([item if isinstance(item, str) else canonical_json(item) for item in value])


def _contexts(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    texts = [item.get("text") if isinstance(item, dict) else item for item in items]
    for number, (item, text) in enumerate(zip(items, texts, strict=True), 1):
        if not isinstance(text, str):
            raise ValueError(f"has {_kind(item)} as item {number}, where a text (or an object with 'text') must be")
    return tuple(map(str, texts))


def _choices(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list of texts, not {_kind(value)}")
    for number, item in enumerate(value, 1):
        if isinstance(item, (dict, list)) or item is None:
            raise ValueError(f"has {_kind(item)} as item {number}, where a text must be")
    return tuple(map(_gold, value))


def _answer(value: Any) -> str | int:
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return value
    if isinstance(value, (list, dict)):
        raise ValueError(f"must be a label or an index, not {_kind(value)}")
    return canonical_json(value)


_CONVERT: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "id": ("id", _id),
    "input": ("input", _input),
    "messages": ("input", _messages),
    "turns": ("turns", _texts),
    "references": ("references", _references),
    "reference": ("references", _references),
    "contexts": ("contexts", _contexts),
    "context": ("contexts", _contexts),
    "choices": ("choices", _choices),
    "answer": ("answer", _answer),
    "output": ("output", _gold),
}
FIELDS = frozenset(_CONVERT)
"""Names of a row that have a meaning of their own."""

LISTS = frozenset({"messages", "turns", "references", "reference", "contexts", "context", "choices"})
"""Fields that hold several values, which a cell of a table writes as a JSON list."""

Converted: TypeAlias = Sample | list[Problem]


def sample_of(row: Any, line: int, file: str) -> Converted:
    """Return the row as a sample, or everything that is wrong with it."""
    if not isinstance(row, dict):
        message = f'the row is {_kind(row)}, where an object such as {{"input": ...}} must be'
        return [Problem(message, file=file, line=line)]
    values: dict[str, Any] = {}
    meta: dict[str, Any] = {}
    wrong: list[str] = []
    for key, value in row.items():
        known = _CONVERT.get(key)
        if known is None:
            meta[key] = value
        elif value is not None:
            name, convert = known
            if name in values:
                wrong.append(f"'{key}' says a second time what another field says; keep one of them")
            try:
                values[name] = convert(value)
            except ValueError as error:
                values[name] = ()
                wrong.append(f"'{key}' {error}")
    if "meta" in meta and isinstance(meta["meta"], dict):
        meta = {**meta.pop("meta"), **meta}
    if not wrong:
        _finish(row, values, meta, wrong)
    if wrong:
        return [Problem(message, file=file, line=line) for message in wrong]
    return Sample(meta=meta, line=line, **values)


def _finish(row: dict[str, Any], values: dict[str, Any], meta: dict[str, Any], wrong: list[str]) -> None:
    """Add what only the whole row tells: further turns, a missing id, and what is wrong though each field is right."""
    given = values.get("input")
    if given is None and "output" not in values:
        names = ", ".join([str(name) for name in row if row[name] is not None][:8]) or "nothing"
        wrong.append(f"the row has neither 'input' nor 'output' but {names}; dataset.fields maps other names")
    elif given == "" and "output" not in values:
        wrong.append("'input' is empty")
    asked = row.get("input")
    if type(asked) is list and type(given) is str:
        if "turns" in values:
            wrong.append("'input' is a list of turns, and there are 'turns' too; keep one of them")
        values["turns"] = tuple(asked[1:])
    answer = values.get("answer")
    if type(answer) is int and "choices" in values and not 0 <= answer < len(values["choices"]):
        count = len(values["choices"])
        wrong.append(f"'answer' is {answer}, not an index into the {count} choices (they count from 0)")
    if "id" not in values:
        values["id"] = content_id(values, meta)


def content_id(values: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    """Return the id of a row that has none: 12 hex digits of its content.

    The recorded output stands aside, so that the same questions answered by two systems get the same ids; it
    counts only where the row has neither an input nor a reference.
    """
    content: list[Any] = [values.get(name) for name in _CONTENT]
    if content[0] is None and content[2] is None:
        content.append(values.get("output"))
    return digest([*content, meta])[:12]


_CONTENT = ("input", "turns", "references", "contexts", "choices", "answer")


def row_digest(sample: Sample) -> str:
    """Return the 16-byte hex digest of a sample's id and content; its recorded output is no part of the question."""
    return digest(
        [
            sample.id,
            sample.input,
            sample.turns,
            sample.references,
            sample.contexts,
            sample.choices,
            sample.answer,
            sample.meta,
        ]
    )
