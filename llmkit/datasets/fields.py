"""Field mapping: a set with other names is read as it is, ``fields: {input: question, references: answers}``.

A source is a field name, a dotted path (`llmkit.datasets._paths`), a list of names whose values make one list
(``choices: [A, B, C, D]``), or ``{field: "Correct Answers", split: ";"}`` for a text that holds several values.

A mapped field moves: it no longer stands under its old name, so that a gold answer cannot slip into meta; where gold
lies inside an object it is taken out of that object. Two sources stay: that of ``output``, so that a table with a
column for each system is the same set whichever column is scored, and that of ``id``, by which other files join.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llmkit.datasets._paths import getter, near
from llmkit.datasets.rows import FIELDS
from llmkit.errors import ConfigError, Problem

_STAYING = frozenset({"output", "id"})
_GOLD = frozenset({"references", "reference", "answer"})


@dataclass(frozen=True, slots=True)
class Fields:
    """A parsed mapping: ``rename`` turns a row as it stands in the file into a row of the house's names."""

    sources: frozenset[str]
    rename: Callable[[dict[str, Any]], dict[str, Any]]


def parse_fields(written: Mapping[str, Any]) -> Fields:
    """Return the mapping ready to use.

    Raises:
        ConfigError: a target that rows do not have, or a source of a wrong form; all at once.
    """
    problems: list[Problem] = []
    sources: set[str] = set()
    getters: dict[str, Callable[[Mapping[str, Any]], Any]] = {}
    for target, source in written.items():
        key = f"dataset.fields.{target}"
        name = str(target).removeprefix("meta.")
        if name == target and name not in FIELDS:
            hint = near(name, FIELDS) or f"other names go under meta: meta.{name}"
            problems.append(Problem(f"a row has no field '{name}'", key=key, hint=hint))
        elif name != target and name in FIELDS:
            problems.append(Problem(f"'{name}' cannot be the name of a meta field", key=key))
        try:
            names, get = _source(source, holes=name == "choices")
        except ValueError as error:
            problems.append(Problem(str(error), key=key))
            continue
        sources.update(names)
        getters[name] = get
    if problems:
        raise ConfigError(problems=problems)
    moved = {name for target, source in written.items() if target not in _STAYING for name in _source(source)[0]}
    gold = {name for target, source in written.items() if target in _GOLD for name in _source(source)[0]}
    return Fields(frozenset(sources), _renaming(getters, moved, sources, gold))


def _source(source: Any, *, holes: bool = False) -> tuple[list[str], Callable[[Mapping[str, Any]], Any]]:
    """Return the fields that a source names and how to read it.

    With ``holes`` a missing value keeps its place before later ones: to close up would give the later choices the
    letters of others.
    """
    match source:
        case str() if source:
            return [source], getter(source)
        case [*names] if names and all(isinstance(name, str) and name for name in names):
            getters = [getter(name) for name in names]
            return list(names), lambda row: _together([get(row) for get in getters], holes=holes)
        case {"field": str() as name, "split": str() as mark, **rest} if name and mark and not rest:
            get = getter(name)
            return [name], lambda row: _split(get(row), mark, holes=holes)
    raise ValueError("expected a field name, a list of names, or {field: name, split: ';'}")


def _together(values: list[Any], *, holes: bool) -> list[Any] | None:
    kept = _until_last(values) if holes else [value for value in values if value is not None]
    lists = [value if isinstance(value, list) else [value] for value in kept]
    return [item for items in lists for item in items] or None


def _split(value: Any, mark: str, *, holes: bool) -> Any:
    if not isinstance(value, str):
        return value
    parts = [part.strip() or None for part in value.split(mark)]
    return _until_last(parts) if holes else [part for part in parts if part]


def _until_last(values: list[Any]) -> list[Any]:
    while values and values[-1] is None:
        values = values[:-1]
    return values


def _renaming(
    getters: Mapping[str, Callable[[Mapping[str, Any]], Any]], moved: set[str], sources: set[str], gold: set[str]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    # A source, or the first step of one, leaves too where its name would be read as one of the house's fields.
    gone = moved | ({source.split(".")[0] for source in sources} & FIELDS)
    inner = [steps for steps in (name.split(".") for name in sorted(gold)) if len(steps) > 1 and steps[0] not in gone]

    def rename(row: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in row.items() if key not in gone}
        for steps in inner:
            kept = _without(kept, steps)
        for target, get in getters.items():
            kept[target] = get(row)
        return kept

    return rename


def _without(value: Any, steps: list[str]) -> Any:
    """Return ``value`` without what lies at the end of ``steps``; of a list that a number picks from, nothing stays."""
    if isinstance(value, list):
        return [_without(item, steps) if isinstance(item, Mapping) else item for item in value]
    name, *rest = steps
    if not isinstance(value, Mapping) or name not in value:
        return value
    if not rest or (isinstance(value[name], list) and rest[0].isdecimal()):
        return {key: item for key, item in value.items() if key != name}
    return {**value, name: _without(value[name], rest)}
