"""Is an index what was written? Vectors by their checksums, chunks by their keys, tables by SQLite itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from llmkit.retrieval.publish import places_of
from llmkit.retrieval.staged import embedded_text, vector_key
from llmkit.retrieval.store import IndexStore
from llmkit.retrieval.vector_file import checksums, open_rows, vector_path, whole_rows

_NORM: Final = 1e-3
_SHOWN: Final = 3


def faults(store: IndexStore, *, title_prefix: bool) -> Iterator[str]:
    """Yield a sentence for each kind of damage; nothing for an index that is whole."""
    yield from _of_sqlite(store)
    yield from _of_chunks(store, title_prefix=title_prefix)
    yield from _of_vectors(store)


def _of_sqlite(store: IndexStore) -> Iterator[str]:
    for (said,) in store.rows("PRAGMA integrity_check(5)"):
        if said != "ok":
            yield f"{store.path.name}: {said}"
    if store.value("lexical"):
        try:
            store.connection.execute("INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError:
            yield "the lexical index does not fit the chunks"
    orphans = store.rows("SELECT count(*) FROM chunks WHERE document NOT IN (SELECT id FROM documents)")[0][0]
    if orphans:
        yield f"{orphans:,} chunks belong to no document"


def _of_chunks(store: IndexStore, *, title_prefix: bool) -> Iterator[str]:
    meta = store.meta
    fingerprint = None if meta is None else meta.embed_fingerprint
    wrong_spans, wrong_keys = [], []
    with store.transaction() as sql:
        for number, start, end, lead, text, key in sql.execute(
            'SELECT number, start, "end", lead, text, key FROM chunks ORDER BY number'
        ):
            if end - start != len(text):
                wrong_spans.append(number)
            expected = None
            if fingerprint is not None:
                expected = vector_key(fingerprint, embedded_text(lead, text, title_prefix=title_prefix))
            if key != expected:
                wrong_keys.append(number)
    if wrong_spans:
        yield f"{len(wrong_spans):,} chunks are not as long as their offsets say: {_few(wrong_spans)}"
    if wrong_keys:
        yield f"{len(wrong_keys):,} chunks have the vector of another text: {_few(wrong_keys)}"


def _of_vectors(store: IndexStore) -> Iterator[str]:
    epoch = int(store.value("epoch") or 0)
    with store.transaction() as sql:
        try:
            places, _ = places_of(sql, epoch)
        except AssertionError as error:
            yield str(error)
            return
    if places != store.value("places"):
        yield "the rows of the chunks' vectors are not those that were published"
    if not epoch:
        return
    dimensions, rows = store.rows("SELECT dimensions, rows FROM epochs WHERE epoch = ?", (epoch,))[0]
    path = vector_path(store.folder, epoch)
    there = min(rows, whole_rows(path, dimensions))
    if there < rows:
        yield f"{path.name} holds {there:,} of its {rows:,} vectors"
    yield from _of_rows(store, open_rows(path, there, dimensions), epoch)


def _of_rows(store: IndexStore, vectors: Any, epoch: int) -> Iterator[str]:
    import numpy as np

    name = vector_path(store.folder, epoch).name
    there, broken, long = len(vectors), [], []
    for row, crc in store.rows("SELECT row, crc FROM vectors WHERE epoch = ? ORDER BY row", (epoch,)):
        if row >= there:
            continue
        if checksums(vectors[row : row + 1]) != [crc]:
            broken.append(row)
        elif abs(float(np.linalg.norm(vectors[row])) - 1) > _NORM:
            long.append(row)
    if broken:
        yield f"{name}: {len(broken):,} vectors are not what was written: rows {_few(broken)}"
    if long:
        yield f"{name}: {len(long):,} vectors are not of length 1: rows {_few(long)}"


def _few(numbers: list[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:_SHOWN])
    return f"{shown}, ..." if len(numbers) > _SHOWN else shown
