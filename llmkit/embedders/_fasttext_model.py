"""A model file of fastText (.bin): its words and matrix, mapped from the file; unknown words by their subwords.

Layout and hashing as fastText 0.9.2 writes and reads them (Bojanowski et al. 2017, arXiv 1607.04606).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llmkit.errors import DataError, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC: Final = struct.pack("<i", 793_712_314)
_VERSIONS: Final = (11, 12)
_SETTINGS: Final = struct.Struct("<12id")
"""dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate, t."""

_COUNTS: Final = struct.Struct("<iiiqq")
"""Entries, words, labels, tokens, pruned subwords (-1: none was)."""

_ENTRY: Final = struct.Struct("<qb")
"""How often it came, and whether it is a label."""

_SHAPE: Final = struct.Struct("<?qq")
"""Whether the matrix is quantized, its rows, its columns."""

_SUPERVISED: Final = 3
_END: Final = b"</s>"
_KEPT: Final = 20_000


def is_model(path: Path) -> bool:
    """Return whether a file begins as fastText's models do."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


class FasttextModel:
    """What a .bin file knows of words.

    Attributes:
        words: Each word as UTF-8 -> its row.
        matrix: float32, shape (words + subwords' buckets, dimensions), mapped from the file.

    Raises:
        DataError: the file is quantized, cut short, or no model of fastText.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                at = self._read_settings(data)
                self.words, at = self._read_words(data, at)
                self.matrix = self._open_matrix(data, at)
        except (struct.error, ValueError, IndexError) as error:
            raise self._wrong("it is cut short, or no model of fastText; fetch it again") from error
        self.vector = lru_cache(maxsize=_KEPT)(self._vector)

    def _wrong(self, why: str) -> DataError:
        return DataError(problems=[Problem(why, file=str(self._path))])

    def _read_settings(self, data: mmap.mmap) -> int:
        version = struct.unpack_from("<i", data, len(MAGIC))[0]
        if data[: len(MAGIC)] != MAGIC or version not in _VERSIONS:
            raise self._wrong("it is no model of fastText of version 11 or 12")
        dimensions, *_, model, self._buckets, self._least, self._most, _, _ = _SETTINGS.unpack_from(data, 8)
        if version == _VERSIONS[0] and model == _SUPERVISED:
            self._most = 0  # such models were trained without subwords, whatever they say
        if self._buckets < 1:
            self._buckets = self._most = 0
        self.dimensions = int(dimensions)
        return 8 + _SETTINGS.size

    def _read_words(self, data: mmap.mmap, at: int) -> tuple[dict[bytes, int], int]:
        entries, count, _, _, pruned = _COUNTS.unpack_from(data, at)
        at += _COUNTS.size
        if not 0 <= count <= entries or self.dimensions < 1:
            raise self._wrong("it is no model of fastText: its counts cannot be")
        if pruned >= 0:
            raise self._wrong("its subwords were pruned, as quantized models are; give the .bin file that it came from")
        words: dict[bytes, int] = {}
        for number in range(entries):
            end = data.find(b"\0", at)
            if end < 0:
                raise self._wrong("it is cut short within its words; fetch it again")
            if number < count:  # labels stand behind the words
                words.setdefault(data[at:end], number)
            at = end + 1 + _ENTRY.size
        self._count = count
        return words, at

    def _open_matrix(self, data: mmap.mmap, at: int) -> NDArray[Any]:
        import numpy as np

        quantized, rows, columns = _SHAPE.unpack_from(data, at)
        at += _SHAPE.size
        if quantized:
            raise self._wrong("it is quantized; give the .bin file that it came from, not the .ftz")
        if columns != self.dimensions or rows < max(1, self._count + (self._buckets if self._most > 0 else 0)):
            raise self._wrong("it is no model of fastText: its matrix does not fit its words and their subwords")
        if len(data) < at + 4 * rows * columns:
            raise self._wrong(
                f"it is cut short: its matrix needs {4 * rows * columns:,} bytes, and {max(0, len(data) - at):,} are "
                "there; fetch it again"
            )
        return np.memmap(self._path, dtype="<f4", mode="r", offset=at, shape=(rows, columns))

    def _vector(self, word: bytes) -> NDArray[Any] | None:
        """Return the vector of a word in this spelling, by its subwords where it is unknown; None where it has none."""
        import numpy as np

        row = self.words.get(word)
        rows = ([] if row is None else [row]) + (list(self._subwords(word)) if word != _END else [])
        return np.asarray(self.matrix[rows]).mean(axis=0, dtype=np.float32) if rows else None

    def _subwords(self, word: bytes) -> Iterator[int]:
        """Yield the rows of a word's subwords: its runs of characters between < and >, by FNV-1a of their bytes."""
        text = b"<" + word + b">"
        starts = [place for place, byte in enumerate(text) if byte & 0xC0 != 0x80]  # noqa: PLR2004 - UTF-8
        edges = [*starts, len(text)]
        for first, start in enumerate(starts):
            value = 2_166_136_261
            for size in range(1, min(self._most, len(starts) - first) + 1):
                for byte in text[edges[first + size - 1] : edges[first + size]]:
                    # a byte above 127 is a negative char to fastText, with ones before it
                    value = ((value ^ (byte | 0xFFFFFF00 if byte > 127 else byte)) * 16_777_619) & 0xFFFFFFFF  # noqa: PLR2004
                alone = size == 1 and (start == 0 or edges[first + 1] == len(text))
                if size >= self._least and not alone:
                    yield self._count + value % self._buckets
