"""Embeddings kept on disk by content, in one SQLite file of bounded size that runs and metrics share.

A cache may make a run cheaper and must never make it fail: whatever goes wrong with the file, the embeddings are
computed anew, and the file is not used again by this process.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")

PATH = Path(".llmkit") / "embeddings.sqlite"
"""Beside the response cache, seen from the working directory."""

_SCHEMA = 1
_KEPT = 0.8  # of the limit, when old ones are forgotten
_AT_ONCE = 500  # keys in one question; SQLite's oldest limit is 999
_TABLE = """
CREATE TABLE IF NOT EXISTS embeddings (
    key BLOB PRIMARY KEY, used REAL NOT NULL, rows INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_use ON embeddings (used, size, key);
"""


class EmbeddingCache:
    """Float32 arrays of shape (rows, dimensions), by 16-byte keys.

    Args:
        path: The file; folders above it are made.
        limit: The most bytes of embeddings it holds; those not used for longest are forgotten first. 0 keeps nothing.
    """

    def __init__(self, path: Path = PATH, *, limit: int) -> None:
        self.path = path
        self.limit = limit
        self._usable = limit > 0

    def get(self, keys: Iterable[bytes]) -> dict[bytes, NDArray[Any]]:
        """Return those of the embeddings that are there, and note that they were used."""
        import numpy as np

        wanted = list(keys)
        found: dict[bytes, NDArray[Any]] = {}
        if not self._usable or not self.path.is_file():
            return found

        def read(connection: sqlite3.Connection) -> None:
            for start in range(0, len(wanted), _AT_ONCE):
                part = wanted[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                question = f"SELECT key, rows, body FROM embeddings WHERE key IN ({marks})"  # noqa: S608 - marks only
                for key, rows, body in connection.execute(question, part):
                    array = np.frombuffer(bytearray(body), dtype=np.float32)  # writable, as PyTorch wants it
                    if rows and array.size and array.size % rows == 0:
                        found[bytes(key)] = array.reshape(rows, -1)
            now = time.time()
            connection.executemany("UPDATE embeddings SET used = ? WHERE key = ?", [(now, key) for key in found])

        self._do(read)
        return found

    def put(self, items: Mapping[bytes, NDArray[Any]]) -> None:
        """Keep embeddings, and forget old ones where the file grows over its limit."""
        if not self._usable or not items:
            return
        now = time.time()
        rows = ((key, now, len(array), array.nbytes, array.tobytes()) for key, array in items.items())

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?, ?, ?)", rows)
            self._forget(connection)

        self._do(write)

    def size(self) -> int:
        """Return the bytes of the embeddings it holds."""
        found = self._do(_total) if self._usable and self.path.is_file() else None
        return found or 0

    def _forget(self, connection: sqlite3.Connection) -> None:
        over = _total(connection) - self.limit
        if over <= 0:
            return
        over += int(self.limit * (1 - _KEPT))
        old = []
        for size, key in connection.execute("SELECT size, key FROM embeddings ORDER BY used, key"):
            old.append((key,))
            over -= size
            if over <= 0:
                break
        connection.executemany("DELETE FROM embeddings WHERE key = ?", old)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Do ``work`` in one transaction; trouble with the file ends its use, and is otherwise ignored."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = OFF")  # what power failure takes is computed again
                self._prepare(connection)
                with connection:
                    return work(connection)
        except (OSError, sqlite3.Error):
            self._usable = False
            return None

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in {0, _SCHEMA}:
            raise sqlite3.DatabaseError("made by another version")
        if version == 0:
            connection.executescript(_TABLE)
            connection.execute(f"PRAGMA user_version = {_SCHEMA}")


def _total(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(sum(size), 0) FROM embeddings").fetchone()[0])
