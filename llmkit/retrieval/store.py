"""Writing an index: what a build stages, the vectors that it pays for, and the recovery of what was interrupted.

Nothing that is written here is seen by a reader before `llmkit.retrieval.publish` makes it the next generation.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llmkit.closing import Closing
from llmkit.errors import InfrastructureError
from llmkit.retrieval.failures import writing
from llmkit.retrieval.known import documents_of, failures_of, meta_of
from llmkit.retrieval.lock import WriterLock
from llmkit.retrieval.records import IndexMeta
from llmkit.retrieval.schema import FILE_NAME, connect_writer
from llmkit.retrieval.staged import CHUNK_COLUMNS, Failed, Known, StagedDocument, embedded_text, vector_key
from llmkit.retrieval.vector_file import append_rows, checksums, open_rows, vector_path, whole_rows

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

WINDOW: Final = 4096
"""Chunks whose vectors are looked for at once."""


class IndexStore(Closing):
    """The one writer of the index in a folder, which is made where there is none.

    Attributes:
        folder: Where the index lies.
        connection: SQLite, in autocommit.
        epoch: The file that vectors are appended to; 0 without an embedder.

    Raises InfrastructureError where another process writes, or the index is damaged or of another schema.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE_NAME
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._lock = WriterLock(folder)
        try:
            self.connection: sqlite3.Connection = connect_writer(folder)
        except BaseException:
            self._lock.release()
            raise
        self.epoch = 0

    def close(self) -> None:
        """Let another writer in; safe to call twice."""
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()
        self._lock.release()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do everything in it or nothing."""
        with writing(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return what a question to SQLite finds."""
        with writing(self.path):
            return self.connection.execute(statement, values).fetchall()

    def value(self, name: str) -> Any:
        """Return a value of the table ``meta``; None where there is none."""
        found = self.rows("SELECT value FROM meta WHERE name = ?", (name,))
        return found[0][0] if found else None

    @property
    def meta(self) -> IndexMeta | None:
        """What the last generation says of itself; None before the first."""
        written = self.value("meta")
        return None if written is None else meta_of(written, self.path)

    def documents(self) -> dict[str, Known]:
        """Return the documents of the last generation by path."""
        with writing(self.path):
            return documents_of(self.connection)

    def failures(self) -> dict[str, Failed]:
        """Return the documents that could not be read, by path."""
        with writing(self.path):
            return failures_of(self.connection)

    # -- vectors

    def begin(self, embed_fingerprint: str | None) -> None:
        """Choose the epoch that this embedder's vectors go to, and put right what a killed process left.

        Vectors of another embedder stay beside until the next generation is published, and so do those of a file that
        lost some: what is left of it is copied to a new one, for readers still look at the old.
        """
        live = int(self.value("epoch") or 0)
        lost = self.lost()
        with self.transaction() as sql:
            known = sql.execute("SELECT epoch, fingerprint, dimensions, rows FROM epochs ORDER BY epoch").fetchall()
            for epoch, fingerprint, dimensions, rows in known:
                if epoch != live and fingerprint != embed_fingerprint:
                    sql.execute("DELETE FROM vectors WHERE epoch = ?", (epoch,))
                    sql.execute("DELETE FROM epochs WHERE epoch = ?", (epoch,))
                elif epoch != live and rows:
                    there = min(rows, whole_rows(vector_path(self.folder, epoch), dimensions))
                    sql.execute("DELETE FROM vectors WHERE epoch = ? AND row >= ?", (epoch, there))
                    sql.execute("UPDATE epochs SET rows = ? WHERE epoch = ?", (there, epoch))
            mine = [epoch for epoch, mark, *_ in known if mark == embed_fingerprint and not (lost and epoch == live)]
            if embed_fingerprint is None:
                self.epoch = 0
            elif mine:
                self.epoch = mine[-1]
            else:
                self.epoch = max([live, *(epoch for epoch, *_ in known)]) + 1
                sql.execute("INSERT INTO epochs VALUES (?, ?, 0, 0)", (self.epoch, embed_fingerprint))
        self.tidy()
        if lost and any(epoch == live and mark == embed_fingerprint for epoch, mark, *_ in known):
            copy_whole_rows(self, live)

    def lost(self) -> bool:
        """Return whether the vectors that serve are not all there any more."""
        live = self.rows("SELECT epoch, dimensions, rows FROM epochs WHERE epoch = ?", (int(self.value("epoch") or 0),))
        short = any(whole_rows(vector_path(self.folder, epoch), width) < rows for epoch, width, rows in live if rows)
        return short or bool(self.value("lost"))

    def tidy(self) -> None:
        """Remove files that nothing refers to: vectors of epochs that are gone, what was derived from the past."""
        import shutil

        epochs = {vector_path(self.folder, epoch).name for (epoch,) in self.rows("SELECT epoch FROM epochs")}
        derived = {json.loads(self.value("derived") or "{}").get("folder"), self.value("words")}
        for file in self.folder.iterdir():
            if file.name.startswith("vectors-") and file.name not in epochs:
                with contextlib.suppress(OSError):  # Windows keeps a file that a reader has mapped; the next run tries
                    file.unlink()
            elif file.name.startswith(("ann-", "words-")) and file.name not in derived:
                shutil.rmtree(file, ignore_errors=True)

    def append(self, keys: Sequence[bytes], vectors: NDArray[float32], tokens: Sequence[int]) -> None:
        """Keep vectors for good, shape (len(keys), d): a process that is killed after this has not lost them.

        Raises:
            InfrastructureError: a vector is not finite, or of another length than those before, or the disk refused.
        """
        import numpy as np

        vectors = np.ascontiguousarray(vectors, dtype="<f4")
        if vectors.ndim != 2 or len(vectors) != len(keys) or not np.isfinite(vectors).all():  # noqa: PLR2004
            raise InfrastructureError(
                f"the embedder returned {vectors.shape} numbers for {len(keys)} texts, or numbers that are not finite; "
                "nothing of that was kept"
            )
        dimensions, at = self.rows("SELECT dimensions, rows FROM epochs WHERE epoch = ?", (self.epoch,))[0]
        if at and dimensions != vectors.shape[1]:
            raise InfrastructureError(
                f"the embedder returned vectors of length {vectors.shape[1]}, and of length {dimensions} before; it is "
                "not the same model any more"
            )
        crcs = append_rows(vector_path(self.folder, self.epoch), vectors, at)
        with self.transaction() as sql:
            sql.executemany(
                "INSERT INTO vectors VALUES (?, ?, ?, ?, ?)",
                [
                    (key, self.epoch, at + place, int(count), crc)
                    for place, (key, count, crc) in enumerate(zip(keys, tokens, crcs, strict=True))
                ],
            )
            sql.execute(
                "UPDATE epochs SET rows = ?, dimensions = ? WHERE epoch = ?",
                (at + len(keys), vectors.shape[1], self.epoch),
            )

    # -- staging

    def staged(self, stage: str) -> dict[str, str]:
        """Return path -> hash of what an earlier process staged the same way; what it staged otherwise is dropped."""
        with self.transaction() as sql:
            sql.execute(
                "DELETE FROM staged_chunks WHERE path NOT IN (SELECT path FROM staged_documents WHERE stage = ?)",
                (stage,),
            )
            sql.execute("DELETE FROM staged_documents WHERE stage <> ?", (stage,))
            sql.execute("DELETE FROM staged_keys")
        return dict(self.rows("SELECT path, hash FROM staged_documents"))

    def stage(self, documents: Iterable[StagedDocument], *, fingerprint: str, stage: str) -> None:
        """Keep documents for the next generation."""
        with self.transaction() as sql:
            for one in documents:
                self.unstage([one.path])
                sql.execute(
                    "INSERT INTO staged_documents (path, hash, title, meta, crc, fingerprint, stage) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*one.row, fingerprint, stage),
                )
                sql.executemany(
                    f"INSERT INTO staged_chunks (path, {CHUNK_COLUMNS}) "  # noqa: S608 - a constant
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [(one.path, *row) for row in one.chunk_rows()],
                )

    def unstage(self, paths: Iterable[str]) -> None:
        """Drop what was staged of these documents."""
        for path in paths:
            self.connection.execute("DELETE FROM staged_chunks WHERE path = ?", (path,))
            self.connection.execute("DELETE FROM staged_documents WHERE path = ?", (path,))

    def rekey(self, embed_fingerprint: str | None, removed: Iterable[str] = (), *, title_prefix: bool) -> None:
        """Stage a new key for every chunk that stays and whose vector is another embedder's, or lost."""
        last = -1
        while True:
            found = self.rows(
                "SELECT number, lead, text FROM chunks WHERE number > ? AND document NOT IN (SELECT d.id FROM documents"
                " d JOIN staged_documents s ON s.path = d.path) ORDER BY number LIMIT ?",
                (last, WINDOW),
            )
            if not found:
                break
            last = found[-1][0]
            keys = [
                (number, None)
                if embed_fingerprint is None
                else (number, vector_key(embed_fingerprint, embedded_text(lead, text, title_prefix=title_prefix)))
                for number, lead, text in found
            ]
            with self.transaction() as sql:
                sql.executemany("INSERT OR REPLACE INTO staged_keys VALUES (?, ?)", keys)
        with self.transaction() as sql:
            sql.executemany(
                "DELETE FROM staged_keys WHERE number IN "
                "(SELECT number FROM chunks JOIN documents d ON d.id = document WHERE d.path = ?)",
                [(path,) for path in removed],
            )

    def wanting(self) -> int:
        """Return how many vectors are missing to what is staged."""
        found = self.rows(
            "SELECT count(*) FROM (SELECT key FROM staged_chunks UNION SELECT key FROM staged_keys) AS k "
            "WHERE key IS NOT NULL AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.key = k.key AND v.epoch = ?)",
            (self.epoch,),
        )
        return int(found[0][0])

    def missing(self, *, title_prefix: bool) -> Iterator[list[tuple[bytes, str]]]:
        """Yield windows of keys without a vector, each with the text to embed; a key is yielded once.

        What is yielded must be appended before the next window is asked for.
        """
        sources = (
            "SELECT id, key, lead, text FROM staged_chunks WHERE id > ? ORDER BY id LIMIT ?",
            "SELECT number, k.key, lead, text FROM staged_keys k JOIN chunks USING (number) WHERE number > ? "  # noqa: ISC004
            "ORDER BY number LIMIT ?",
        )
        for source in sources:
            last = -1
            while found := self.rows(source, (last, WINDOW)):
                last = found[-1][0]
                texts = {
                    key: embedded_text(lead, text, title_prefix=title_prefix)
                    for _, key, lead, text in found
                    if key is not None
                }
                wanted = [key for key in texts if not self._has(key)]
                if wanted:
                    yield [(key, texts[key]) for key in wanted]

    def _has(self, key: bytes) -> bool:
        found = self.connection.execute("SELECT 1 FROM vectors WHERE key = ? AND epoch = ?", (key, self.epoch))
        return found.fetchone() is not None


def copy_whole_rows(store: IndexStore, epoch: int) -> None:
    """Copy to the store's own epoch the vectors of a damaged one that are as they were written, by their checksums."""
    width = store.rows("SELECT dimensions FROM epochs WHERE epoch = ?", (epoch,))[0][0]
    path = vector_path(store.folder, epoch)
    there = whole_rows(path, width)
    vectors = open_rows(path, there, width) if there else None
    last = -1
    while vectors is not None:
        found = store.rows(
            "SELECT row, key, tokens, crc FROM vectors v WHERE epoch = ? AND row > ? AND row < ? "
            "AND NOT EXISTS (SELECT 1 FROM vectors w WHERE w.key = v.key AND w.epoch = ?) ORDER BY row LIMIT ?",
            (epoch, last, there, store.epoch, WINDOW),
        )
        if not found:
            return
        last = found[-1][0]
        whole = [row for row in found if checksums(vectors[row[0] : row[0] + 1]) == [row[3]]]
        if whole:
            store.append([key for _, key, _, _ in whole], vectors[[row[0] for row in whole]], [row[2] for row in whole])
