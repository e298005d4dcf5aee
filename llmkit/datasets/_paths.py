"""How a user names a field of a row: ``category``, ``question.stem``, ``answers.0.text``, ``question.choices.text``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def getter(path: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return a function that takes a row and returns the value at ``path``; None where there is none.

    A field whose own name holds the dots wins. On a list a number picks an item, a name is taken from every item.
    """
    if "." not in path:
        return lambda row: row.get(path)
    steps = path.split(".")

    def get(row: Mapping[str, Any]) -> Any:
        if path in row:
            return row[path]
        value: Any = row
        for step in steps:
            value = _step(value, step)
            if value is None:
                return None
        return value

    return get


def _step(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, list):
        if step.isdecimal():
            return value[int(step)] if int(step) < len(value) else None
        return [item.get(step) if isinstance(item, Mapping) else None for item in value]
    return None


def near(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'question'?``, or an empty text where no known name is near."""
    names = sorted(known)
    lower = {item.lower(): item for item in reversed(names)}
    if name.lower() in lower:
        return f"did you mean '{lower[name.lower()]}'?"
    found = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{found[0]}'?" if found else ""
