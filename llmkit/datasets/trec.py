"""Relevance judgments as TREC writes them: one line a document, ``query iteration document grade``.

Tables of BEIR, with three columns under the header ``query-id corpus-id score``, are read too. Every query becomes a
row; lines of one query need not stand together, so the file is held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmkit import jsonl
from llmkit.errors import Problem
from llmkit.text.columns import split_columns, stretches

_TREC, _BEIR = 4, 3


def read_qrels(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield a row for each query: ``{id, input, qrels: {document: grade}}``, at the line of its first judgment.

    ``input`` is the query's name, since the file holds no text of it. Empty lines and lines that begin with ``#`` are
    passed over. A line that is no judgment, or that judges a document a second time, is a `Problem`.

    Raises:
        DataError: the file cannot be read.
    """
    table = _Judgments(path)
    before = 0
    for block in jsonl.read_blocks(path):
        if not table.add_all(block, before):
            yield from table.add_lines(block, before)
        before += block.count(b"\n")
    for query, judged in table.grades.items():
        yield table.first[query], {"id": query, "input": query, "qrels": judged}


class _Judgments:
    """The grades of every query, and the line of its first."""

    def __init__(self, path: Path) -> None:
        self.grades: dict[str, dict[str, int]] = {}
        self.first: dict[str, int] = {}
        self._path = path
        self._columns = 0

    def add_all(self, block: bytes, before: int) -> bool:
        """Add the lines after ``before`` others at once; return False, and add none, where one of them is unusual."""
        columns = split_columns(block, _TREC, (0, 2, 3)) if self._columns != _BEIR else None
        if columns is None:
            return False
        queries, names, written = columns
        lines: dict[str, int] = {}
        found: dict[str, dict[str, int]] = {}
        try:
            documents = b"\n".join(names).decode().split("\n")
            grades = list(map(int, written))
            for start, end in stretches(queries):
                query = queries[start].decode()
                judged = found.setdefault(query, {})
                size = len(judged)
                judged.update(zip(documents[start:end], grades[start:end], strict=True))
                if len(judged) < size + end - start:
                    return False
                lines.setdefault(query, before + start + 1)
        except ValueError:
            return False
        if not all(judged.keys().isdisjoint(self.grades.get(query, ())) for query, judged in found.items()):
            return False
        self._columns = _TREC
        for query, judged in found.items():
            self.first.setdefault(query, lines[query])
            self.grades.setdefault(query, {}).update(judged)
        return True

    def add_lines(self, block: bytes, before: int) -> Iterator[tuple[int, Problem]]:
        """Add the lines after ``before`` others one by one; yield the problem of each that is no judgment."""
        for number, line in enumerate(block.split(b"\n"), before + 1):
            if not line.strip() or line.startswith(b"#"):
                continue
            if not self._columns:
                header = line.lower().startswith(b"query") and len(line.split()) == _BEIR
                self._columns = _BEIR if header else _TREC
                if header:
                    continue
            try:
                query, document, grade = _judgment(line, self._columns)
            except ValueError as error:
                yield number, Problem(str(error), file=str(self._path), line=number)
                continue
            self.first.setdefault(query, number)
            judged = self.grades.setdefault(query, {})
            if document in judged:
                message = f"'{document}' is judged twice for '{query}'"
                yield number, Problem(message, file=str(self._path), line=number)
            judged[document] = grade


def _judgment(line: bytes, columns: int) -> tuple[str, str, int]:
    try:
        parts = line.decode().split()
    except UnicodeDecodeError as error:
        raise ValueError(jsonl.invalid_text(line, error)) from None
    if len(parts) != columns:
        form = "query, iteration, document, grade" if columns == _TREC else "query, document, grade"
        raise ValueError(f"expected {columns} columns ({form}), found {len(parts)}")
    try:
        grade = int(parts[-1])
    except ValueError:
        raise ValueError(f"the grade '{parts[-1]}' is no whole number") from None
    return parts[0], parts[-2], grade
