"""Why the index on disk could not be read or written, as sentences."""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmkit.errors import InfrastructureError

_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NONSENSE = (UnicodeDecodeError, json.JSONDecodeError)
_SAID = "what is written there is nonsense"
_AGAIN = "free some space and run the same command again; what is finished is kept, and the last index still serves"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk or SQLite says against a write to ``path`` into an InfrastructureError."""
    try:
        yield
    except sqlite3.Error as error:
        raise _of_sqlite(error, path) from error
    except _NONSENSE as error:
        raise damaged(path, _SAID) from error
    except OSError as error:
        raise _of_disk(error, path) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what SQLite says against reading ``path``, or JSON in it that is none, into an InfrastructureError."""
    try:
        yield
    except sqlite3.ProgrammingError:  # closed by the caller
        raise
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "decode" not in str(error):
            raise InfrastructureError(f"cannot read {path}: {error}") from error
        raise damaged(path, str(error)) from error
    except _NONSENSE as error:
        raise damaged(path, _SAID) from error


class Damaged(InfrastructureError):  # noqa: N818 - what is wrong with the file, as its message says
    """A file of the index is not what was written."""


def damaged(path: Path, why: str) -> Damaged:
    """Return the sentence for a file of the index that is not what was written."""
    return Damaged(
        f"{path} is damaged: {why}; 'llmkit index verify' says what is lost and with --repair mends it, or remove the "
        "folder and build again"
    )


def unreadable(path: Path) -> InfrastructureError:
    """Return the sentence for a file of the index of which nothing can be read."""
    return InfrastructureError(
        f"{path} is damaged, and nothing can be read of it; remove the folder {path.parent} and build again"
    )


def _of_disk(error: OSError, path: Path) -> InfrastructureError:
    if error.errno in _FULL:
        return InfrastructureError(f"cannot write {path}: the disk is full or a size limit was reached; {_AGAIN}")
    if error.errno in _FORBIDDEN:
        why = "there is no permission to write there; mend the permission, or choose another folder under 'store'"
    else:
        why = f"{(error.strerror or str(error)).lower()}; mend that and run the same command again"
    return InfrastructureError(f"cannot write {path}: {why}")


def _of_sqlite(error: sqlite3.Error, path: Path) -> InfrastructureError:
    said = str(error)
    if "full" in said or "disk I/O" in said:
        return InfrastructureError(f"cannot write {path}: the disk is full or a size limit was reached; {_AGAIN}")
    if "readonly" in said or "unable to open" in said:
        return InfrastructureError(
            f"cannot write {path}: {said}; mend the permission, or choose another folder under 'store'"
        )
    if isinstance(error, sqlite3.OperationalError) and "locked" in said:
        return InfrastructureError(f"cannot write {path}: another program keeps it locked; run the command again later")
    return damaged(path, said)
