"""What pydantic found, in a sentence that starts small: ``expected a whole number, got 'five'``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "dataclass_type": "a mapping",
}
_OTHER: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda c: f"must be at least {_bound(c['ge'])}",
    "greater_than": lambda c: f"must be above {_bound(c['gt'])}",
    "less_than_equal": lambda c: f"must be at most {_bound(c['le'])}",
    "less_than": lambda c: f"must be below {_bound(c['lt'])}",
    "literal_error": lambda c: f"expected one of {str(c['expected']).replace(' or ', ', ')}",
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda c: f"takes at most {c['max_length']} characters",
    "too_short": lambda c: f"needs at least {c['min_length']}",
    "too_long": lambda c: f"takes at most {c['max_length']}",
}


def _bound(value: Any) -> str:
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def sentence(error: Mapping[str, Any]) -> str:
    """Return the sentence for one entry of ``ValidationError.errors()``."""
    kind = str(error["type"])
    if kind == "string_type" and isinstance(error["input"], float):
        return f"expected a text, got the number {shown(error['input'])}; put quotes around it"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, got {shown(error['input'])}"
    if kind in _OTHER:
        return f"{_OTHER[kind](error.get('ctx', {}))}, got {shown(error['input'])}"
    message = str(error["msg"]).removeprefix("Value error, ")
    if kind in ("value_error", "llmkit"):
        return message
    return f"{message[:1].lower()}{message[1:]}, got {shown(error['input'])}"


def shown(value: Any, width: int = 60) -> str:
    """Return a value as a message shows it: its Python spelling on one line, shortened."""
    if value is None:
        return "null"
    text = repr(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= width else text[: width - 3] + "..."
