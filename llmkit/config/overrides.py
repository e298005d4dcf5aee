"""``--set key.path=value``: values that replace those of a config file."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from llmkit import spec as specs
from llmkit.config.yaml_source import join, parse
from llmkit.errors import ConfigError, Problem

_PART = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")
_WHOLE = re.compile(r"[^.\[\]]+(?:\.[^.\[\]]+|\[[0-9]+\])*")


class Overridden(NamedTuple):
    """A config's data with the overrides in it.

    Attributes:
        data: The data; the original is left as it was.
        places: The override that set each key path, as the user wrote it without its value.
        problems: Overrides that could not be read or applied.
    """

    data: Any
    places: dict[str, str]
    problems: list[Problem]


def override(data: Any, overrides: Sequence[str]) -> Overridden:
    """Return ``data`` with every override applied, in order."""
    if not overrides:
        return Overridden(data, {}, [])
    data = copy.deepcopy(data)
    places: dict[str, str] = {}
    problems: list[Problem] = []
    for written in overrides:
        key, equals, value = written.partition("=")
        place = f"--set {key.strip()}"
        if not equals or not _WHOLE.fullmatch(key.strip()):
            problems.append(Problem("expected key.path=value, as in target.openai.temperature=0.5", file=place))
            continue
        try:
            parts = [name or int(index) for name, index in _PART.findall(key.strip())]
            path = _put(data, parts, parse(value).data)
        except ConfigError as error:
            first = error.problems[0]
            problems.append(Problem(f"the value cannot be read: {first.message}", file=place, hint=first.hint))
        except _Refused as error:
            problems.append(Problem(str(error), file=place))
        else:
            places[path] = place
    return Overridden(data, places, problems)


class _Refused(Exception):  # noqa: N818 - a sentence on its way to a Problem, not an error of its own
    """Why an override cannot be applied."""


def _put(data: Any, parts: list[str | int], value: Any) -> str:
    """Set the value and return its key path; raises `_Refused` where the path leads through something else."""
    here, path = data, ""
    for position, part in enumerate(parts):
        last = position == len(parts) - 1
        if isinstance(here, list):
            index = _index(part, len(here), path)
            path = join(path, index)
            if index == len(here):
                here.append(None)
            here[index] = value if last else _opened(here[index], parts[position + 1], path)
            here = here[index]
        else:
            name = str(part)
            path = join(path, name)
            here[name] = value if last else _opened(here.get(name), parts[position + 1], path)
            here = here[name]
    return path


def _index(part: str | int, length: int, path: str) -> int:
    if not str(part).isdecimal():
        raise _Refused(f"'{path}' is a list; name its item by a number, as in {path}[0]")
    if int(part) > length:
        raise _Refused(f"'{path}' has {length} items, so '{path}[{int(part)}]' is none of them")
    return int(part)


def _opened(value: Any, inner: str | int, path: str) -> Any:
    """Return what stands on the way to an inner key as something that can hold it."""
    if isinstance(value, (dict, list)):
        return value
    if value is None:
        return {}
    if path in ("dataset", "few_shot.from", "choice.from") and isinstance(value, str):
        return {"path": value}
    if path == "target" or (path.startswith("metrics[") and path.endswith("]")):
        try:
            spec = specs.parse(value)
        except ValueError:
            spec = None
        if spec is not None and spec.name == inner:
            return {spec.name: dict(spec.args)}
    elif path.startswith(("target.", "metrics[")):
        return {specs.FIRST: value}
    raise _Refused(f"'{path}' is {value!r}, which has no '{inner}' to set")
