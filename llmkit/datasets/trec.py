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

_TREC, _BEIR = 4, 3


def read_qrels(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield a row for each query: ``{id, input, qrels: {document: grade}}``, at the line of its first judgment.

    ``input`` is the query's name, since the file holds no text of it. Empty lines and lines that begin with ``#`` are
    passed over. A line that is no judgment, or that judges a document a second time, is a `Problem`.

    Raises:
        DataError: the file cannot be read.
    """
    grades: dict[str, dict[str, int]] = {}
    first: dict[str, int] = {}
    columns = 0
    for number, line in jsonl.read_lines(path):
        if not line.strip() or line.startswith(b"#"):
            continue
        if not columns:
            columns = _BEIR if line.lower().startswith(b"query") else _TREC
            if columns == _BEIR:
                continue
        try:
            query, document, grade = _judgment(line, columns)
        except ValueError as error:
            yield number, Problem(str(error), file=str(path), line=number)
            continue
        first.setdefault(query, number)
        judged = grades.setdefault(query, {})
        if document in judged:
            yield number, Problem(f"'{document}' is judged twice for '{query}'", file=str(path), line=number)
        judged[document] = grade
    for query, judged in grades.items():
        yield first[query], {"id": query, "input": query, "qrels": judged}


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
