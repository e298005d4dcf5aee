"""Writing files so that a crash leaves the old text or the new one, and saying plainly why a disk refused."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from llmkit.errors import InfrastructureError

_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

DRAFTS = ".*.tmp"
"""Matches the names under which files are written before they get their own."""


def disk_error(error: OSError, path: str | Path) -> InfrastructureError:
    """Return the sentence for a write to ``path`` that the disk refused."""
    if error.errno in _FULL:
        why = "the disk is full or a size limit was reached"
        advice = "free some space and run the same command again; what is finished is kept"
    elif error.errno in _FORBIDDEN:
        why = "there is no permission to write there"
        advice = "mend the permission, or choose another folder with --out"
    else:
        why = (error.strerror or str(error)).lower()
        advice = "mend that and run the same command again"
    return InfrastructureError(f"cannot write {path}: {why}; {advice}")


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``; the system may take it in several pieces. Raises OSError."""
    written = os.write(descriptor, data)
    if written == len(data):
        return
    view = memoryview(data)
    while written < len(data):
        written += os.write(descriptor, view[written:])


def write_atomic(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` in UTF-8: on disk before it has the name, so never half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise disk_error(error, path) from error
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace a file of the user's by ``text`` as `write_atomic` does, making the folders that it needs."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, path) from error
    write_atomic(path, text)


def sync_folder(path: Path) -> None:
    """Make the names in a folder survive a power cut, where the system can do that."""
    with contextlib.suppress(OSError):  # Windows cannot open a folder; some network disks refuse the call
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
