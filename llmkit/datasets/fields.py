"""Field mapping: a set with other names is read as it is, ``fields: {input: question, references: answers}``.

A source is a field name, a dotted path (`llmkit.datasets._paths`), a list of names whose values make one list
(``choices: [A, B, C, D]``), or ``{field: "Correct Answers", split: ";"}`` for a text that holds several values.

A mapped field moves: it no longer stands under its old name, so that a gold answer cannot slip into meta. Only the
source of ``output`` stays, so that a table with a column for each system is the same set whichever column is scored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llmkit.datasets._paths import getter, near
from llmkit.datasets.rows import FIELDS
from llmkit.errors import ConfigError, Problem


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
            names, get = _source(source)
        except ValueError as error:
            problems.append(Problem(str(error), key=key))
            continue
        sources.update(names)
        getters[name] = get
    if problems:
        raise ConfigError(problems=problems)
    moved = {name for target, source in written.items() if target != "output" for name in _source(source)[0]}
    return Fields(frozenset(sources), _renaming(getters, moved, sources))


def _source(source: Any) -> tuple[list[str], Callable[[Mapping[str, Any]], Any]]:
    match source:
        case str() if source:
            return [source], getter(source)
        case [*names] if names and all(isinstance(name, str) and name for name in names):
            getters = [getter(name) for name in names]
            return list(names), lambda row: _together([get(row) for get in getters])
        case {"field": str() as name, "split": str() as mark, **rest} if name and mark and not rest:
            get = getter(name)
            return [name], lambda row: _split(get(row), mark)
    raise ValueError("expected a field name, a list of names, or {field: name, split: ';'}")


def _together(values: list[Any]) -> list[Any] | None:
    lists = [value if isinstance(value, list) else [value] for value in values if value is not None]
    return [item for items in lists for item in items] or None


def _split(value: Any, mark: str) -> Any:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(mark) if part.strip()]


def _renaming(
    getters: Mapping[str, Callable[[Mapping[str, Any]], Any]], moved: set[str], sources: set[str]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    # A source, or the first step of one, leaves too where its name would be read as one of the house's fields.
    gone = moved | ({source.split(".")[0] for source in sources} & FIELDS)

    def rename(row: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in row.items() if key not in gone}
        for target, get in getters.items():
            kept[target] = get(row)
        return kept

    return rename
