"""BM25 over the lists that FTS5 keeps: which chunks hold a word, and how often. A list is read once and kept.

FTS5's own ``bm25`` looks at every chunk that holds any word of a question, one by one. A word's list and the lengths of
the chunks are all that it needs of them, and NumPy weighs a list whole. Scores are those of ``bm25`` (k1 1.2, b 0.75).
"""

from __future__ import annotations

import math
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from llmkit.retrieval.match import cases_of
from llmkit.retrieval.tokens import Tokens

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

K1: Final = 1.2
B: Final = 0.75
KEPT: Final = 4_000_000
"""Entries of lists that are kept, of 16 bytes each; those that were used last."""

_LEAST_RARITY: Final = 1e-6
_LAST: Final = "\U0010ffff"
_PIECE: Final = "SELECT group_concat(doc) FROM temp.chunks_words WHERE term = ?"
_PIECES: Final = "SELECT group_concat(doc) FROM temp.chunks_words WHERE term >= ? AND term < ?"
_PHRASE: Final = "SELECT rowid, -bm25(chunks_fts) FROM chunks_fts WHERE chunks_fts MATCH ? ORDER BY rowid"
_LENGTHS: Final = "SELECT group_concat(id), group_concat(hex(sz), '') FROM chunks_fts_docsize"

Scored: TypeAlias = "tuple[NDArray[int64], NDArray[float64]]"
"""Numbers of chunks, each once, and what a word adds to the score of each."""


class Postings:
    """What words add to the scores of chunks; may be used by several threads.

    Args:
        rows: Asks the index's SQLite, in the snapshot that is read; `attach` was called for its connection.
        tokenizer: A key of `LEXICAL`.
    """

    def __init__(self, rows: Callable[[str, Sequence[Any]], list[Any]], tokenizer: str) -> None:
        self._rows = rows
        self._tokenizer = tokenizer
        self._lock = threading.RLock()
        self._kept: OrderedDict[tuple[str, bool], Scored] = OrderedDict()
        self._entries = 0

    def top(
        self, words: Sequence[str], short: Sequence[str], k: int, allowed: NDArray[int64] | None
    ) -> list[tuple[int, float]]:
        """Return the numbers and scores of at most ``k`` chunks, best first, ties by number.

        Args:
            words: What is looked for, as `phrases_of` returns it; what stands there twice counts twice.
            short: What trigrams cannot look up, as `short_of` returns it.
            k: At least 1.
            allowed: Sorted numbers of the chunks that alone may be found; None for all.
        """
        import numpy as np

        scores = np.zeros(len(self._lengths[0]))
        for word, is_short in (*((one, True) for one in short), *((one, False) for one in words)):
            numbers, added = self.scored(word, short=is_short)
            scores[numbers] += added
        if allowed is not None:
            allowed = allowed[: np.searchsorted(allowed, len(scores))]
            scores = scores[allowed]
        places = np.flatnonzero(scores > 0)
        found = scores[places]
        if len(found) > k:
            best = found >= np.partition(found, len(found) - k)[len(found) - k]
            places, found = places[best], found[best]
        order = np.lexsort((places, -found))[:k]
        places = places[order]
        numbers = places if allowed is None else allowed[places]
        return list(zip(numbers.tolist(), found[order].tolist(), strict=True))

    def scored(self, word: str, *, short: bool = False) -> Scored:
        """Return what a word, or a piece that is too short for trigrams, adds to the chunks that hold it."""
        key = (word, short)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = self._of_short(word) if short else self._of_word(word)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                self._entries += len(made[0])
            while self._entries > KEPT and len(self._kept) > 1:
                _, (numbers, _) = self._kept.popitem(last=False)
                self._entries -= len(numbers)
        return made

    def _of_word(self, word: str) -> Scored:
        import numpy as np

        with self._lock:
            tokens = self._tokens.of(word)
        if len(tokens) == 1:
            return self._weighed(self._numbers(_PIECE, (tokens[0],)))
        rows = self._rows(_PHRASE, (f'"{word}"',)) if tokens else []
        numbers = np.fromiter((number for number, _ in rows), np.int64, len(rows))
        return numbers, np.fromiter((score for _, score in rows), np.float64, len(rows))

    def _of_short(self, gram: str) -> Scored:
        """Return what a piece of one or two characters adds: the trigrams that begin with it, and the texts' ends."""
        import numpy as np

        parts = [self._numbers(_PIECES, (gram, gram + _LAST))]
        parts += [np.fromiter((row[0] for row in self._rows(*ask)), np.int64) for ask in at_the_end(gram)]
        return self._weighed(np.sort(np.concatenate(parts)))

    def _weighed(self, places: NDArray[int64]) -> Scored:
        """Return scores, given the number of the chunk of each place where something stands, in order."""
        import numpy as np

        if not len(places):
            return places, np.empty(0)
        lengths, count, average = self._lengths
        starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
        numbers = places[starts]
        frequencies = np.diff(starts, append=len(places)).astype(np.float64)
        rarity = max(_LEAST_RARITY, math.log((count - len(numbers) + 0.5) / (len(numbers) + 0.5)))
        relative = B * lengths[numbers] / average if average else np.full(len(numbers), B)
        return numbers, rarity * (frequencies * (K1 + 1) / (frequencies + K1 * (1 - B + relative)))

    def _numbers(self, statement: str, values: Sequence[Any]) -> NDArray[int64]:
        return listed(self._rows(statement, values)[0][0])

    @cached_property
    def _lengths(self) -> tuple[NDArray[float64], int, float]:
        """The tokens of each chunk by its number (0 where there is none), how many chunks, and the mean."""
        import numpy as np

        written, packed = self._rows(_LENGTHS, ())[0]
        numbers = listed(written)
        lengths = np.zeros(int(numbers.max()) + 1 if len(numbers) else 0)
        if len(numbers):
            lengths[numbers] = _varints(np.frombuffer(bytes.fromhex(packed), np.uint8)).reshape(-1, 2).sum(axis=1)
        return lengths, len(numbers), float(lengths.sum()) / len(numbers) if len(numbers) else 0.0

    @cached_property
    def _tokens(self) -> Tokens:
        return Tokens(self._tokenizer)

    def close(self) -> None:
        """Let go of what is kept."""
        with self._lock:
            self._kept.clear()
            self._entries = 0
            if "_tokens" in self.__dict__:
                self._tokens.close()
                del self._tokens


