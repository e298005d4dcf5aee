"""One run, one folder: an advisory lock that a dead process cannot hold."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from llmkit.errors import UsageError
from llmkit.locking import BUSY, take
from llmkit.store.files import disk_error

LOCK_NAME = ".lock"


class FolderLock:
    """Holds ``folder/.lock`` until released, closed or the process ends, however it ends.

    The second holder gets a UsageError that names the first. The folder must exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / LOCK_NAME
        self._descriptor = -1
        self._pid = os.getpid()
        while self._descriptor < 0:
            self._descriptor = self._attempt()
        self._sign()

    def _attempt(self) -> int:
        """Return a locked descriptor, or -1 where the holder removed the file between our opening and locking it."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise disk_error(error, self._path) from error
        try:
            take(descriptor)
            if os.path.samestat(os.fstat(descriptor), self._path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except OSError as error:
            os.close(descriptor)
            if error.errno in BUSY:
                raise UsageError(self._in_use()) from error
            raise disk_error(error, self._path) from error
        os.close(descriptor)
        return -1

    def _in_use(self) -> str:
        who = ""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            holder = json.loads(self._path.read_text(encoding="utf-8"))
            who = f" (pid {holder['pid']}, since {holder['since']})"
        return (
            f"another llmkit run{who} is using {self.folder}; wait for it to end, or choose another folder with --out"
        )

    def _sign(self) -> None:
        note = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        with contextlib.suppress(OSError):  # a full disk makes the note short, not the lock weaker
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, json.dumps(note).encode())

    def release(self) -> None:
        """Give the folder free and remove the lock file; safe to call twice."""
        if self._descriptor < 0:
            return
        if self._pid == os.getpid():  # a forked child leaves the folder to its parent
            with contextlib.suppress(OSError):  # Windows does not remove an open file; it is harmless
                self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
