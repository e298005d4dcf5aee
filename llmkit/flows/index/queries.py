"""What an index is held to: questions with the documents, answers or spans that are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmkit.datasets import open_dataset
from llmkit.errors import DataError, Problem
from llmkit.types import Sample

QRELS, SPANS = "qrels", "spans"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a document that answers: text[start:end] of the document at ``path``."""

    path: str
    start: int
    end: int


def read_queries(path: Path, qrels: Path | None = None, *, judged: bool = True) -> list[Sample]:
    """Return the questions of an eval set, with the judgments of a qrels file where one is given.

    A row's ``input`` is the question (``query`` and ``question`` do as well); what is right stands in ``qrels`` (grades
    or a list of document paths), ``references`` (answers; ``answers`` does as well) or ``spans``
    (``[{path, start, end}]``). Where nothing need be ``judged``, questions alone will do.

    Raises:
        DataError: rows that are wrong, rows with nothing to hold an index to.
    """
    source: dict[str, Any] = {"path": str(path)}
    rows = [*open_dataset({**source, **_fields(path)}, base=Path())]
    if qrels is not None:
        grades = {row.id: row.meta[QRELS] for row in open_dataset({"path": str(qrels), "format": "qrels"}, base=Path())}
        rows = [replace(row, meta={**row.meta, QRELS: grades[row.id]}) if row.id in grades else row for row in rows]
    problems = [
        Problem("the question is no text", file=str(path), line=row.line)
        for row in rows
        if not isinstance(row.input, str)
    ]
    for row in rows:
        try:
            spans_of(row)
        except ValueError as error:
            problems.append(Problem(str(error), file=str(path), line=row.line))
    if (
        judged
        and not problems
        and not any(row.references or row.meta.get(QRELS) or row.meta.get(SPANS) for row in rows)
    ):
        hint = "give rows 'qrels', 'references' or 'spans', or name a file with --qrels"
        problems.append(Problem("no row says what would be right", file=str(path), hint=hint))
    if problems:
        raise DataError(problems=problems[:20])
    return rows


def spans_of(row: Sample) -> list[Span]:
    """Return the gold spans of a row.

    Raises:
        ValueError: one is no mapping with path, start and end.
    """
    found = []
    for one in row.meta.get(SPANS) or ():
        given = one if isinstance(one, Mapping) else {}
        path, start, end = given.get("path"), given.get("start"), given.get("end")
        if not (isinstance(path, str) and type(start) is int and type(end) is int):
            raise ValueError("'spans' must be a list of {path, start, end}")
        if not 0 <= start < end:
            raise ValueError(f"a span goes from {start} to {end}")
        found.append(Span(path, start, end))
    return found


def _fields(path: Path) -> dict[str, Any]:
    """Return a mapping of fields where the file calls its question or answers otherwise."""
    import json

    if path.suffix.lower() not in {".jsonl", ".ndjson"} or not path.is_file():
        return {}
    with path.open(encoding="utf-8", errors="replace") as file:
        try:
            first: Any = json.loads(file.readline() or "{}")
        except ValueError:
            return {}
    names: Sequence[str] = list(first) if isinstance(first, dict) else []
    fields = {}
    for ours, others in (("input", ("query", "question")), ("references", ("answers",))):
        other = next((name for name in others if name in names), None)
        if ours not in names and other is not None:
            fields[ours] = other
    return {"fields": fields} if fields else {}
