"""One writer at a time; readers take no lock."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from llmkit.errors import InfrastructureError
from llmkit.retrieval.failures import writing

LOCK_NAME: Final = "writer.lock"
_BUSY = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # beyond the text, which others may then read
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


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
            _take(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            if error.errno not in _BUSY:
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
