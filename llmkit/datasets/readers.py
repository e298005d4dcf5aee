"""Files of rows, one reader a format. Each yields (line, row or `Problem`) and holds no more than it must.

JSONL, CSV and Parquet stream. A ``.json`` file is held as text while its rows are made one by one. In CSV and TSV
every cell is text and an empty cell is no value (null). A row's line is where it begins in the file; rows of
Parquet, and of a ``.json`` file written on one line, are counted from 1.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from llmkit import jsonl
from llmkit.datasets.trec import read_qrels
from llmkit.errors import DataError, Problem
from llmkit.tables import parquet_rows

Numbered: TypeAlias = tuple[int, Any]
"""A line number, and the row or the `Problem` found there."""
Reader: TypeAlias = Callable[[Path], Iterator[Numbered]]

_CELL_LIMIT = 1 << 30


def read_csv(path: Path) -> Iterator[Numbered]:
    """Yield the rows of a comma-separated file whose first line holds the field names."""
    return read_table(path, csv.excel)


def read_tsv(path: Path) -> Iterator[Numbered]:
    """Yield the rows of a tab-separated file whose first line holds the field names."""
    return read_table(path, csv.excel_tab)


def read_table(path: Path, dialect: type[csv.Dialect], names: Sequence[str] | None = None) -> Iterator[Numbered]:
    """Yield the rows of a table; ``names`` are its fields where no first line holds them."""
    csv.field_size_limit(_CELL_LIMIT)
    lines = _Decoded(path)
    reader = csv.reader(lines, dialect, strict=True)
    header = None if names is None else list(names)
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = Problem(f"not a row of the table: {error}", file=str(path), line=start)
            if reader.line_num > start or lines.ended:
                # A quote that is not closed swallows the rows after it, so it is never skipped as one row.
                raise DataError(problems=[replace(problem, hint=_OPEN_QUOTE)]) from None
            yield start, problem
            continue
        if lines.problem:
            yield start, lines.take_problem()
        elif not cells:
            continue
        elif header is None:
            header = _header(cells, path, start)
        elif len(cells) != len(header):
            message = f"the row has {len(cells)} cells, {'the header' if names is None else 'not'} {len(header)}"
            yield start, Problem(message, file=str(path), line=start)
        else:
            yield start, {name: cell or None for name, cell in zip(header, cells, strict=True)}


_OPEN_QUOTE = 'close the quote that opens in this row; a quote inside a quoted cell is written ""'


def _header(cells: list[str], path: Path, line: int) -> list[str]:
    twice = sorted({cell for cell in cells if cells.count(cell) > 1})
    if twice:
        raise DataError(problems=[Problem(f"the header names '{twice[0]}' twice", file=str(path), line=line)])
    if len(cells) == 1 and ";" in cells[0]:
        hint = "save it with commas"
        raise DataError(problems=[Problem("the table is separated by ';'", file=str(path), line=line, hint=hint)])
    return cells


class _Decoded:
    """The text lines of a file; a line that is not UTF-8 is patched, and remembered as the record's problem."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = jsonl.read_lines(path)
        self.problem: Problem | None = None
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            number, line = next(self._lines)
        except StopIteration:
            self.ended = True
            raise
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            self.problem = Problem(jsonl.invalid_text(line, error), file=str(self._path), line=number)
            return line.decode(errors="replace")

    def take_problem(self) -> Problem:
        assert self.problem is not None
        taken, self.problem = self.problem, None
        return taken


def read_json(path: Path) -> Iterator[Numbered]:
    """Yield the items of a JSON array, or of the array under ``data`` in an object.

    Raises:
        DataError: the text is not such JSON. What follows a mistake cannot be read, so it is never skipped.
    """
    text = _whole_text(path)
    start = _skip(text, 0)
    try:
        inside = text[start : start + 1] == "{"
        if inside:
            start = _find_data(text, start)
        end = yield from _items(text, start, path)
        _expect_end(text, end, path, inside=inside)
    except json.JSONDecodeError as error:
        raise _unreadable(path, jsonl.syntax_reason(error), error.lineno) from None
    except ValueError as error:
        raise _unreadable(path, str(error), 0) from None


