"""What can still be read of an index whose SQLite file is broken, in a new file that is whole.

SQLite refuses a statement that meets a broken page, not the pages beside it. So rows are looked up one by one, by their
numbers and keys; what cannot be read is left out, and the next build reads those documents again. Vectors that were
paid for are found by the chunks that have them. The first page says where tables begin; they begin at the same pages in
every index, so where it is broken, that of an empty index stands in for it.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from llmkit.errors import InfrastructureError
from llmkit.retrieval.failures import unreadable, writing
from llmkit.retrieval.known import meta_of
from llmkit.retrieval.lock import WriterLock
from llmkit.retrieval.publish import places_of
from llmkit.retrieval.schema import FILE_NAME, make_tables, tables_differ
from llmkit.retrieval.vector_file import vector_path, whole_rows

BROKEN_NAME: Final = f"{FILE_NAME}.broken"
"""Where the broken file is kept."""

_NAMES: Final = ("meta", "generation", "epoch", "lexical")
_PAGES_NAME: Final = f"{FILE_NAME}.pages"
_UNREADABLE: Final = (sqlite3.DatabaseError, UnicodeDecodeError)
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
        with _opened(path) as old, closing(sqlite3.connect(draft, isolation_level=None)) as new:
            make_tables(new)
            new.execute("BEGIN IMMEDIATE")
            count = _copy(old, new, folder)
            empty = not new.execute("SELECT EXISTS (SELECT 1 FROM meta) OR EXISTS (SELECT 1 FROM vectors)").fetchone()[
                0
            ]
            new.execute("COMMIT")
            new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if empty:
            draft.unlink()
            raise unreadable(path)
        for name in ("-wal", "-shm"):  # of the broken file; they would be taken for the new one's
            (folder / f"{FILE_NAME}{name}").unlink(missing_ok=True)
        (folder / BROKEN_NAME).unlink(missing_ok=True)
        with suppress(OSError):  # a file system without links keeps no broken file
            (folder / BROKEN_NAME).hardlink_to(path)
        draft.replace(path)
    return count


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the broken file, or a copy with another first page where SQLite cannot find its tables by its own."""
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        try:
            whole = not tables_differ(old)
        except _UNREADABLE:
            whole = False
        if whole:
            yield old
            return
    pages = path.with_name(_PAGES_NAME)
    try:
        shutil.copyfile(path, pages)
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as empty, pages.open("r+b") as file:
            make_tables(empty)
            size = empty.execute("PRAGMA page_size").fetchone()[0]
            first = bytearray(empty.serialize()[:size])
            first[28:32] = (file.seek(0, 2) // size).to_bytes(4, "big")  # how many pages the file has
            file.seek(0)
            file.write(first)
        address = f"{pages.absolute().as_uri()}?immutable=1"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as old:
            yield old
    finally:
        pages.unlink(missing_ok=True)


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, folder: Path) -> int:
    values = {
        name: value for name in _NAMES for (value,) in _one(old, "SELECT value FROM meta WHERE name = ?", (name,))
    }
    try:
        meta = asdict(meta_of(values["meta"], Path(FILE_NAME)))
    except (KeyError, InfrastructureError):
        meta = None
    documents = meta["documents"] if meta else 0
    chunks = meta["chunks"] if meta else 0
    epoch = values["epoch"] if isinstance(values.get("epoch"), int) else 0
    for number in range(1, epoch + 100):
        _put(new, "epochs", _one(old, "SELECT * FROM epochs WHERE epoch = ?", (number,)))
    if meta is not None:
        _put(new, "documents", _numbered(old, "documents", "id", documents))
        _put(new, "chunks", _numbered(old, "chunks", "number", chunks))
    _put(new, "vectors", _ends(old))
    if not epoch and meta is not None and meta["embed_fingerprint"] is not None:
        epoch = new.execute("SELECT max(epoch) FROM vectors").fetchone()[0] or 0
    for (key,) in new.execute("SELECT key FROM chunks WHERE key NOT IN (SELECT key FROM vectors)").fetchall():
        _put(new, "vectors", _one(old, "SELECT * FROM vectors WHERE key = ? AND epoch = ?", (key, epoch)))
    for name in ("failures", "runs"):
        with suppress(*_UNREADABLE):
            _put(new, name, old.execute(f"SELECT * FROM {name}").fetchall())  # noqa: S608 - two constants
    return (
        0 if meta is None else _settle(new, folder, meta, values | {"generation": meta["generation"], "epoch": epoch})
    )


def _settle(new: sqlite3.Connection, folder: Path, meta: dict[str, Any], values: dict[str, Any]) -> int:
    """Drop chunks without a document or vector, have their documents read again, and count what is left."""
    new.execute("DELETE FROM chunks WHERE document NOT IN (SELECT id FROM documents)")
    epoch = values["epoch"]
    if epoch:
        there = whole_rows(vector_path(folder, epoch), meta["dimensions"])
        new.execute("DELETE FROM vectors WHERE epoch = ? AND row NOT BETWEEN 0 AND ?", (epoch, there - 1))
        new.execute(
            "DELETE FROM chunks WHERE key IS NULL OR key NOT IN (SELECT key FROM vectors WHERE epoch = ?)", (epoch,)
        )
        rows = new.execute("SELECT coalesce(max(row), -1) + 1 FROM vectors WHERE epoch = ?", (epoch,)).fetchone()[0]
        new.execute(
            "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?)",
            (epoch, meta["embed_fingerprint"], meta["dimensions"], rows),
        )
    new.execute("UPDATE documents SET fingerprint = '', mtime_ns = -1")
    counts = {
        name: new.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608 - two constants
        for name in ("documents", "chunks")
    }
    values |= {"meta": json.dumps({**meta, **counts}, ensure_ascii=False), "places": places_of(new, epoch)[0]}
    values["lost"] = 1  # the next build looks at every vector, and embeds again what is not what was written
    _put(new, "meta", values.items())
    return int(counts["chunks"])


def _one(old: sqlite3.Connection, statement: str, given: tuple[Any, ...]) -> list[Any]:
    """Return the rows that a look-up finds; none where it meets a broken page."""
    try:
        return old.execute(statement, given).fetchall()
    except _UNREADABLE:
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
            before, last = last, (rows[-1][0], rows[-1][1])
            if not (last > before if sign == ">" else last < before):  # a broken page leads back
                break


def _put(new: sqlite3.Connection, table: str, rows: Iterable[Any]) -> None:
    """Write rows; one that a broken page made nonsense of is left out."""
    for row in rows:
        marks = ", ".join("?" * len(row))
        with suppress(sqlite3.IntegrityError, sqlite3.OperationalError):
            new.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", tuple(row))  # noqa: S608 - our tables
