"""Manifests and summaries as text: the same content gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any


def plain_json(value: Mapping[str, Any], what: str) -> str:
    """Return indented JSON in the order given (scorers stay as the config lists them), with shortest exact floats.

    Numbers of numpy count as numbers. Raises ValueError that names every place of a number that is not finite.
    """
    bad = [place for place, number in _numbers(value, what) if not isfinite(number)]
    if bad:
        raise ValueError(f"not a finite number: {', '.join(bad)}")
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False, default=_plain)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value, ensure_ascii=True, indent=2, allow_nan=False, default=_plain)
    return text + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return value.tolist()
    return str(value)


def _numbers(value: Any, place: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(item, f"{place}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{place}[{index}]")
    elif hasattr(value, "tolist"):
        yield from _numbers(value.tolist(), place)
