"""An index into a file of recorded answers: from an id to the place of its row, in 16 bytes an id.

The texts stay in the file; a row is read when it is asked for. A million rows take 17 MB.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from llmkit.errors import DataError, Problem

_SHOWN = 20


class JoinedFile:
    """Rows of a JSONL file (``.gz`` too) by the value of one field.

    Args:
        path: The file.
        on: The field whose value names the row; numbers and texts that read the same are the same.

    Raises:
        DataError: rows that are not JSON objects, rows without the field, values that occur twice; all of them
            named by line, up to 20.
    """

    def __init__(self, path: Path, on: str) -> None:
        self._path = path
        self._on = on
        self._file = _seekable(path)
        self._close = weakref.finalize(self, self._file.close)
        self._digests, self._offsets = self._scan()
        self._used = bytearray(len(self._digests))

    def __len__(self) -> int:
        return len(self._digests)

    @property
    def unmatched(self) -> int:
        """Rows that nobody has asked for so far."""
        return len(self._used) - sum(self._used)

    def get(self, key: str) -> Mapping[str, Any] | None:
        """Return the row named ``key``, or None."""
        wanted = _digest(key)
        place = bisect_left(self._digests, wanted)
        while place < len(self._digests) and self._digests[place] == wanted:
            row = self._row(self._offsets[place])
            if str(row[self._on]) == key:
                self._used[place] = 1
                return row
            place += 1
        return None

    def close(self) -> None:
        """Close the file; it is also closed when the index is forgotten."""
        self._close()

    def _row(self, offset: int) -> dict[str, Any]:
        self._file.seek(offset)
        row: dict[str, Any] = json.loads(self._file.readline())
        return row

    def _lines(self) -> Iterator[tuple[int, int, bytes]]:
        offset = 0
        for number, line in enumerate(self._file, 1):
            start = 3 if number == 1 and line.startswith(b"\xef\xbb\xbf") else 0
            if line.strip():
                yield number, offset + start, line[start:]
            offset += len(line)

    def _scan(self) -> tuple[array[int], array[int]]:
        digests, offsets, lines = array("Q"), array("Q"), array("Q")
        problems: list[Problem] = []
        bad = 0
        try:
            for number, offset, line in self._lines():
                key = _key(line, self._on)
                if isinstance(key, Problem):
                    bad += 1
                    if bad <= _SHOWN:
                        problems.append(Problem(key.message, file=str(self._path), line=number, hint=key.hint))
                    continue
                digests.append(_digest(key))
                offsets.append(offset)
                lines.append(number)
        except (OSError, EOFError) as error:
            self.close()
            raise DataError(problems=[Problem(f"cannot be read: {error}", file=str(self._path))]) from None
        order = _order(digests)
        digests, offsets, lines = (array("Q", [column[i] for i in order]) for column in (digests, offsets, lines))
        for first, second, key in self._twice(digests, offsets, lines):
            bad += 1
            if bad <= _SHOWN:
                message = f"'{self._on}' is {key!r} here and in line {first}"
                problems.append(Problem(message, file=str(self._path), line=second, hint="keep one of the two rows"))
        if bad:
            self.close()
            more = [Problem(f"and {bad - _SHOWN} more", file=str(self._path))] if bad > _SHOWN else []
            raise DataError(problems=[*problems, *more])
        return digests, offsets

    def _twice(self, digests: array[int], offsets: array[int], lines: array[int]) -> Iterator[tuple[int, int, str]]:
        for place in range(1, len(digests)):
            if digests[place] == digests[place - 1]:
                first, second = sorted((place - 1, place), key=lines.__getitem__)
                keys = [str(self._row(offsets[at])[self._on]) for at in (first, second)]
                if keys[0] == keys[1]:
                    yield lines[first], lines[second], keys[0]


def _order(digests: array[int]) -> Any:
    import numpy as np

    return np.argsort(np.frombuffer(digests, dtype=np.uint64), kind="stable") if digests else []


def _digest(key: str) -> int:
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _key(line: bytes, on: str) -> str | Problem:
    try:
        row = json.loads(line)
    except UnicodeDecodeError as error:
        return Problem(f"not valid UTF-8 at byte {error.start} of the line")
    except (ValueError, RecursionError) as error:
        return Problem(f"not JSON: {error}")
    if not isinstance(row, dict):
        return Problem("not a JSON object")
    key = row.get(on)
    if key is None:
        return Problem(f"the row has no '{on}'", hint="name the field that joins the two files with 'on:'")
    if isinstance(key, bool) or not isinstance(key, (str, int, float)):
        return Problem(f"'{on}' is neither a text nor a number")
    return str(key)


def _seekable(path: Path) -> IO[bytes]:
    if path.is_dir():
        raise DataError(problems=[Problem("is a folder, not a JSONL file", file=str(path))])
    try:
        if path.suffix != ".gz":
            return path.open("rb")
        # Seeking backwards in a gzip stream reads it anew from the start, so it is unpacked once.
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the index
        try:
            with gzip.open(path, "rb") as packed:
                shutil.copyfileobj(packed, unpacked, 1 << 20)
        except (OSError, EOFError):
            unpacked.close()
            raise
        unpacked.seek(0)
    except FileNotFoundError:
        raise DataError(problems=[Problem("no such file", file=str(path))]) from None
    except (OSError, EOFError) as error:
        raise DataError(problems=[Problem(f"cannot be read: {error}", file=str(path))]) from None
    return unpacked
