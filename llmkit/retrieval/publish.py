"""The one transaction that makes what was staged the next generation."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from llmkit.retrieval.match import LEXICAL, TRIGRAM
from llmkit.retrieval.postings import END_INDEXES
from llmkit.retrieval.records import IndexMeta
from llmkit.retrieval.staged import CHUNK_COLUMNS, Failed, Stat
from llmkit.retrieval.store import IndexStore


@dataclass(frozen=True, slots=True)
class Changes:
    """What a generation changes beside the documents that were staged.

    Attributes:
        removed: Paths that are no longer there.
        seen: What the scan saw of documents that were staged, or only touched.
        failures: Every document that cannot be read, by path.
        rekeyed: Whether chunks that stay have new keys (`IndexStore.rekey`).
        run: What the run is remembered by: started, config, counts, tokens, cost, version.
    """

    removed: Sequence[str] = ()
    seen: Mapping[str, Stat] = field(default_factory=dict)
    failures: Mapping[str, Failed] = field(default_factory=dict)
    rekeyed: bool = False
    run: Mapping[str, Any] = field(default_factory=dict)


def publish(
    store: IndexStore, meta: IndexMeta, changes: Changes, *, lexical: str | None, max_tokens: int | None
) -> IndexMeta:
    """Make what was staged the next generation, in one transaction, and return what it says of itself.

    Args:
        store: The writer.
        meta: What the next generation is made of; generation, counts and dates are filled in.
        changes: What else changes.
        lexical: A key of `LEXICAL`, or None for no lexical index.
        max_tokens: The embedder's limit, to count what it cuts off.
    """
    old_epoch = int(store.value("epoch") or 0)
    with store.transaction() as sql:
        generation = int(store.value("generation") or 0) + 1
        fresh = _lexical_table(sql, store, lexical)
        if changes.rekeyed:  # before numbers are given again
            sql.execute(
                "UPDATE chunks SET key = k.key FROM staged_keys k "
                "WHERE k.number = chunks.number AND chunks.key IS NOT k.key"
            )
        _delete(sql, changes.removed, lexical=lexical is not None and not fresh)
        _insert(sql, changes.seen, lexical=lexical is not None and not fresh)
        if fresh:
            sql.execute("INSERT INTO chunks_fts (chunks_fts) VALUES ('rebuild')")
        _failures(sql, changes.failures)
        places, dimensions = places_of(sql, store.epoch)
        oldest, newest = _dates(sql, meta.fields)
        before = store.meta
        same = before is not None and before.embed_fingerprint == meta.embed_fingerprint
        meta = replace(
            meta,
            generation=generation,
            built=datetime.now(UTC).isoformat(timespec="seconds"),
            dimensions=dimensions,
            documents=sql.execute("SELECT count(*) FROM documents").fetchone()[0],
            chunks=sql.execute("SELECT count(*) FROM chunks").fetchone()[0],
            truncated=_truncated(sql, store.epoch, max_tokens),
            oldest=oldest,
            newest=newest,
            tuned=before.tuned if before is not None and same else None,
            calibrated=None if before is None else before.calibrated,
        )
        values = {
            "meta": json.dumps(asdict(meta), ensure_ascii=False),
            "generation": generation,
            "epoch": store.epoch,
            "places": places,
            "lexical": lexical,
        }
        sql.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())
        sql.execute("DELETE FROM meta WHERE name IN ('derived', 'words', 'lost')")
        sql.execute("DELETE FROM vectors WHERE epoch <> ?", (store.epoch,))
        sql.execute("DELETE FROM epochs WHERE epoch <> ?", (store.epoch,))
        for table in ("staged_documents", "staged_chunks", "staged_keys"):
            sql.execute(f"DELETE FROM {table}")  # noqa: S608 - three constants
        remember(sql, changes.run, generation)
    if old_epoch != store.epoch:
        store.tidy()
    return meta


def touch(store: IndexStore, changes: Changes) -> None:
    """Note what was seen where nothing changed: no new generation."""
    with store.transaction() as sql:
        sql.executemany(
            "UPDATE documents SET size = ?, mtime_ns = ? WHERE path = ?",
            [(stat.size, stat.mtime_ns, path) for path, stat in changes.seen.items()],
        )
        _failures(sql, changes.failures)
        remember(sql, changes.run, int(store.value("generation") or 0))


def remember(sql: sqlite3.Connection, run: Mapping[str, Any], generation: int) -> None:
    """Write a line about a run; the last hundred are kept."""
    if not run:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    sql.execute(
        "INSERT INTO runs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run["started"],
            now,
            generation,
            json.dumps(run["config"], ensure_ascii=False),
            json.dumps(run["counts"]),
            run["tokens"],
            run["cost"],
            run["version"],
        ),
    )
    sql.execute("DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - 100")


def _lexical_table(sql: sqlite3.Connection, store: IndexStore, lexical: str | None) -> bool:
    """Make or drop the lexical index where the config asks for another; return whether it is new and empty."""
    for name, statement in END_INDEXES.items():
        if lexical != TRIGRAM:
            sql.execute(f"DROP INDEX IF EXISTS {name}")
        elif not sql.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone():
            sql.execute(statement)
    known = store.value("lexical")
    there = bool(sql.execute("SELECT 1 FROM sqlite_master WHERE name = 'chunks_fts'").fetchone())
    if there and known == lexical:
        return False
    if there:
        sql.execute("DROP TABLE chunks_fts")
    if lexical is None:
        return False
    _empty_lexical_table(sql, lexical)
    return True


def _empty_lexical_table(sql: sqlite3.Connection, lexical: str) -> None:
    sql.execute(
        "CREATE VIRTUAL TABLE chunks_fts USING fts5 "
        f"(lead, text, content='chunks', content_rowid='number', tokenize='{LEXICAL[lexical]}')"
    )


def remake_lexical_table(store: IndexStore) -> None:
    """Make the lexical index of the last generation anew from its chunks, whatever is left of it."""
    lexical = store.value("lexical")
    if not lexical:
        return
    with store.transaction() as sql:
        sql.execute("DROP TABLE IF EXISTS chunks_fts")
        _empty_lexical_table(sql, lexical)
        sql.execute("INSERT INTO chunks_fts (chunks_fts) VALUES ('rebuild')")


def _delete(sql: sqlite3.Connection, removed: Iterable[str], *, lexical: bool) -> None:
    """Delete the chunks of documents that are gone or replaced, and the documents that are gone."""
    sql.execute("CREATE TEMP TABLE IF NOT EXISTS gone (id INTEGER PRIMARY KEY)")
    sql.execute("DELETE FROM gone")
    sql.executemany("INSERT INTO gone SELECT id FROM documents WHERE path = ?", [(path,) for path in removed])
    sql.execute("INSERT OR IGNORE INTO gone SELECT d.id FROM documents d JOIN staged_documents s ON s.path = d.path")
    if lexical:
        sql.execute(
            "INSERT INTO chunks_fts (chunks_fts, rowid, lead, text) "
            "SELECT 'delete', number, lead, text FROM chunks WHERE document IN (SELECT id FROM gone)"
        )
    sql.execute("DELETE FROM chunks WHERE document IN (SELECT id FROM gone)")
    sql.executemany("DELETE FROM documents WHERE path = ?", [(path,) for path in removed])


def _insert(sql: sqlite3.Connection, seen: Mapping[str, Stat], *, lexical: bool) -> None:
    """Put what was staged in its place; numbers that are free are given again, so that they stay near the count."""
    sql.executemany(
        "INSERT INTO documents (path, size, mtime_ns, hash, title, meta, fingerprint, crc) "
        "SELECT path, ?, ?, hash, title, meta, fingerprint, crc FROM staged_documents "
        "WHERE path = ? ON CONFLICT (path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns, "
        "hash = excluded.hash, title = excluded.title, meta = excluded.meta, fingerprint = excluded.fingerprint, "
        "crc = excluded.crc",
        [(stat.size, stat.mtime_ns, path) for path, stat in sorted(seen.items())],
    )
    sql.executemany(
        "UPDATE documents SET size = ?, mtime_ns = ? WHERE path = ?",
        [(stat.size, stat.mtime_ns, path) for path, stat in seen.items()],
    )
    numbers = _free_numbers(sql)
    sql.execute("CREATE TEMP TABLE IF NOT EXISTS put (number INTEGER PRIMARY KEY)")
    sql.execute("DELETE FROM put")
    last = ("", -1)
    while found := sql.execute(
        f"SELECT path, (SELECT id FROM documents d WHERE d.path = s.path), {CHUNK_COLUMNS} "  # noqa: S608 - a constant
        "FROM staged_chunks s WHERE (path, ordinal) > (?, ?) ORDER BY path, ordinal LIMIT 4096",
        last,
    ).fetchall():
        last = (found[-1][0], found[-1][2])
        rows = [(next(numbers), *row[1:]) for row in found]
        sql.executemany(
            f"INSERT INTO chunks (number, document, {CHUNK_COLUMNS}) "  # noqa: S608 - a constant
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        sql.executemany("INSERT INTO put VALUES (?)", [(row[0],) for row in rows])
    if lexical:
        sql.execute(
            "INSERT INTO chunks_fts (rowid, lead, text) SELECT number, lead, text FROM chunks "
            "WHERE number IN (SELECT number FROM put)"
        )


def _free_numbers(sql: sqlite3.Connection) -> Iterator[int]:
    """Yield numbers that no chunk has, lowest first."""
    count, top = sql.execute("SELECT count(*), coalesce(max(number), -1) FROM chunks").fetchone()
    if count <= top:
        taken = {number for (number,) in sql.execute("SELECT number FROM chunks")}
        yield from [number for number in range(top + 1) if number not in taken]
    number = top
    while True:
        number += 1
        yield number


def _failures(sql: sqlite3.Connection, failures: Mapping[str, Failed]) -> None:
    sql.execute("DELETE FROM failures")
    rows = [(path, *one[:4], json.dumps(one.holds, ensure_ascii=False)) for path, one in failures.items()]
    sql.executemany(
        "INSERT INTO failures (path, hash, fingerprint, error, attempts, holds) VALUES (?, ?, ?, ?, ?, ?)", rows
    )


def places_of(sql: sqlite3.Connection, epoch: int) -> tuple[bytes, int]:
    """Return the row of each chunk by its number, -1 where there is none, as int32 bytes; and the vectors' length."""
    from array import array

    top = sql.execute("SELECT coalesce(max(number), -1) FROM chunks").fetchone()[0]
    places = array("i", [-1]) * (top + 1)
    if not epoch:
        for (number,) in sql.execute("SELECT number FROM chunks"):
            places[number] = 0
        return places.tobytes(), 0
    found = sql.execute(
        "SELECT c.number, v.row FROM chunks c JOIN vectors v ON v.key = c.key AND v.epoch = ?", (epoch,)
    )
    count = 0
    for number, row in found:
        places[number] = row
        count += 1
    total = sql.execute("SELECT count(*) FROM chunks").fetchone()[0]
    assert count == total, f"{total - count} chunks have no vector"
    return places.tobytes(), int(sql.execute("SELECT dimensions FROM epochs WHERE epoch = ?", (epoch,)).fetchone()[0])


def _truncated(sql: sqlite3.Connection, epoch: int, max_tokens: int | None) -> int:
    if not epoch or max_tokens is None:
        return 0
    found = sql.execute(
        "SELECT count(*) FROM chunks c JOIN vectors v ON v.key = c.key AND v.epoch = ? WHERE v.tokens > ?",
        (epoch, max_tokens),
    )
    return int(found.fetchone()[0])


def _dates(sql: sqlite3.Connection, fields: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the earliest and latest date of the first field of type date; None where no document has one."""
    name = next((name for name, kind in fields.items() if kind == "date"), None)
    if name is None:
        return None, None
    path = f'$."{name}"'
    oldest, newest = sql.execute(
        "SELECT min(json_extract(meta, ?)), max(json_extract(meta, ?)) FROM documents", (path, path)
    ).fetchone()
    return oldest, newest
