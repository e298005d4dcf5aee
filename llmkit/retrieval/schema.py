"""The SQLite file of an index: its tables, and opening it.

The file is the only truth. What a reader sees of documents, chunks, the lexical index and `meta` changes in one
transaction, `publish`; `vectors` and the ``staged_`` tables grow before that, and no reader looks at their new rows.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from llmkit.errors import InfrastructureError, UsageError
from llmkit.retrieval.failures import damaged, writing

SCHEMA_VERSION: Final = 1
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
    hash TEXT NOT NULL, title TEXT NOT NULL, meta TEXT NOT NULL, fingerprint TEXT NOT NULL);
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY, document INTEGER NOT NULL, ordinal INTEGER NOT NULL, start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, headings TEXT NOT NULL, lead TEXT NOT NULL, text TEXT NOT NULL,
    page INTEGER NOT NULL, key BLOB);
CREATE UNIQUE INDEX chunks_of_document ON chunks (document, ordinal);
CREATE TABLE epochs (
    epoch INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, dimensions INTEGER NOT NULL, rows INTEGER NOT NULL);
CREATE TABLE vectors (
    key BLOB NOT NULL, epoch INTEGER NOT NULL, row INTEGER NOT NULL, tokens INTEGER NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (key, epoch)) WITHOUT ROWID;
CREATE TABLE failures (
    path TEXT PRIMARY KEY, hash TEXT NOT NULL, fingerprint TEXT NOT NULL, error TEXT NOT NULL,
    attempts INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE staged_documents (
    path TEXT PRIMARY KEY, hash TEXT NOT NULL, title TEXT NOT NULL, meta TEXT NOT NULL, fingerprint TEXT NOT NULL,
    stage TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE staged_chunks (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, ordinal INTEGER NOT NULL, start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, headings TEXT NOT NULL, lead TEXT NOT NULL, text TEXT NOT NULL,
    page INTEGER NOT NULL, key BLOB);
CREATE INDEX staged_chunks_of ON staged_chunks (path, ordinal);
CREATE TABLE staged_keys (number INTEGER PRIMARY KEY, key BLOB);
"""


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
            if not _is_index(connection, path):
                connection.execute("PRAGMA page_size = 8192")
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
                connection.executescript(
                    f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {_APPLICATION_ID}; "
                    f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                )
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA cache_size = -65536")
            connection.execute("PRAGMA temp_store = MEMORY")
        except BaseException:
            connection.close()
            raise
    return connection


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
            connection.execute("PRAGMA query_only = ON")
            known = _is_index(connection, path)
        except sqlite3.OperationalError as error:
            connection.close()
            if mode == "immutable=1":
                raise InfrastructureError(f"cannot read {path}: {error}") from error
        except sqlite3.DatabaseError as error:
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


def _is_index(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file is an index, False where it is new; refuse anything else."""
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
    if tables and version < SCHEMA_VERSION:
        raise InfrastructureError(
            f"{path} was made by an older llmkit (index version {version}, this one writes {SCHEMA_VERSION}); build "
            "into another folder, or remove this one and build again"
        )
    return bool(tables)
