"""The SQLite file of an index: its tables, and opening it.

The file is the only truth. What a reader sees of documents, chunks, the lexical index and `meta` changes in one
transaction, `publish`; `vectors` and the ``staged_`` tables grow before that, and no reader looks at their new rows.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from llmkit.errors import InfrastructureError, UsageError
from llmkit.retrieval.failures import damaged, writing
from llmkit.retrieval.postings import attach

SCHEMA_VERSION: Final = 2
"""2 keeps the text between chunks, checksums of documents and chunks, and what a failure stands in for."""

OLDEST: Final = 1
"""The first version that can be searched as it is; a writer brings it up to date."""

FILE_NAME: Final = "index.sqlite"
BUSY_SECONDS: Final = 10.0
_APPLICATION_ID: Final = 0x6C6C6978  # "llix"

_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, started TEXT NOT NULL, finished TEXT NOT NULL, generation INTEGER NOT NULL,
    config TEXT NOT NULL, counts TEXT NOT NULL, tokens INTEGER NOT NULL, cost REAL, version TEXT NOT NULL);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    hash TEXT NOT NULL, title TEXT NOT NULL, meta TEXT NOT NULL, fingerprint TEXT NOT NULL, crc INTEGER);
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY, document INTEGER NOT NULL, ordinal INTEGER NOT NULL, start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, headings TEXT NOT NULL, lead TEXT NOT NULL, text TEXT NOT NULL,
    page INTEGER NOT NULL, key BLOB, gap TEXT, crc INTEGER);
CREATE UNIQUE INDEX chunks_of_document ON chunks (document, ordinal);
CREATE TABLE epochs (
    epoch INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, dimensions INTEGER NOT NULL, rows INTEGER NOT NULL);
CREATE TABLE vectors (
    key BLOB NOT NULL, epoch INTEGER NOT NULL, row INTEGER NOT NULL, tokens INTEGER NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (key, epoch)) WITHOUT ROWID;
CREATE TABLE failures (
    path TEXT PRIMARY KEY, hash TEXT NOT NULL, fingerprint TEXT NOT NULL, error TEXT NOT NULL,
    attempts INTEGER NOT NULL, holds TEXT NOT NULL DEFAULT '[]') WITHOUT ROWID;
CREATE TABLE staged_documents (
    path TEXT PRIMARY KEY, hash TEXT NOT NULL, title TEXT NOT NULL, meta TEXT NOT NULL, fingerprint TEXT NOT NULL,
    stage TEXT NOT NULL, crc INTEGER) WITHOUT ROWID;
CREATE TABLE staged_chunks (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, ordinal INTEGER NOT NULL, start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, headings TEXT NOT NULL, lead TEXT NOT NULL, text TEXT NOT NULL,
    page INTEGER NOT NULL, key BLOB, gap TEXT, crc INTEGER);
CREATE INDEX staged_chunks_of ON staged_chunks (path, ordinal);
CREATE TABLE staged_keys (number INTEGER PRIMARY KEY, key BLOB);
"""

_FROM_1: Final = """
ALTER TABLE documents ADD COLUMN crc INTEGER;
ALTER TABLE chunks ADD COLUMN gap TEXT;
ALTER TABLE chunks ADD COLUMN crc INTEGER;
ALTER TABLE failures ADD COLUMN holds TEXT NOT NULL DEFAULT '[]';
ALTER TABLE staged_documents ADD COLUMN crc INTEGER;
ALTER TABLE staged_chunks ADD COLUMN gap TEXT;
ALTER TABLE staged_chunks ADD COLUMN crc INTEGER;
DELETE FROM staged_chunks;
DELETE FROM staged_documents;
UPDATE documents SET fingerprint = '';
"""
"""The next build reads every document again, for what version 1 did not keep, and embeds nothing."""


def connect_writer(folder: Path) -> sqlite3.Connection:
    """Return a connection that may write, to the file in ``folder``, which is made where there is none.

    Raises:
        InfrastructureError: the file is another program's, damaged, or of another schema.
    """
    path = folder / FILE_NAME
    with writing(path):
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
            version = _version(connection, path)
            if version and version < SCHEMA_VERSION:
                connection.executescript(f"BEGIN IMMEDIATE; {_FROM_1} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
            elif not version:
                make_tables(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA cache_size = -65536")
            connection.execute("PRAGMA temp_store = MEMORY")
        except BaseException:
            connection.close()
            raise
    return connection


def make_tables(connection: sqlite3.Connection) -> None:
    """Make an empty file an index."""
    connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.executescript(
        f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {_APPLICATION_ID}; "
        f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def tables_differ(connection: sqlite3.Connection) -> bool:
    """Return whether the tables or their columns are not those of this version."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        make_tables(fresh)
        names = [name for (name,) in fresh.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return any(_columns(fresh, name) != _columns(connection, name) for name in names)


def _columns(connection: sqlite3.Connection, table: str) -> list[tuple[str, str, int]]:
    return connection.execute("SELECT name, type, pk FROM pragma_table_info(?)", (table,)).fetchall()


def connect_reader(folder: Path) -> sqlite3.Connection:
    """Return a connection that may only read.

    Raises:
        UsageError: there is no index in the folder.
        InfrastructureError: as `connect_writer`.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise UsageError(f"there is no index in {folder}; make one with 'llmkit index build CONFIG'")
    for mode in ("mode=rw", "mode=ro", "immutable=1"):  # a folder that nobody may write to is read as it lies there
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            attach(connection)
            connection.execute("PRAGMA cache_size = -16384")
            connection.execute("PRAGMA query_only = ON")
            known = _version(connection, path)
        except sqlite3.OperationalError as error:
            connection.close()
            if mode == "immutable=1":
                raise InfrastructureError(f"cannot read {path}: {error}") from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            connection.close()
            raise damaged(path, str(error)) from error
        except BaseException:
            connection.close()
            raise
        else:
            break
    if not known:
        connection.close()
        raise UsageError(f"the index in {folder} was never built; run 'llmkit index build CONFIG'")
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the index's tables, 0 where the file is new; refuse anything else."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if tables and owner != _APPLICATION_ID:
        raise InfrastructureError(f"{path} is a database of another program, not an index; choose another folder")
    if tables and version > SCHEMA_VERSION:
        raise InfrastructureError(
            f"{path} was made by a newer llmkit (index version {version}, this one knows {SCHEMA_VERSION}); update "
            "llmkit, or build into another folder"
        )
    if tables and version < OLDEST:
        raise InfrastructureError(
            f"{path} was made by an older llmkit (index version {version}, this one writes {SCHEMA_VERSION}); build "
            "into another folder, or remove this one and build again"
        )
    return int(version) if tables else 0
