"""The SQLite file of the response cache: opening, making, checking, writing."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final

from llmkit.errors import InfrastructureError
from llmkit.store.records import response_to_dict, to_json
from llmkit.types import Response

SCHEMA_VERSION: Final = 1
BUSY_SECONDS: Final = 10.0
_APPLICATION_ID: Final = 0x6C6C6D6B  # "llmk"
_MAKE_ATTEMPTS: Final = 100


def connect(path: Path) -> sqlite3.Connection:
    """Open the file; a statement waits `BUSY_SECONDS` for other processes."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the file is ours, and make it where it is new."""
    if _is_ready(connection, path):
        connection.execute("PRAGMA synchronous = NORMAL")
        return
    for attempt in range(_MAKE_ATTEMPTS):  # going over to WAL does not wait for other processes by itself
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError:
            if attempt == _MAKE_ATTEMPTS - 1:
                raise
            time.sleep(0.02)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, body BLOB NOT NULL, written REAL NOT NULL)"
    )
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _is_ready(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file is a cache, False where it is new; refuse anything else."""
    connection.execute("BEGIN")  # one snapshot, so that another process cannot make the file between two questions
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute("COMMIT")
    if tables and owner != _APPLICATION_ID:
        raise InfrastructureError(f"{path} is a database of another program, not a response cache; choose another file")
    if version > SCHEMA_VERSION:
        raise InfrastructureError(
            f"{path} was made by a newer llmkit (cache version {version}, this one knows {SCHEMA_VERSION}); "
            "update llmkit, or choose another file"
        )
    return bool(tables)


def insert(connection: sqlite3.Connection, batch: dict[str, Response], warnings: list[str]) -> None:
    """Write a batch in one transaction; what JSON cannot hold is left out, with a warning."""
    now = time.time()
    rows = []
    for key, response in batch.items():
        try:
            rows.append((key, to_json(response_to_dict(response)), now))
        except ValueError as error:
            if not warnings:
                warnings.append(f"a response was not put into the cache: {error}")
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT OR REPLACE INTO responses VALUES (?, ?, ?)", rows)
    connection.execute("COMMIT")
