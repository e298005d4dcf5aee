"""Is an index what was written? Vectors by their checksums, chunks by their keys, tables by SQLite itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llmkit.errors import MissingExtraError
from llmkit.retrieval.failures import writing
from llmkit.retrieval.publish import places_of
from llmkit.retrieval.schema import tables_differ
from llmkit.retrieval.staged import checksum, embedded_text, vector_key
from llmkit.retrieval.store import IndexStore
from llmkit.retrieval.tantivy import TantivyWords, words_are_whole
from llmkit.retrieval.vector_file import checksums, open_rows, vector_path, whole_rows

_NORM: Final = 1e-3
_SHOWN: Final = 3


def faults(store: IndexStore, *, title_prefix: bool) -> Iterator[str]:
    """Yield a sentence for each kind of damage; nothing for an index that is whole."""
    broken = broken_tables(store)
    yield from broken or content_faults(store, title_prefix=title_prefix)


def content_faults(store: IndexStore, *, title_prefix: bool) -> Iterator[str]:
    """Yield a sentence for each kind of damage to what stands in tables that SQLite can read."""
    yield from _of_lexical(store)
    damage = damaged_texts(store)
    if damage.documents:
        yield f"{len(damage.documents):,} documents are not what was written: {_few(damage.documents)}"
    if damage.chunks:
        yield f"{len(damage.chunks):,} chunks are not what was written: {_few(damage.chunks)}"
    if damage.lacking:
        yield f"{len(damage.lacking):,} documents lack chunks: {_few(damage.lacking)}"
    if damage.lost:
        yield f"{damage.lost:,} chunks of those that were published are lost"
    yield from vector_faults(store, title_prefix=title_prefix, known=damage.chunks)


def broken_tables(store: IndexStore) -> list[str]:
    """Return what SQLite says against its file, a sentence each; nothing where it is whole."""
    with writing(store.path):
        if tables_differ(store.connection):
            return [f"{store.path.name}: its tables are not those that an index has"]
    lines = [line for (said,) in store.rows("PRAGMA integrity_check(5)") for line in said.splitlines()]
    return [f"{store.path.name}: {line}" for line in lines if line != "ok" and not line.startswith("***")]


def _of_lexical(store: IndexStore) -> Iterator[str]:
    if store.value("lexical"):
        try:
            store.connection.execute("INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError:
            yield "the lexical index does not fit the chunks"
    yield from _of_words(store)
    orphans = store.rows("SELECT count(*) FROM chunks WHERE document NOT IN (SELECT id FROM documents)")[0][0]
    if orphans:
        yield f"{orphans:,} chunks belong to no document"


def _of_words(store: IndexStore) -> Iterator[str]:
    """Yield what is wrong with the words that another engine holds; what is missing, the next build derives anew."""
    name = store.value("words")
    if not name or not (store.folder / name).is_dir():
        return
    try:
        words = TantivyWords(store.folder / name, store.value("lexical"))
    except MissingExtraError:
        return  # who cannot search them is told so then
    except ValueError:
        yield f"{name} is damaged; FTS5 finds words in its place"
        return
    if not words_are_whole(store.folder / name):
        words.close()
        yield f"{name} is not what was written"
        return
    held, chunks = len(words), store.rows("SELECT count(*) FROM chunks")[0][0]
    words.close()
    if held != chunks:
        yield f"{name} holds {held:,} chunks, and there are {chunks:,}"


@dataclass(frozen=True, slots=True)
class Damage:
    """Texts that are not what was written.

    Attributes:
        documents: Paths of documents whose title or metadata changed.
        chunks: Numbers of chunks whose text or offsets changed.
        lacking: Paths of documents of which chunks are missing before others.
        lost: How many chunks are missing of those that were published, and nobody knows of which document.
        paths: Every document that is touched by one of these.
    """

    documents: list[str]
    chunks: list[int]
    lacking: list[str]
    lost: int
    paths: list[str]


def damaged_texts(store: IndexStore) -> Damage:
    """Return which texts are not those that were written, by their checksums; by their length where there is none."""
    documents: list[str] = []
    chunks: list[int] = []
    owners: set[int] = set()
    with store.transaction() as sql:
        paths = dict(sql.execute("SELECT id, path FROM documents"))
        for one, *row, crc in sql.execute("SELECT id, path, hash, title, meta, crc FROM documents ORDER BY path"):
            if crc is not None and checksum(*row) != crc:
                documents.append(str(row[0]))
                owners.add(one)
        for number, document, ordinal, start, end, headings, lead, text, page, gap, crc in sql.execute(
            'SELECT number, document, ordinal, start, "end", headings, lead, text, page, gap, crc FROM chunks '
            "ORDER BY number"
        ):
            row = (ordinal, start, end, headings, lead, text, page, gap)
            if checksum(*row) != crc if crc is not None else not _fits(start, end, text):
                chunks.append(number)
                owners.add(document)
        counted = sql.execute("SELECT document, count(*), max(ordinal) + 1 FROM chunks GROUP BY document").fetchall()
    holes = {document: top - count for document, count, top in counted if top > count}
    owners |= holes.keys()
    meta = store.meta
    lost = 0 if meta is None else max(0, meta.chunks - sum(row[1] for row in counted) - sum(holes.values()))
    touched = paths if lost else owners & paths.keys()
    lacking = sorted(paths[one] for one in holes if one in paths)
    return Damage(documents, chunks, lacking, lost, sorted(paths[one] for one in touched))


def _fits(start: Any, end: Any, text: Any) -> bool:
    return isinstance(text, str) and isinstance(start, int) and isinstance(end, int) and end - start == len(text)


def vector_faults(store: IndexStore, *, title_prefix: bool, known: Sequence[int] = ()) -> Iterator[str]:
    """Yield a sentence for each way in which chunks, but those that are known to be damaged, and vectors do not fit."""
    told = set(known)
    meta = store.meta
    fingerprint = None if meta is None else meta.embed_fingerprint
    wrong = []
    with store.transaction() as sql:
        for number, lead, text, key in sql.execute("SELECT number, lead, text, key FROM chunks ORDER BY number"):
            expected = None
            if fingerprint is not None:
                expected = vector_key(fingerprint, embedded_text(lead, text, title_prefix=title_prefix))
            if key != expected and number not in told:
                wrong.append(number)
    if wrong:
        yield f"{len(wrong):,} chunks have the vector of another text: {_few(wrong)}"
    yield from _of_vectors(store)


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
        elif (length := float(np.linalg.norm(vectors[row]))) and abs(length - 1) > _NORM:
            long.append(row)  # one of zeros is that of a text of which its embedder knows no word
    if broken:
        yield f"{name}: {len(broken):,} vectors are not what was written: rows {_few(broken)}"
    if long:
        yield f"{name}: {len(long):,} vectors are not of length 1: rows {_few(long)}"


def _few(numbers: Sequence[int | str]) -> str:
    shown = ", ".join(str(number) for number in numbers[:_SHOWN])
    return f"{shown}, ..." if len(numbers) > _SHOWN else shown
