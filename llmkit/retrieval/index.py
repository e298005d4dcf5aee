"""Reading an index: one generation, as it was when it was opened, whatever a build publishes meanwhile."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from llmkit.closing import Closing
from llmkit.errors import InfrastructureError, UsageError
from llmkit.retrieval.failures import damaged, reading
from llmkit.retrieval.known import meta_of
from llmkit.retrieval.match import TRIGRAM, match_of, phrases_of, short_of
from llmkit.retrieval.postings import Postings, listed
from llmkit.retrieval.records import Derived, IndexMeta, StoredChunk
from llmkit.retrieval.schema import FILE_NAME, connect_reader
from llmkit.retrieval.vector_file import open_rows, vector_path

if TYPE_CHECKING:
    from numpy import float32, int64
    from numpy.typing import NDArray

    from llmkit.retrieval.filters import Filter
    from llmkit.retrieval.tantivy import TantivyWords

_COLUMNS: Final = 'c.number, d.path, d.title, c.headings, c.start, c."end", c.text, d.meta, c.ordinal, c.page'
_CHUNK: Final = "FROM chunks c JOIN documents d ON d.id = c.document "
_AT_ONCE: Final = 500
_ATTEMPTS: Final = 20


class Index(Closing):
    """A read-only snapshot of one generation; takes no lock, and may be used by several threads.

    Open it with `open`, close it or use it as a context manager. As long as it is open it reads the generation that it
    was opened with, and the file cannot shrink.

    Attributes:
        folder: Where the index lies.
        meta: What it says of itself.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._connection = connection
        self._lock = threading.Lock()
        connection.execute("BEGIN")
        self._values = dict(self._rows("SELECT name, value FROM meta"))
        if "meta" not in self._values:
            raise UsageError(f"the index in {folder} was never built to its end; run 'llmkit index build CONFIG'")
        if lacking := [name for name in ("epoch", "places") if name not in self._values]:
            raise damaged(folder / FILE_NAME, f"it does not say its {' and '.join(lacking)}")
        self.meta: IndexMeta = meta_of(self._values["meta"], folder / FILE_NAME)
        gap = "c.gap" if self._rows("PRAGMA user_version")[0][0] > 1 else "NULL"
        self._chunk = f"SELECT {_COLUMNS}, {gap} {_CHUNK}"
        self._vectors = self._open_vectors()
        self._postings = Postings(self._rows, self.tokenizer)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the index in a folder.

        Raises:
            UsageError: there is none, or it was never built to its end.
            InfrastructureError: it is damaged, or of another schema than this llmkit's.
        """
        for attempt in range(_ATTEMPTS):
            connection = connect_reader(folder)
            try:
                return cls(folder, connection)
            except FileNotFoundError as error:  # its vectors were replaced between two looks
                connection.close()
                if attempt == _ATTEMPTS - 1:
                    raise damaged(Path(error.filename), "it is missing") from error
            except BaseException:
                connection.close()
                raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Let go of the files; safe to call twice."""
        self._postings.close()
        words: TantivyWords | None = self.__dict__.get("_words")
        if words is not None:
            words.close()
        with self._lock:
            self._connection.close()

    def numbers(self) -> NDArray[int64]:
        """Return the numbers of all chunks, in order."""
        import numpy as np

        return np.flatnonzero(self._places() >= 0)

    def allowed(self, where: Filter | None) -> NDArray[int64] | None:
        """Return the numbers of the chunks that pass a filter, in order; None for no filter."""
        import numpy as np

        if where is None:
            return None
        try:
            found = self._asked(
                "SELECT group_concat(number) FROM chunks "  # noqa: S608 - made by filters.py, its values are parameters
                f"WHERE document IN (SELECT d.id FROM documents d WHERE {where.sql})",
                where.parameters,
            )
            return np.sort(listed(found[0][0]))
        except sqlite3.OperationalError as error:
            raise UsageError(f"the filter is too large for SQLite: {error}") from error
        except sqlite3.DatabaseError as error:
            raise damaged(self.folder / FILE_NAME, str(error)) from error

    def vectors(self) -> tuple[NDArray[float32], NDArray[int64]]:
        """Return the vectors, shape (rows, dimensions), mapped from the file, and the row of each chunk.

        The second array is indexed by the chunk's number; -1 stands where no chunk has that number. Chunks of equal
        text share a row, and rows without a chunk wait for `llmkit index gc`.

        Raises:
            UsageError: the index is lexical only.
        """
        if self._vectors is None:
            raise UsageError(
                f"the index in {self.folder} is lexical only and holds no vectors; add 'embed' to its config and build"
            )
        places = self._places()
        if places.max(initial=-1) >= len(self._vectors):
            raise damaged(self.folder / FILE_NAME, "chunks have vectors that are not there")
        return self._vectors, places

    def derived(self) -> Derived | None:
        """Return the approximate index of this generation's vectors, None where there is none."""
        if "derived" not in self._values:
            return None
        known = json.loads(self._values["derived"])
        folder = self.folder / known["folder"]
        return Derived(known["spec"], folder) if folder.is_dir() else None

    def chunks(self, numbers: Sequence[int]) -> list[StoredChunk]:
        """Return chunks in the order of ``numbers``. Raises LookupError for a number that no chunk has."""
        wanted = [int(number) for number in numbers]
        found: dict[int, StoredChunk] = {}
        for first in range(0, len(wanted), _AT_ONCE):
            part = wanted[first : first + _AT_ONCE]
            marks = ",".join("?" * len(part))
            rows = self._rows(f"{self._chunk} WHERE c.number IN ({marks})", tuple(part))
            found |= {chunk.number: chunk for chunk in self._stored(rows)}
        for number in wanted:
            if number not in found:
                raise LookupError(f"no chunk has the number {number}")
        return [found[number] for number in wanted]

    def around(self, number: int, before: int, after: int) -> list[StoredChunk]:
        """Return the chunk with up to so many chunks of its document before and after it, in order."""
        rows = self._rows(
            f"{self._chunk} JOIN chunks here ON here.number = ? AND here.document = c.document "
            "WHERE c.ordinal BETWEEN here.ordinal - ? AND here.ordinal + ? ORDER BY c.ordinal",
            (int(number), before, after),
        )
        return self._stored(rows)

    def every(self) -> Iterator[StoredChunk]:
        """Yield all chunks by path and place."""
        last = ("", -1)
        while True:
            rows = self._rows(
                f"{self._chunk} WHERE (d.path, c.ordinal) > (?, ?) ORDER BY d.path, c.ordinal LIMIT {_AT_ONCE}",
                last,
            )
            if not rows:
                return
            yield from self._stored(rows)
            last = (rows[-1][1], rows[-1][8])

    def lexical(self, query: str, k: int, allowed: NDArray[int64] | None = None) -> list[tuple[int, float]]:
        """Return the numbers and BM25 scores (k1 1.2, b 0.75) of at most ``k`` chunks, best first, ties by number.

        A chunk is found by any word of the query; words such as 'the' count only where there are no others. The
        statistics are those of the whole index, whatever the filter.
        """
        words = phrases_of(query, self.tokenizer)
        short = short_of(query) if self.tokenizer == TRIGRAM else []
        if k < 1 or not (words or short):
            return []
        if not self.tokenizer:
            raise UsageError(f"the index in {self.folder} was built without 'lexical'")
        if self._words is not None:
            try:
                return self._words.top(words, k, allowed)
            except ValueError as error:
                message = (
                    f"tantivy cannot search {self.folder}: {error}; 'llmkit index verify --repair', and build again"
                )
                raise InfrastructureError(message) from error
        try:
            return self._postings.top(words, short, k, allowed)
        except (ValueError, IndexError) as error:
            raise damaged(self.folder / FILE_NAME, "the lexical index does not fit the chunks") from error

    @cached_property
    def _words(self) -> TantivyWords | None:
        """The words in tantivy; None where they were not derived, or are lost: then FTS5 finds them."""
        name = self._values.get("words")
        if not name or not (self.folder / name).is_dir():
            return None
        from llmkit.retrieval.tantivy import TantivyWords

        try:
            return TantivyWords(self.folder / name, self.tokenizer)
        except ValueError:
            return None

    @property
    def engine(self) -> str:
        """Who finds words in this generation: ``fts5`` or ``tantivy``; empty without a lexical index."""
        return "" if not self.tokenizer else "fts5" if self._words is None else "tantivy"

    def frequencies(self, words: Sequence[str]) -> dict[str, int]:
        """Return for each word how many chunks hold it, in any inflection; empty without a lexical index."""
        found: dict[str, int] = {}
        for word in dict.fromkeys(words):
            match = match_of(word, self.tokenizer)
            try:
                rows = (
                    self._asked("SELECT count(*) FROM chunks_fts WHERE chunks_fts MATCH ?", (match,)) if match else ()
                )
            except sqlite3.OperationalError:
                return {}
            found[word] = rows[0][0] if rows else 0
        if self.tokenizer == TRIGRAM:
            short = {word: short_of(word) for word in found}
            found |= {w: len(self._postings.scored(w, short=True)[0]) for w, parts in short.items() if parts == [w]}
        return found

    @property
    def tokenizer(self) -> str:
        """What cuts texts into words: ``porter``, ``unicode61``, ``trigram``; empty without a lexical index."""
        return str(self._values.get("lexical") or "")

    def _places(self) -> NDArray[int64]:
        """Return the row of each chunk by its number; -1 for numbers without a chunk, 0 where there are no vectors."""
        import numpy as np

        return np.frombuffer(self._values["places"], dtype="<i4").astype(np.int64)

    def _open_vectors(self) -> NDArray[float32] | None:
        if self.meta.embed_fingerprint is None:
            return None
        epoch = int(self._values["epoch"])
        found = self._rows("SELECT dimensions, rows FROM epochs WHERE epoch = ?", (epoch,))
        if not found:
            raise damaged(self.folder / FILE_NAME, "it does not say how many vectors it has")
        dimensions, rows = found[0]
        return open_rows(vector_path(self.folder, epoch), rows, dimensions)

    def _stored(self, rows: Sequence[Any]) -> list[StoredChunk]:
        with reading(self.folder / FILE_NAME):
            return [_chunk(row) for row in rows]

    def _rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with reading(self.folder / FILE_NAME):
            return self._asked(statement, values)

    def _asked(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()


def _chunk(row: Any) -> StoredChunk:
    number, path, title, headings, start, end, text, meta, ordinal, page, gap = row
    above = tuple(json.loads(headings))
    return StoredChunk(number, path, title, above, start, end, text, json.loads(meta), ordinal, page, gap)
