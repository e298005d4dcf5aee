"""People's labels of rows, from fields of the rows or from a file; every value read the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.datasets import field_getter
from llmkit.datasets.readers import format_of, read_csv, read_json, read_tsv
from llmkit.errors import DataError, Problem
from llmkit.jsonl import read_rows
from llmkit.types import Sample

if TYPE_CHECKING:
    from llmkit.config.human import Human

Value: TypeAlias = float | str | None
"""A label or a verdict; None where there is none."""

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula to a spreadsheet."""

_SHOWN = 20
_READERS: Mapping[str, Callable[[Path], Iterator[tuple[int, Any]]]] = {
    "jsonl": read_rows,
    "csv": read_csv,
    "tsv": read_tsv,
    "json": read_json,
}


def read_value(value: Any, codes: Mapping[str, float | str] | None = None) -> Value:
    """Return a label as the audit counts it: a number, a text, or None for an empty one.

    Truth values are 1 and 0, a text that is a number is that number, and ``codes`` say what others stand for.
    """
    if type(value) is float or (type(value) is int and not codes):
        return float(value)
    if value is None:
        return None
    if isinstance(value, bool):
        text = "true" if value else "false"
        return codes[text] if codes and text in codes else float(value)
    text = f"{value:g}" if isinstance(value, (int, float)) else str(value).strip()
    if codes and text in codes:
        return codes[text]
    return _number_or_text(text) if text else None


def _number_or_text(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if isfinite(number) else text


@dataclass
class People:
    """Labels of rows.

    Attributes:
        annotators: Who labelled.
        source: Where the labels come from, as the user named it.
        strata: The stratum a labelled row was drawn from, where the file says it.
        of: Returns the labels of a row, one an annotator.
        reason: Returns why people said so.
        unmatched: Returns how many labels belong to no row that was seen.
    """

    annotators: tuple[str, ...]
    source: str
    of: Callable[[Sample], tuple[Value, ...]]
    strata: Mapping[str, str] = field(default_factory=dict)
    reason: Callable[[Sample], str] = lambda _: ""
    unmatched: Callable[[], int] = lambda: 0


def people(human: Human, base: Path) -> People:
    """Return the labels that a config names.

    Raises:
        DataError: the file cannot be read, or rows of it lack an id; all at once.
    """
    if human.file is not None:
        return _of_file(human, base / Path(human.file).expanduser())
    getters = [field_getter(name) for name in human.field]
    codes = human.values
    told = None if human.reason is None else field_getter(human.reason)

    def reason(sample: Sample) -> str:
        return "" if told is None else str(told(sample) or "")

    if len(getters) == 1:
        get = getters[0]

        def several(sample: Sample) -> tuple[Value, ...]:
            found = get(sample)
            if isinstance(found, (list, tuple)):
                return tuple(read_value(one, codes) for one in found)
            return (read_value(found, codes),)

        return People(human.field, f"field {human.field[0]}", several, reason=reason)
    return People(
        human.field,
        f"fields {', '.join(human.field)}",
        lambda sample: tuple(read_value(get(sample), codes) for get in getters),
        reason=reason,
    )


def _of_file(human: Human, path: Path) -> People:
    sheet = _Labels(human, str(path))
    for number, row in _rows(path):
        sheet.add(number, row)
    problems = sheet.problems
    if not sheet.some and not problems:
        problems.append(Problem("it holds no labels", file=str(path)))
    if problems:
        more = [f"and {len(problems) - _SHOWN:,} more"] if len(problems) > _SHOWN else []
        raise DataError("\n".join([*map(str, problems[:_SHOWN]), *more]), problems[:_SHOWN])
    names = tuple(sheet.annotators) or ("",)
    empty: tuple[Value, ...] = (None,) * len(names)
    seen: set[str] = set()

    def of(sample: Sample) -> tuple[Value, ...]:
        mine = sheet.found.get(sample.id)
        if mine is None:
            return empty
        seen.add(sample.id)
        return tuple(mine.get(name) for name in names)

    return People(
        names,
        f"file {human.file}",
        of,
        sheet.strata,
        lambda sample: sheet.reasons.get(sample.id, ""),
        lambda: len(sheet.found.keys() - seen),
    )


class _Labels:
    """The rows of a file of labels, gathered by the id they belong to."""

    def __init__(self, human: Human, file: str) -> None:
        self.human, self.file = human, file
        self.found: dict[str, dict[str, Value]] = {}
        self.strata: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        self.annotators: dict[str, None] = {}
        self.problems: list[Problem] = []
        self.some = False

    def add(self, number: int, row: Any) -> None:
        human = self.human
        if isinstance(row, Problem):
            self.problems.append(row)
            return
        missing = [name for name in (human.id, human.label) if not isinstance(row, dict) or name not in row]
        if missing or row.get(human.id) is None:
            name = missing[0] if missing else human.id
            self.problems.append(Problem(f"the row has no '{name}'", file=self.file, line=number))
            return
        self.some = True
        key = plain_cell(str(row[human.id]))
        if row.get(human.stratum) is not None:
            self.strata[key] = plain_cell(str(row[human.stratum]))
        if human.reason is not None and row.get(human.reason):
            self.reasons[key] = "; ".join(filter(None, (self.reasons.get(key), str(row[human.reason]))))
        value = read_value(row[human.label], human.values)
        if value is not None:
            self._keep(key, str(row.get(human.annotator) or ""), value, number)

    def _keep(self, key: str, who: str, value: Value, number: int) -> None:
        self.annotators.setdefault(who)
        mine = self.found.setdefault(key, {})
        if who in mine:
            said = f" by {who}" if who else ""
            hint = f"say who labelled in the field '{self.human.annotator}'"
            self.problems.append(
                Problem(f"the row '{key}' is labelled twice{said}", file=self.file, line=number, hint=hint)
            )
        mine[who] = value


def plain_cell(text: str) -> str:
    """Return a cell without the apostrophe that keeps a spreadsheet from running it as a formula."""
    return text[1:] if text.startswith("'") and text[1:].lstrip(" \n").startswith(FORMULAS) else text


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    if not path.is_file():
        raise DataError(problems=[Problem("there is no such file of labels", file=str(path))])
    reader = _READERS.get(format_of(path) or "")
    if reader is None:
        hint = "write labels as .jsonl, .csv, .tsv or .json"
        raise DataError(problems=[Problem("the format of the labels is not known", file=str(path), hint=hint)])
    return reader(path)
