"""The JSON value in an answer, and JSON equality."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal, NoReturn

Where = Literal["whole", "fenced", "anywhere"]
"""Where an output may hold its JSON: it is JSON and nothing else; or has it in a fenced block; or anywhere."""

_FENCE = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
_OPENING = re.compile(r"[{\[]")


class NotJson:
    """There is no JSON value."""


NOT_JSON = NotJson()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def parse_json(text: str) -> Any:
    """Return the JSON value that ``text`` is, or `NOT_JSON`; NaN and Infinity are not JSON."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return NOT_JSON


def json_answer(text: str, where: Where) -> Any:
    """Return the JSON value of an output, or `NOT_JSON`.

    ``fenced`` also takes the first fenced block (three backticks) that holds JSON; ``anywhere`` then also the first
    object or array that stands in the text.
    """
    value = parse_json(text)
    if value is not NOT_JSON or where == "whole":
        return value
    for block in _FENCE.finditer(text):
        value = parse_json(block[1])
        if value is not NOT_JSON:
            return value
    return _first_value(text) if where == "anywhere" else NOT_JSON


_ATTEMPTS = 100


def _first_value(text: str) -> Any:
    # Each attempt may read to the end of the text, so their number is bounded.
    for attempt, opening in enumerate(_OPENING.finditer(text)):
        if attempt == _ATTEMPTS:
            break
        try:
            return _DECODER.raw_decode(text, opening.start())[0]
        except (ValueError, RecursionError):
            continue
    return NOT_JSON


def is_number(value: Any) -> bool:
    """Tell whether a JSON value is a number; Python takes true for one."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> dict[tuple[str | int, ...], Any]:
    """Return the leaves of a JSON value by path: scalars, and empty objects and arrays."""
    found: dict[tuple[str | int, ...], Any] = {}
    stack: list[tuple[tuple[str | int, ...], Any]] = [(path, value)]
    while stack:
        place, item = stack.pop()
        if isinstance(item, Mapping) and item:
            stack.extend(((*place, str(key)), inner) for key, inner in item.items())
        elif isinstance(item, list) and item:
            stack.extend(((*place, index), inner) for index, inner in enumerate(item))
        else:
            found[place] = item
    return found
