"""What can still be read of an index whose SQLite file is broken, in a new file that is whole.

SQLite refuses a statement that meets a broken page, not the pages beside it. So rows are looked up one by one, by their
numbers and keys; what cannot be read is left out, and the next build reads those documents again. Vectors that were
paid for are found by the chunks that have them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from llmkit.retrieval.failures import damaged, writing
from llmkit.retrieval.lock import WriterLock
from llmkit.retrieval.publish import places_of
from llmkit.retrieval.schema import FILE_NAME, make_tables

BROKEN_NAME: Final = f"{FILE_NAME}.broken"
"""Where the broken file is kept."""

_NAMES: Final = ("meta", "generation", "epoch", "lexical")
_AT_ONCE: Final = 1000
_AT_MOST: Final = 1 << 20
"""Numbers that are tried where nobody knows how many there are."""


def salvage(folder: Path) -> int:
    """Replace the broken SQLite file of an index by one with all that can be read of it; return how many chunks it has.

    Without the row that says what the index is made of, no chunk of it can be used; its vectors are kept for a build.

    Raises:
        InfrastructureError: another process writes, nothing at all can be read, or the disk refused.
    """
    path, draft = folder / FILE_NAME, folder / f"{FILE_NAME}.draft"
    with WriterLock(folder), writing(path):
        draft.unlink(missing_ok=True)
        with closing(sqlite3.connect(path, isolation_level=None)) as old:
            try:
                old.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.DatabaseError as error:
                raise damaged(path, "file is not a database that can be read") from error
            with closing(sqlite3.connect(draft, isolation_level=None)) as new:
                make_tables(new)
                new.execute("BEGIN IMMEDIATE")
                count = _copy(old, new)
                new.execute("COMMIT")
                new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for name in ("-wal", "-shm"):  # of the broken file; they would be taken for the new one's
            (folder / f"{FILE_NAME}{name}").unlink(missing_ok=True)
        (folder / BROKEN_NAME).unlink(missing_ok=True)
        with suppress(OSError):  # a file system without links keeps no broken file
            (folder / BROKEN_NAME).hardlink_to(path)
        draft.replace(path)
    return count


def _copy(old: sqlite3.Connection, new: sqlite3.Connection) -> int:
    values = {
        name: value for name in _NAMES for (value,) in _one(old, "SELECT value FROM meta WHERE name = ?", (name,))
    }
    meta = json.loads(values["meta"]) if "meta" in values else None
    documents = meta["documents"] if meta else 0
    chunks = meta["chunks"] if meta else 0
    for epoch in range(1, int(values.get("epoch") or 0) + 100):
        _put(new, "epochs", _one(old, "SELECT * FROM epochs WHERE epoch = ?", (epoch,)))
    if meta is not None:
        _put(new, "documents", _numbered(old, "documents", "id", documents))
        _put(new, "chunks", _numbered(old, "chunks", "number", chunks))
    _put(new, "vectors", _ends(old))
    epoch = int(values.get("epoch") or 0)
    for (key,) in new.execute("SELECT key FROM chunks WHERE key NOT IN (SELECT key FROM vectors)").fetchall():
        _put(new, "vectors", _one(old, "SELECT * FROM vectors WHERE key = ? AND epoch = ?", (key, epoch)))
    for name in ("failures", "runs"):
        with suppress(sqlite3.DatabaseError):
            _put(new, name, old.execute(f"SELECT * FROM {name}").fetchall())  # noqa: S608 - two constants
    return 0 if meta is None else _settle(new, meta, values, epoch)


def _settle(new: sqlite3.Connection, meta: dict[str, Any], values: dict[str, Any], epoch: int) -> int:
    """Drop chunks without a document or vector, have their documents read again, and count what is left."""
    new.execute("DELETE FROM chunks WHERE document NOT IN (SELECT id FROM documents)")
    if epoch:
        new.execute("DELETE FROM chunks WHERE key NOT IN (SELECT key FROM vectors WHERE epoch = ?)", (epoch,))
        rows = new.execute("SELECT coalesce(max(row), -1) + 1 FROM vectors WHERE epoch = ?", (epoch,)).fetchone()[0]
        _put(new, "epochs", [(epoch, meta["embed_fingerprint"], meta["dimensions"], rows)])
    new.execute("UPDATE documents SET fingerprint = '', mtime_ns = -1")
    counts = {
        name: new.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608 - two constants
        for name in ("documents", "chunks")
    }
    values |= {"meta": json.dumps({**meta, **counts}, ensure_ascii=False), "places": places_of(new, epoch)[0]}
    _put(new, "meta", values.items())
    return int(counts["chunks"])


def _one(old: sqlite3.Connection, statement: str, given: tuple[Any, ...]) -> list[Any]:
    """Return the rows that a look-up finds; none where it meets a broken page."""
    try:
        return old.execute(statement, given).fetchall()
    except sqlite3.DatabaseError:
        return []


def _numbered(old: sqlite3.Connection, table: str, column: str, count: int) -> Iterator[Any]:
    """Yield the rows of a table by their numbers, in portions, and one by one where a portion cannot be read."""
    top = _one(old, f"SELECT max({column}) FROM {table}", ())  # noqa: S608 - constants
    last = top[0][0] if top and top[0][0] is not None else count * 2 + _AT_ONCE
    for first in range(0, min(last, _AT_MOST + 2 * count) + 1, _AT_ONCE):
        part = f"SELECT * FROM {table} WHERE {column} BETWEEN ? AND ?"  # noqa: S608 - constants
        rows = _one(old, part, (first, first + _AT_ONCE - 1))
        if rows:
            yield from rows
        else:
            for number in range(first, first + _AT_ONCE):
                yield from _one(old, part, (number, number))


def _ends(old: sqlite3.Connection) -> Iterator[Any]:
    """Yield the rows of ``vectors`` from its first up to a broken page, and from its last down to one."""
    for sign, order, start in ((">", "", b""), ("<", "DESC", b"\xff" * 17)):
        last: tuple[bytes, int] = (start, -1)
        statement = (
            f"SELECT * FROM vectors WHERE (key, epoch) {sign} (?, ?) "  # noqa: S608 - constants
            f"ORDER BY key {order}, epoch {order} LIMIT {_AT_ONCE}"
        )
        while rows := _one(old, statement, last):
            yield from rows
            last = (rows[-1][0], rows[-1][1])


def _put(new: sqlite3.Connection, table: str, rows: Iterable[Any]) -> None:
    """Write rows; one that a broken page made nonsense of is left out."""
    for row in rows:
        marks = ", ".join("?" * len(row))
        with suppress(sqlite3.IntegrityError, sqlite3.OperationalError):
            new.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", tuple(row))  # noqa: S608 - our tables
