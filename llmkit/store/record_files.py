"""``outputs.jsonl`` and ``scores.jsonl``: written in whole lines, read again and again without filling memory."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from llmkit.closing import Closing
from llmkit.errors import DataError, Problem
from llmkit.store.files import disk_error, write_all
from llmkit.store.records import to_json

R = TypeVar("R")

FLUSH_ROWS = 512
FLUSH_SECONDS = 1.0


class RecordWriter(Closing, Generic[R]):
    """Appends records to a new file as JSON lines.

    Lines reach the file whole, `FLUSH_ROWS` at a time or once a second, so that a crash leaves a readable prefix.
    Raises InfrastructureError where the disk refuses a write.

    Attributes:
        path: The file; what stood in it is gone.
        rows: How many records were written.
    """

    def __init__(
        self, path: Path, to_dict: Callable[[R], dict[str, Any]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self.rows = 0
        self._clock = clock
        self._to_dict = to_dict
        self._lines: list[bytes] = []
        self._due = clock() + FLUSH_SECONDS
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            self._descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            raise disk_error(error, path) from error

    def write(self, record: R) -> None:
        """Add one record; ValueError where it holds a number that JSON cannot."""
        self._lines.append(to_json(self._to_dict(record)))
        self.rows += 1
        if len(self._lines) >= FLUSH_ROWS or self._clock() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Hand every line to the system, so that it survives this process."""
        self._due = self._clock() + FLUSH_SECONDS
        if not self._lines:
            return
        block = b"\n".join(self._lines) + b"\n"
        self._lines.clear()
        try:
            write_all(self._descriptor, block)
        except OSError as error:
            raise disk_error(error, self.path) from error

    def close(self) -> None:
        """Write what is left to the disk itself and release the file; safe to call twice."""
        if self._descriptor < 0:
            return
        try:
            self.flush()
            os.fsync(self._descriptor)
        except OSError as error:
            raise disk_error(error, self.path) from error
        finally:
            os.close(self._descriptor)
            self._descriptor = -1


_decoded = json.JSONDecoder().decode
"""As json.loads, which first guesses the encoding of each line."""


class RecordFile(Generic[R]):
    """The records of a JSON Lines file; every iteration reads them from the start, one line in memory at a time.

    A missing file has no records. Raises DataError, naming file and line, where a line is not a record; a torn last
    line (no line end) is passed over, as a crash leaves one.
    """

    def __init__(self, path: Path, from_dict: Callable[[dict[str, Any]], R]) -> None:
        self.path = path
        self._from_dict = from_dict

    def __iter__(self) -> Iterator[R]:
        try:
            file = self.path.open("rb", buffering=1 << 18)
        except FileNotFoundError:
            return
        with file:
            for number, line in enumerate(file, start=1):
                try:
                    record = self._from_dict(_decoded(str(line, "utf-8")))
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    if not line.endswith(b"\n"):
                        return
                    raise DataError(problems=[self._problem(number, error)]) from error
                yield record

    def _problem(self, number: int, error: Exception) -> Problem:
        what = f"this record lacks {error}" if isinstance(error, KeyError) else f"this is not a record ({error})"
        return Problem(what, file=str(self.path), line=number, hint="the run is damaged; run the evaluation again")
