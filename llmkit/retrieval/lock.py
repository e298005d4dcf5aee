"""One writer at a time; readers take no lock."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from llmkit.errors import InfrastructureError
from llmkit.locking import BUSY, take
from llmkit.retrieval.failures import writing

LOCK_NAME: Final = "writer.lock"


class WriterLock:
    """Holds ``folder/writer.lock`` until released or the process ends, however it ends. The folder must exist.

    The file stays when the lock is released: removing it would let two writers lock two files of one name.

    Raises InfrastructureError, which names the holder, where another process has it.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_NAME
        with writing(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        try:
            take(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            if error.errno not in BUSY:
                raise InfrastructureError(f"cannot lock {path}: {error.strerror}") from error
            raise InfrastructureError(
                f"another llmkit{_holder(path)} is writing the index in {folder}; run the command again when it has "
                "ended. Searching goes on meanwhile"
            ) from error
        note = f"{os.getpid()} since {datetime.now(UTC).isoformat(timespec='seconds')}\n"
        with contextlib.suppress(OSError):  # a full disk makes the note short, not the lock weaker
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, note.encode())

    def release(self) -> None:
        """Give the index free; safe to call twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        note = path.read_text(encoding="utf-8").strip()
        if note:
            return f" (pid {note})"
    return ""
