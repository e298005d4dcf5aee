"""Texts of an index that are damaged, restored from the documents that they came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from llmkit.flows.index.load import Reader, staged
from llmkit.flows.index.parts import Parts
from llmkit.retrieval.checks import broken_tables, damaged_texts, vector_faults
from llmkit.retrieval.failures import Damaged
from llmkit.retrieval.publish import remake_lexical_table
from llmkit.retrieval.records import IndexMeta
from llmkit.retrieval.staged import StagedDocument
from llmkit.retrieval.store import IndexStore


@dataclass(slots=True)
class Mended:
    """What became of damaged documents.

    Attributes:
        restored: Their chunks are again what was written.
        marked: The next build reads them again: path -> why they could not be restored at once.
    """

    restored: list[str] = field(default_factory=list)
    marked: dict[str, str] = field(default_factory=dict)


def mend(store: IndexStore, meta: IndexMeta, parts: Parts | None) -> Mended:
    """Restore damaged texts from their documents where these are what was indexed, and mark the others.

    The lexical index is made anew from the chunks. Vectors that are damaged or lost are marked; the next build embeds
    their texts again, and only these.

    Raises:
        Damaged: SQLite still says something against the file, each a sentence; nothing was changed.
    """
    mended = Mended()
    with store.transaction() as sql:
        sql.execute("REINDEX")
        if said := broken_tables(store):  # not in what is looked up by alone: nothing of it is changed
            raise Damaged(*said)
        sql.execute("DELETE FROM chunks WHERE document NOT IN (SELECT id FROM documents)")
    paths = damaged_texts(store).paths
    for path, made in _read_again(store, meta, parts, paths):
        if isinstance(made, str) or not _restore(store, made):
            mended.marked[path] = made if isinstance(made, str) else "chunks of it are missing"
        else:
            mended.restored.append(path)
    with store.transaction() as sql:
        sql.executemany(
            "UPDATE documents SET fingerprint = '', mtime_ns = -1 WHERE path = ?", [(path,) for path in mended.marked]
        )
    remake_lexical_table(store)
    with store.transaction() as sql:
        sql.execute("DELETE FROM meta WHERE name = 'words'")  # the next build derives them anew
    prefixed = bool(meta.config.get("title_prefix", True))
    if any(vector_faults(store, title_prefix=prefixed, known=damaged_texts(store).chunks)):
        with store.transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO meta VALUES ('lost', 1)")
    return mended


def _read_again(
    store: IndexStore, meta: IndexMeta, parts: Parts | None, paths: list[str]
) -> Iterator[tuple[str, StagedDocument | str]]:
    """Yield each document as it is now, or why it is not what was indexed."""
    if parts is None:
        yield from ((path, "without its config nothing is known of its source") for path in paths)
        return
    if not paths:
        return
    now = (parts.chunk_fingerprint, parts.embed_fingerprint, parts.title_prefix)
    if now != (meta.chunk_fingerprint, meta.embed_fingerprint, meta.config.get("title_prefix", True)):
        yield from ((path, "the config reads or embeds documents otherwise than the index does") for path in paths)
        return
    wanted, known = set(paths), store.documents()
    there = {found.path: found for found in parts.source.scan() if found.path in wanted}
    reader = Reader(parts.source, parts.chunker, parts.tokenizer)
    for path in paths:
        yield path, _as_indexed(parts, reader, there.get(path), path, known[path].hash)


def _as_indexed(parts: Parts, reader: Reader, found: Any, path: str, content: str) -> StagedDocument | str:
    from llmkit.documents.found import LoadError

    if found is None:
        return "it is no longer in the source"
    try:
        if parts.source.digest(found) != content:
            return "its source has changed since"
    except LoadError as error:
        return error.reason
    _, document, chunks = reader(replace(found, hash=content))
    return document if isinstance(document, str) else staged(parts, path, content, document, chunks)


def _restore(store: IndexStore, made: StagedDocument) -> bool:
    """Write a document's texts in the places where they stood; False, and nothing is done, where places are missing."""
    rows = list(made.chunk_rows())
    with store.transaction() as sql:
        one = sql.execute("SELECT id FROM documents WHERE path = ?", (made.path,)).fetchone()[0]
        places = sql.execute("SELECT ordinal FROM chunks WHERE document = ? ORDER BY ordinal", (one,)).fetchall()
        if [place for (place,) in places] != list(range(len(rows))):
            return False
        _, _, title, meta, crc = made.row
        sql.execute("UPDATE documents SET title = ?, meta = ?, crc = ? WHERE id = ?", (title, meta, crc, one))
        sql.executemany(
            'UPDATE chunks SET start = ?2, "end" = ?3, headings = ?4, lead = ?5, text = ?6, page = ?7, key = ?8, '
            "gap = ?9, crc = ?10 WHERE document = ?11 AND ordinal = ?1",
            [(*row, one) for row in rows],
        )
    return True
