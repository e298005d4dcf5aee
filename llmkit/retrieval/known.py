"""What an index knows of its documents, for a writer or a reader, of this version's tables or an older one's."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from llmkit.retrieval.failures import damaged
from llmkit.retrieval.records import IndexMeta
from llmkit.retrieval.schema import SCHEMA_VERSION
from llmkit.retrieval.staged import Failed, Known


def meta_of(written: str, path: Path) -> IndexMeta:
    """Return what an index says of itself. Raises InfrastructureError where that is not what was written."""
    try:
        return IndexMeta(**json.loads(written))
    except (ValueError, TypeError) as error:
        raise damaged(path, "what it says of itself is not what was written") from error


def documents_of(sql: sqlite3.Connection) -> dict[str, Known]:
    """Return the documents of the last generation by path; those of an older version's tables are to be read again."""
    fingerprint = "fingerprint" if sql.execute("PRAGMA user_version").fetchone()[0] >= SCHEMA_VERSION else "''"
    found = sql.execute(f"SELECT path, id, size, mtime_ns, hash, {fingerprint} FROM documents")  # noqa: S608
    return {path: Known(*rest) for path, *rest in found}


def failures_of(sql: sqlite3.Connection) -> dict[str, Failed]:
    """Return the documents that could not be read, by path."""
    found = {}
    for path, digest, fingerprint, error, attempts, *newer in sql.execute("SELECT * FROM failures"):
        holds = tuple(json.loads(newer[0])) if newer else ()
        found[path] = Failed(digest, fingerprint, error, attempts, holds)
    return found
