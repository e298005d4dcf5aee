"""Filters on metadata: a small language, checked against the index's fields, compiled to parameterised SQL.

``date >= 2023-01-01 and lang = "en"`` · ``tags = howto and not (draft = true)`` · ``lang in ("en", "de")`` ·
``exists author`` · ``path glob "guides/*"`` · ``title contains "install"``

- A test is true or false, never unknown: of a document without the field every test is false, so ``lang != "en"``,
  which is ``not lang = "en"``, is true of it.
- A field of type ``list[str]`` holds a value when one of its items does: ``tags = howto``, ``tags contains how``.
- A date may be a year or a month, and stands for all of it: ``date = 2023``, ``date <= 2023-06`` (to the end of June).
- Texts are compared as they are, case included; ``contains`` looks for a part, ``glob`` knows ``*``, ``?``, ``[...]``.
- ``path`` and ``title`` are fields of every index.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from llmkit.registry import did_you_mean
from llmkit.retrieval._filter_words import Compare, Exists, FilterError, Joined, Not, Tree, Value, caret, parse_filter

__all__ = ["BUILT_IN", "Filter", "FilterError", "compile_filter", "fields_of"]

BUILT_IN: Mapping[str, str] = {"path": "d.path", "title": "d.title"}
"""Fields that are no metadata, and their columns."""

METADATA = "d.meta"
"""The column with a document's metadata, a JSON object."""

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_NUMBERS = ("int", "float", "number")
_DECEMBER = 12
_FOR_EVER = ":"  # the character behind 9, so greater than every date


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on documents, the row being ``d`` with the columns ``path``, ``title`` and ``meta``.

    Attributes:
        sql: An SQL expression that is 0 or 1; everything that a user wrote is a parameter.
        parameters: In the order of the question marks.
        source: The filter as it was written.
    """

    sql: str
    parameters: tuple[str | int | float, ...]
    source: str


def compile_filter(source: str, fields: Mapping[str, str]) -> Filter:
    """Return a filter as SQL.

    Args:
        source: The filter.
        fields: The index's metadata: the type of each field (``str``, ``int``, ``float``, ``bool``, ``date``,
            ``list[str]``).

    Raises:
        FilterError: it cannot be read, or does not fit the fields; all misfits at once.
    """
    tree = parse_filter(source)
    known = {**dict.fromkeys(BUILT_IN, "str"), **fields}
    problems = [caret(source, at, f"filter: {message}") for at, message in _misfits(tree, known)]
    if problems:
        raise FilterError("\n".join(problems))
    parameters: list[str | int | float] = []
    sql = _sql(tree, known, parameters)
    return Filter(sql, tuple(parameters), source)


def fields_of(tree: Tree) -> Iterator[str]:
    """Yield every field that a filter reads, as often as it does."""
    match tree:
        case Joined(parts=parts):
            for part in parts:
                yield from fields_of(part)
        case Not(part=part):
            yield from fields_of(part)
        case Compare() | Exists():
            yield tree.field


def _misfits(tree: Tree, known: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    match tree:
        case Joined(parts=parts):
            for part in parts:
                yield from _misfits(part, known)
        case Not(part=part):
            yield from _misfits(part, known)
        case Compare() | Exists() if tree.field not in known:
            yield tree.at, f"there is no field '{tree.field}' ({did_you_mean(tree.field, tuple(known))})"
        case Compare():
            yield from _type_misfits(tree, known[tree.field])


def _type_misfits(test: Compare, kind: str) -> Iterator[tuple[int, str]]:
    textual = kind in {"str", "list[str]"}
    if test.operator in {"contains", "glob"} and not textual:
        yield test.at, f"'{test.operator}' is for texts, and '{test.field}' is of type {kind}"
        return
    if test.operator in {"<", "<=", ">", ">="} and kind in {"bool", "list[str]"}:
        yield test.at, f"'{test.field}' is of type {kind}, which has no order; use = or in"
        return
    for value in test.values:
        message = _value_misfit(value, kind)
        if message:
            yield value.at, f"{message}, and '{test.field}' is of type {kind}"


def _value_misfit(value: Value, kind: str) -> str:
    shown = f"'{value.text}'"
    if kind in _NUMBERS:
        return "" if not value.quoted and _number(value.text) is not None else f"{shown} is no number"
    if kind == "bool":
        return "" if value.text.lower() in {"true", "false"} else f"{shown} is neither true nor false"
    if kind == "date":
        return "" if _period(value.text) is not None else f"{shown} is no date such as 2023-06-30, 2023-06 or 2023"
    return ""


def _number(text: str) -> int | float | None:
    """Return a number that SQLite can hold; what is not finite is none."""
    try:
        whole = int(text)
    except ValueError:
        pass
    else:
        return whole if -(2**63) <= whole < 2**63 else float(whole) if abs(whole) < 10**300 else None
    try:
        found = float(text)
    except ValueError:
        return None
    return found if abs(found) != float("inf") and found == found else None  # noqa: PLR0124 - NaN is not itself


def _period(text: str) -> tuple[str, str] | None:
    """Return the first day that a date stands for, and the day after its last one."""
    match = _DATE.fullmatch(text)
    if match is None or not text.isascii():
        return None
    year, month, day = (int(part) if part else 0 for part in match.groups())
    try:
        first = date(year, month or 1, day or 1)
    except ValueError:
        return None
    try:
        if day:
            after = first + timedelta(days=1)
        elif month:
            after = date(year + month // _DECEMBER, month % _DECEMBER + 1, 1)
        else:
            after = date(year + 1, 1, 1)
    except (ValueError, OverflowError):
        return first.isoformat(), _FOR_EVER
    return first.isoformat(), after.isoformat()


def all_of(filters: Sequence[str] | None) -> str | None:
    """Return one filter of several, all of which must hold; None for none."""
    if not filters:
        return None
    return filters[0] if len(filters) == 1 else " and ".join(f"({one})" for one in filters)


def _sql(tree: Tree, known: Mapping[str, str], parameters: list[Any]) -> str:
    match tree:
        case Joined(word=word, parts=parts):
            return _tree(word.upper(), [_sql(part, known, parameters) for part in parts])
        case Not(part=part):
            return f"(NOT {_sql(part, known, parameters)})"
        case Exists(field=field):
            return f"({_column(field, parameters)} IS NOT NULL)"
        case Compare(operator="!="):
            return f"(NOT {_sql(Compare(tree.field, '=', tree.values, tree.at), known, parameters)})"
        case Compare():
            return _compared(tree, known[tree.field], parameters)


def _compared(tree: Compare, kind: str, parameters: list[Any]) -> str:
    if kind == "list[str]":
        parameters.append(_path(tree.field))
        test = _tests(tree, "value", (), parameters)
        return f"EXISTS (SELECT 1 FROM json_each({METADATA}, ?) WHERE {test})"  # noqa: S608 - made of our own words
    if tree.field in BUILT_IN:
        return _tests(tree, BUILT_IN[tree.field], (), parameters)
    return _tests(tree, f"json_extract({METADATA}, ?)", (_path(tree.field),), parameters, kind)


def _tests(tree: Compare, column: str, before: tuple[str, ...], parameters: list[Any], kind: str = "str") -> str:
    """Return the test of a column; ``before`` are parameters that the column itself takes, each time it is named."""
    if tree.operator == "in" and kind != "date":
        parameters += [*before, *(compared for value in tree.values for _, compared in _comparisons("=", value, kind))]
        return f"COALESCE({column} IN ({', '.join('?' * len(tree.values))}), 0)"
    found = []
    for value in tree.values:
        operator = "=" if tree.operator == "in" else tree.operator
        for sign, compared in _comparisons(operator, value, kind):
            parameters += [*before, compared]
            found.append(sign.format(column=column))
    # Two comparisons of one date belong together.
    step = len(found) // len(tree.values)
    groups = [" AND ".join(found[at : at + step]) for at in range(0, len(found), step)]
    return f"COALESCE({_tree('OR' if tree.operator == 'in' else 'AND', groups)}, 0)"


def _tree(word: str, tests: Sequence[str]) -> str:
    """Join tests in pairs of pairs: SQLite refuses a chain of a thousand as too deep an expression."""
    if len(tests) == 1:
        return f"({tests[0]})"
    half = len(tests) // 2
    return f"({_tree(word, tests[:half])} {word} {_tree(word, tests[half:])})"


def _comparisons(operator: str, value: Value, kind: str) -> list[tuple[str, Any]]:
    """Return SQL comparisons, all of which must hold, with the parameter of each."""
    if operator == "contains":
        return [("instr({column}, ?) > 0", value.text)]
    if operator == "glob":
        return [("{column} GLOB ?", value.text)]
    if kind == "date":
        period = _period(value.text)
        assert period is not None
        first, after = period
        chosen = {"=": (">=", "<"), "<": ("<", ""), ">=": (">=", ""), "<=": ("", "<"), ">": ("", ">=")}[operator]
        pairs = zip(chosen, (first, after), strict=True)
        return [(f"{{column}} {sign} ?", day) for sign, day in pairs if sign]
    compared: Any = value.text
    if kind in _NUMBERS:
        compared = _number(value.text)
    elif kind == "bool":
        compared = int(value.text.lower() == "true")
    return [(f"{{column}} {operator} ?", compared)]


def _column(field: str, parameters: list[Any]) -> str:
    if field in BUILT_IN:
        return f"NULLIF({BUILT_IN[field]}, '')"
    parameters.append(_path(field))
    return f"json_extract({METADATA}, ?)"


def _path(field: str) -> str:
    """Return a field's path in JSON; inside the quotation marks nothing but the mark itself needs care."""
    return f'$."{field}"'