def attach(connection: sqlite3.Connection) -> None:
    """Give a connection that reads an index the lists of its words, as a table of its own that nobody else sees."""
    connection.execute("CREATE VIRTUAL TABLE temp.chunks_words USING fts5vocab (main, chunks_fts, instance)")


def at_the_end(gram: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield questions for the chunks that hold one or two characters where no trigram begins: at a text's end.

    A publishing with the trigram tokenizer makes SQLite's indexes on these expressions (`END_INDEXES`).
    """
    cases = cases_of(gram)
    marks = ", ".join("?" * len(cases))
    for column in ("lead", "text"):
        if len(gram) > 1:
            yield f"SELECT number FROM chunks WHERE substr({column}, -2) IN ({marks})", cases  # noqa: S608 - our words
            continue
        yield f"SELECT number FROM chunks WHERE substr({column}, -1) IN ({marks})", cases  # noqa: S608 - our words
        for case in cases:
            yield (
                f"SELECT number FROM chunks WHERE substr({column}, -2) > ? AND substr({column}, -2) < ?",  # noqa: S608
                (case, case + _LAST),
            )


END_INDEXES: Final = {
    f"chunks_{column}_{size}": f"CREATE INDEX chunks_{column}_{size} ON chunks (substr({column}, -{size}))"
    for column in ("lead", "text")
    for size in (1, 2)
}


def listed(written: str | None) -> NDArray[int64]:
    """Return whole numbers that SQLite wrote one behind the other."""
    import numpy as np

    return np.fromstring(written or "", np.int64, sep=",")


def _varints(packed: Any) -> NDArray[float64]:
    """Return SQLite's numbers of varying size: seven bits a byte, the highest first, the last byte below 128."""
    import numpy as np

    ends = np.flatnonzero(packed < 128)  # noqa: PLR2004 - the bit that says that more follows
    sizes = np.diff(ends, prepend=-1)
    values = np.zeros(len(ends))
    for back in range(int(sizes.max(initial=1))):
        at = np.maximum(ends - back, 0)
        values += np.where(back < sizes, (packed[at] & 127).astype(np.float64) * 128.0**back, 0)
    return values
