"""Rankings as TREC writes them: one line a result, ``query Q0 document rank score run``.

As trec_eval does, the order is that of the scores, equal ones by document id, both descending; the rank column is
ignored, and so is what stands after the run's name. Held in memory are the ids as one text a query, and the scores:
about 30 bytes a line.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from pathlib import Path

from llmkit import jsonl
from llmkit.errors import DataError, Problem
from llmkit.types import Passage

_COLUMNS = 6
_SHOWN = 20


class TrecRun:
    """The rankings of a TREC run file (``.gz`` too) by query.

    Args:
        path: The file.

    Raises:
        DataError: lines that are no results, documents that a query finds twice; all of them named by line, up to 20.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ids: dict[str, bytes] = {}
        self._scores: dict[str, array[float]] = {}
        self._used: set[str] = set()
        ids: dict[str, list[str]] = {}
        problems: list[Problem] = []
        bad = 0
        for problem in self._read(ids):
            bad += 1
            if bad <= _SHOWN:
                problems.append(problem)
        for problem in self._twice(ids):
            bad += 1
            if bad <= _SHOWN:
                problems.append(problem)
        if not bad and not ids:
            problems.append(Problem("the file has no rankings", file=str(path)))
        if bad > _SHOWN:
            problems.append(Problem(f"and {bad - _SHOWN:,} more", file=str(path)))
        if problems:
            raise DataError(problems=problems)
        self._ids = {query: "\n".join(names).encode() for query, names in ids.items()}

    @property
    def unmatched(self) -> int:
        """Queries that nobody has asked for so far."""
        return len(self._ids) - len(self._used)

    def get(self, query: str) -> tuple[Passage, ...] | None:
        """Return the results of a query, best first; None where the run has none."""
        if query not in self._ids:
            return None
        self._used.add(query)
        names = self._ids[query].decode().split("\n")
        best = sorted(zip(self._scores[query], names, strict=True), reverse=True)
        return tuple([Passage(name, "", score) for score, name in best])

    def _read(self, ids: dict[str, list[str]]) -> Iterator[Problem]:
        for number, line in jsonl.read_lines(self._path):
            if line.startswith(b"#") or not line.strip():
                continue
            try:
                query, document, score = _result(line)
            except ValueError as error:
                yield Problem(str(error), file=str(self._path), line=number)
                continue
            names = ids.get(query)
            if names is None:
                ids[query] = [document]
                self._scores[query] = array("d", [score])
            else:
                names.append(document)
                self._scores[query].append(score)

    def _twice(self, ids: dict[str, list[str]]) -> Iterator[Problem]:
        for query, names in ids.items():
            if len(set(names)) < len(names):
                seen: set[str] = set()
                for name in names:
                    if name in seen:
                        yield Problem(f"the query '{query}' finds '{name}' twice", file=str(self._path))
                    seen.add(name)


def _result(line: bytes) -> tuple[str, str, float]:
    try:
        parts = line.decode().split(None, _COLUMNS)
    except UnicodeDecodeError as error:
        raise ValueError(jsonl.invalid_text(line, error)) from None
    if len(parts) < _COLUMNS:
        raise ValueError(f"expected 6 columns (query, Q0, document, rank, score, run), found {len(parts)}")
    try:
        score = float(parts[4])
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise ValueError(f"the score '{parts[4]}' is no number")
    return parts[0], parts[2], score
