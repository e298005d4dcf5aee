"""Rankings as TREC writes them: one line a result, ``query Q0 document rank score run``.

As trec_eval does, the order is that of the scores in single precision, equal ones by document id, both descending; the
rank column is ignored, and so is what stands after the run's name. Held in memory are the ids as one text a query, and
the scores: about 30 bytes a line.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, TypeAlias

from llmkit import jsonl
from llmkit.errors import DataError, Problem
from llmkit.text.columns import split_columns, stretches
from llmkit.types import Ranked

_Results: TypeAlias = tuple[bytes, list[bytes], "array[float]"]

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

    def get(self, query: str) -> Ranked | None:
        """Return the results of a query, best first; None where the run has none."""
        if query not in self._ids:
            return None
        self._used.add(query)
        return best_first(self._ids[query].decode().split("\n"), self._scores[query])

    def _read(self) -> dict[str, bytes]:
        ids: dict[str, bytes] = {}
        pieces: dict[str, list[bytes]] = {}  # of queries whose lines do not stand together
        for written, names, ranked in _neighbours(self._path):
            query, blob = written.decode(), b"\n".join(names)
            blob.decode()
            if len(set(names)) < len(names) or not _finite(ranked):
                raise ValueError
            if query in ids:
                pieces.setdefault(query, [ids[query]]).append(blob)
                self._scores[query].extend(ranked)
            else:
                ids[query], self._scores[query] = blob, ranked
        for query, several in pieces.items():
            ids[query] = b"\n".join(several)
            names = ids[query].split(b"\n")
            if len(set(names)) < len(names):
                raise ValueError
        if not ids:
            raise ValueError
        return ids

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


def _neighbours(path: Path) -> Iterator[_Results]:
    """Yield the results of a file, those of one query that stand together at once."""
    last: _Results = b"", [], array("d")
    for block in jsonl.read_blocks(path):
        for found in _stretches(block) or _rows(block):
            if found[0] != last[0]:
                if last[1]:
                    yield last
                last = found
            else:
                last[1].extend(found[1])
                last[2].extend(found[2])
    if last[1]:
        yield last


def _stretches(block: bytes) -> Iterator[_Results] | None:
    """Return the results of whole lines, neighbours of one query together; None where a line is unusual."""
    columns = split_columns(block, _COLUMNS, (0, 2, 4))
    if columns is None:
        return None
    queries, names, written = columns
    scores = array("d", list(map(float, written)))
    return ((queries[start], names[start:end], scores[start:end]) for start, end in stretches(queries))


def _rows(block: bytes) -> Iterator[_Results]:
    """Yield the results of whole lines one by one, without empty lines and those that begin with ``#``."""
    for line in block.split(b"\n"):
        if line.startswith(b"#") or not line.strip():
            continue
        query, _, document, _, score, _, *_ = line.split(None, _COLUMNS)
        yield query, [document], array("d", [float(score)])


def _finite(scores: array[float]) -> bool:
    import numpy as np

    return bool(np.isfinite(np.frombuffer(scores)).all())


def best_first(names: list[str], scores: array[float]) -> Ranked:
    """Return documents as trec_eval orders them, which reads scores in single precision.

    Scores that are the same number there are ties, and are all given as the first of them.
    """
    import numpy as np

    best = np.frombuffer(scores)
    with np.errstate(over="ignore"):
        single = best.astype(np.float32)
    ids = names
    if (single[1:] > single[:-1]).any():
        order = np.argsort(-single)
        single, best = single[order], best[order]
        ids = [names[place] for place in order.tolist()]
    written = best.tolist()
    tied = np.flatnonzero(single[1:] == single[:-1]).tolist()
    while tied:
        end = first = tied.pop()
        while tied and tied[-1] == first - 1:
            first = tied.pop()
        ids[first : end + 2] = sorted(ids[first : end + 2], reverse=True)
        written[first : end + 2] = [written[first]] * (end + 2 - first)
    return Ranked(ids, written)


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
