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
from typing import NoReturn

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
        self._scores: dict[str, array[float]] = {}
        self._used: set[str] = set()
        try:
            self._ids = self._read()
        except ValueError:
            # Something is wrong: a second reading, line by line, says what.
            self._refuse()

    def __len__(self) -> int:
        return len(self._ids)

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

    def _read(self) -> dict[str, bytes]:
        ids: dict[bytes, list[bytes]] = {}
        scores: dict[bytes, array[float]] = {}
        last = b""
        names: list[bytes] = []
        ranked: array[float] = array("d")
        for _, line in jsonl.read_lines(self._path):
            try:
                query, _, document, _, score, _, *_ = line.split(None, _COLUMNS)
            except ValueError:
                if line.startswith(b"#") or not line.strip():
                    continue
                raise
            if query != last:
                if query.startswith(b"#"):
                    continue
                last = query
                names, ranked = ids.setdefault(query, []), scores.setdefault(query, array("d"))
            names.append(document)
            ranked.append(float(score))
        if not ids or not all(len(set(names)) == len(names) for names in ids.values()):
            raise ValueError
        if not all(all(map(math.isfinite, ranked)) for ranked in scores.values()):
            raise ValueError
        self._scores = {query.decode(): ranked for query, ranked in scores.items()}
        found = {query.decode(): b"\n".join(names) for query, names in ids.items()}
        for blob in found.values():
            blob.decode()
        return found

    def _refuse(self) -> NoReturn:
        problems = list(self._problems())
        more = len(problems) - _SHOWN
        if more > 0:
            problems[_SHOWN:] = [Problem(f"and {more:,} more", file=str(self._path))]
        raise DataError(problems=problems or [Problem("the file has no rankings", file=str(self._path))])

    def _problems(self) -> Iterator[Problem]:
        seen: set[tuple[str, str]] = set()
        for number, line in jsonl.read_lines(self._path):
            if line.startswith(b"#") or not line.strip():
                continue
            try:
                result = _result(line)
            except ValueError as error:
                yield Problem(str(error), file=str(self._path), line=number)
                continue
            if result in seen:
                message = f"the query '{result[0]}' finds '{result[1]}' a second time"
                yield Problem(message, file=str(self._path), line=number)
            seen.add(result)


def _result(line: bytes) -> tuple[str, str]:
    """Return query and document of a line, or raise a ValueError that says what is wrong with it."""
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
    return parts[0], parts[2]