def _unreadable(path: Path, reason: str, line: int) -> DataError:
    hint = "" if line else "for one object a line, give format: jsonl"
    return DataError(problems=[Problem(reason, file=str(path), line=line, hint=hint)])


def _whole_text(path: Path) -> str:
    lines = b"".join(line for _, line in jsonl.read_lines(path))
    try:
        return lines.decode()
    except UnicodeDecodeError as error:
        line = lines.count(b"\n", 0, error.start) + 1
        start = lines.rfind(b"\n", 0, error.start) + 1
        reason = f"not UTF-8: byte {error.start - start + 1} of the line is 0x{lines[error.start]:02x}"
        raise DataError(problems=[Problem(reason, file=str(path), line=line)]) from None


def _skip(text: str, index: int) -> int:
    while text[index : index + 1] in (" ", "\t", "\r", "\n"):
        index += 1
    return index


def _find_data(text: str, start: int) -> int:
    index = _skip(text, start + 1)
    while text[index : index + 1] != "}":
        key, index = _property(text, index)
        if key == "data":
            return index
        _, index = jsonl.decode_at(text, index)
        index = _skip(text, index)
        if text[index : index + 1] != "}":
            index = _expect(text, index, ",")
    raise ValueError(_NO_ARRAY)


def _property(text: str, index: int) -> tuple[str, int]:
    if text[index : index + 1] != '"':
        raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, index)
    key, index = jsonl.decode_at(text, index)
    return key, _expect(text, index, ":")


def _expect_end(text: str, index: int, path: Path, *, inside: bool) -> None:
    """Refuse whatever follows the array but the rest of the object around it: rows may stand there."""
    index = _skip(text, index)
    if inside:
        while text[index : index + 1] != "}":
            index = _expect(text, index, ",")
            line = text.count("\n", 0, index) + 1
            key, index = _property(text, index)
            if key == "data":
                raise _unreadable(path, "the key 'data' is given twice in one object", line)
            _, index = jsonl.decode_at(text, index)
            index = _skip(text, index)
        index = _skip(text, index + 1)
    if index != len(text):
        raise json.JSONDecodeError("there is more text after the value,", text, index)


_NO_ARRAY = "expected an array of rows, or an object with the array under 'data'"


def _expect(text: str, index: int, mark: str) -> int:
    index = _skip(text, index)
    if text[index : index + 1] != mark:
        raise json.JSONDecodeError(f"Expecting '{mark}' delimiter", text, index)
    return _skip(text, index + 1)


def _items(text: str, start: int, path: Path) -> Generator[Numbered, None, int]:
    """Yield the items of the array that begins at ``start``; return the index after it."""
    if text[start : start + 1] != "[":
        raise ValueError(_NO_ARRAY)
    index, line, counted = _skip(text, start + 1), 1, 0
    one_line = text.find("\n", start, text.rfind("]")) < 0
    if text[index : index + 1] == "]":
        return index + 1
    while True:
        line += text.count("\n", counted, index)
        counted = index
        try:
            row, index = jsonl.decode_at(text, index)
        except json.JSONDecodeError:
            raise
        except ValueError as error:
            raise DataError(problems=[Problem(str(error), file=str(path), line=line)]) from None
        yield line, row
        line += one_line
        index = _skip(text, index)
        if text[index : index + 1] == "]":
            return index + 1
        index = _expect(text, index, ",")


READERS: Mapping[str, Reader] = {
    "jsonl": jsonl.read_rows,
    "csv": read_csv,
    "tsv": read_tsv,
    "json": read_json,
    "parquet": parquet_rows,
    "qrels": read_qrels,
}
"""Format name -> reader."""

SUFFIXES: Mapping[str, str] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".parquet": "parquet",
    ".qrels": "qrels",
}
TABLES = frozenset({"csv", "tsv"})
"""Formats whose every cell is text."""


def format_of(path: Path) -> str | None:
    """Return the format that a file's name tells, ``.gz`` aside; None where it tells none."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return SUFFIXES.get(suffixes[-1]) if suffixes else None
