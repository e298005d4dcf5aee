"""The rows of a table: read in order, or one of them again, without holding the table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from llmkit import jsonl
from llmkit.errors import DataError, Problem
from llmkit.tables import json_value, open_set, parquet_rows, set_errors

Kind = Literal["jsonl", "csv", "tsv", "parquet", "hf"]
_LARGEST_CELL = 1 << 30


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its number from 1, and its columns, or the sentence that says why it cannot be read."""

    number: int
    value: dict[str, Any] | str


@dataclass(frozen=True, slots=True)
class Table:
    """Where rows are.

    Attributes:
        kind: How they are written.
        place: The file; for ``hf`` a name on the hub, or a folder.
        name: A configuration of a hub set.
        split: A split of a hub set.
        revision: A revision of a hub set.
    """

    kind: Kind
    place: str
    name: str | None = None
    split: str | None = None
    revision: str | None = None

    def rows(self) -> Iterator[Row]:
        """Yield the rows from the first.

        Raises:
            DataError: the table cannot be opened, or not be read to its end.
            InfrastructureError: a hub that does not answer.
        """
        if self.kind == "jsonl":
            return _jsonl(Path(self.place))
        if self.kind == "parquet":
            return _parquet(Path(self.place))
        if self.kind == "hf":
            return _hub(self)
        return _csv(Path(self.place), "\t" if self.kind == "tsv" else ",")


def _jsonl(path: Path) -> Iterator[Row]:
    for number, value in jsonl.read_rows(path):
        if isinstance(value, Problem):
            yield Row(number, f"line {number} is {value.message}" if "JSON" in value.message else value.message)
        elif isinstance(value, dict):
            yield Row(number, value)
        else:
            yield Row(number, f"line {number} is no JSON object")


def _csv(path: Path, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(_LARGEST_CELL)
    with jsonl.open_bytes(path) as file:
        reader = csv.reader(io.TextIOWrapper(file, "utf-8-sig", newline=""), delimiter=delimiter, strict=True)
        number = 0
        try:
            names = next(reader, [])
            if len({*names}) != len(names):
                raise DataError(problems=[Problem("a column's name is given twice", file=str(path), line=1)])
            for number, cells in enumerate((cells for cells in reader if cells), 1):
                if len(cells) == len(names):
                    yield Row(number, dict(zip(names, cells, strict=True)))
                else:
                    yield Row(number, f"row {number} has {len(cells)} cells where the header has {len(names)}")
        except (csv.Error, UnicodeDecodeError, OSError, EOFError) as error:
            reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            message = f"the table cannot be read past row {number}: {reason}"
            raise DataError(problems=[Problem(message, file=str(path), line=reader.line_num)]) from None


def _parquet(path: Path) -> Iterator[Row]:
    return (Row(number, row) for number, row in parquet_rows(path))


def _hub(table: Table) -> Iterator[Row]:
    for number, row in enumerate(_opened(table), 1):
        yield Row(number, json_value(row))


@lru_cache(maxsize=4)
def _opened(table: Table) -> Any:
    """Return the set, memory-mapped, so that any of its rows can be had."""
    with set_errors(table.place):
        return open_set(table.place, config=table.name, split=table.split, revision=table.revision, stream=False)


class _Cursor:
    """A reading that can be gone on with: rows are asked for in order, as a rule."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows: Iterator[Row] = iter(())
        self._next = 0

    def at(self, number: int) -> Row | None:
        """Return a row; an earlier one than the last starts the reading again."""
        if number < self._next or not self._next:
            self._rows, self._next = self._table.rows(), 1
        for row in self._rows:
            self._next = row.number + 1
            if row.number >= number:
                return row if row.number == number else None
        self._next = 0
        return None


@lru_cache(maxsize=4)
def _cursor(table: Table, _stat: tuple[int, int]) -> _Cursor:
    return _Cursor(table)


def row_at(table: Table, number: int) -> Row | None:
    """Return one row of a table; None where it has no such row any more. Each process has a reading of its own."""
    if table.kind == "hf":
        found = _opened(table)
        return Row(number, json_value(found[number - 1])) if number <= len(found) else None
    stat = Path(table.place).stat()
    return _cursor(table, (stat.st_mtime_ns, stat.st_size)).at(number)
