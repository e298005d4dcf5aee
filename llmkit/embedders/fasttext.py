"""Word vectors of a file, as fastText, GloVe and word2vec publish them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmkit.embedders._fasttext_model import FasttextModel, is_model
from llmkit.embedders._fingerprint import file_digest
from llmkit.errors import ConfigError, DataError, Problem
from llmkit.hashing import digest
from llmkit.protocols import Role
from llmkit.registry import embedder

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORD = re.compile(r"\w+|[^\w\s]")
CACHE = Path(".llmkit") / "words"
"""Where vectors are kept in binary form, seen from the working directory."""

_PORTION = 50_000  # words read at once
_FREQUENT = 10_000  # words of a model that its mean is taken of


@embedder("fasttext")
@dataclass(frozen=True, kw_only=True)
class Fasttext:
    """The mean of the vectors of a text's words, from word vectors (.vec) or a model of fastText (.bin).

    In a .vec file a line is a word and its numbers; a first line of two counts is skipped, so GloVe's files are read
    too. It is read once and kept in .llmkit/words as float32, mapped into memory from then on. A .bin file is mapped as
    it is. A word that is not there in its own spelling is looked up in lower case. One that is there in neither has the
    vector of its subwords in a .bin file, as fastText gives it; elsewhere it counts for nothing, and a text of such
    words has a vector of zeros, which is like nothing. Supervised models do as well as unsupervised ones; quantized
    ones (.ftz) are not read.

    Use it as a baseline: it costs next to nothing, and says what a model adds.

    Attributes:
        path: The file, relative to the config.
        max_words: Only so many words from the top, which are the most frequent; all where absent. Not for a .bin file.
        subtract_mean: Leave out what all words have in common: their mean, weighted alike (of a .bin file, of the
            10,000 most frequent).
    """

    path: Path = field(kw_only=False)
    max_words: int | None = None
    subtract_mean: bool = False

    max_tokens: int | None = field(init=False, default=None)
    _known: dict[str, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check the arguments."""
        problems = []
        if not self.path.is_file():
            problems.append(Problem(f"there is no file {self.path}", key="path"))
        elif self.path.suffix in (".bin", ".ftz") and not is_model(self.path):
            hint = "give a .bin file of fastText, or a .vec file of text"
            problems.append(Problem(f"{self.path} is no model of fastText", key="path", hint=hint))
        elif self.max_words is not None and is_model(self.path):
            problems.append(Problem("a .bin file is read as a whole", key="max_words", hint="leave it out"))
        if self.max_words is not None and self.max_words < 1:
            problems.append(Problem(f"must be at least 1, got {self.max_words}", key="max_words"))
        if problems:
            raise ConfigError(problems=problems)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs."""
        return self.__dict__ | {"_known": {}}

    @property
    def dimensions(self) -> int | None:
        """How long a vector is."""
        return self._model.dimensions if is_model(self.path) else int(self._table[1].shape[1])

    @property
    def fingerprint(self) -> str:
        """The file and the arguments."""
        return digest(["fasttext", file_digest(self.path), self.max_words, self.subtract_mean])

    def spans(self, texts: Sequence[str]) -> Sequence[NDArray[Any]]:
        """Return for each text an int64 array of shape (words, 2): where each word starts and ends, in characters."""
        import numpy as np

        return [np.array([one.span() for one in _WORD.finditer(text)], np.int64).reshape(-1, 2) for text in texts]

    def embed(self, texts: Sequence[str], role: Role) -> NDArray[Any]:
        """Return an array of shape (len(texts), dimensions), float32, rows of length 1 or of zeros."""
        import numpy as np

        if is_model(self.path):
            return self._embedded_by_model(texts)
        words, vectors, mean = self._table
        found = np.zeros((len(texts), vectors.shape[1]), np.float32)
        for i, text in enumerate(texts):
            rows = [words.get(word, words.get(word.lower(), -1)) for word in _WORD.findall(text)]
            rows = [row for row in rows if row >= 0]
            if rows:
                found[i] = vectors[rows].mean(axis=0) - mean
        return _of_length_1(found)

    def _embedded_by_model(self, texts: Sequence[str]) -> NDArray[Any]:
        import numpy as np

        model, mean = self._model, self._model_mean
        found = np.zeros((len(texts), model.dimensions), np.float32)
        for i, text in enumerate(texts):
            words = [_known_spelling(model, word) for word in _WORD.findall(text)]
            vectors = [vector for word in words if (vector := model.vector(word)) is not None]
            if vectors:
                found[i] = np.mean(vectors, axis=0) - mean
        return _of_length_1(found)

    @property
    def _model(self) -> FasttextModel:
        if "model" not in self._known:
            self._known["model"] = FasttextModel(self.path)
        found: FasttextModel = self._known["model"]
        return found

    @property
    def _model_mean(self) -> Any:
        """What the most frequent words have in common, where that is to be left out."""
        import numpy as np

        if "mean" not in self._known:
            model = self._model
            some = [vector for word in islice(model.words, _FREQUENT) if (vector := model.vector(word)) is not None]
            self._known["mean"] = np.mean(some, axis=0) if self.subtract_mean and some else np.float32(0)
        return self._known["mean"]

    @property
    def _table(self) -> tuple[dict[str, int], Any, Any]:
        import numpy as np

        if "table" not in self._known:
            name = digest([file_digest(self.path), self.max_words])
            words, numbers = CACHE / f"{name}.txt", CACHE / f"{name}.npy"
            if not (words.is_file() and numbers.is_file()):
                self._convert(words, numbers)
            vectors = np.load(numbers, mmap_mode="r")
            listed = words.read_text(encoding="utf-8").split("\n")
            mean = vectors.mean(axis=0) if self.subtract_mean else np.float32(0)
            self._known["table"] = ({word: row for row, word in reversed(list(enumerate(listed)))}, vectors, mean)
        found: tuple[dict[str, int], Any, Any] = self._known["table"]
        return found

    def _convert(self, words: Path, numbers: Path) -> None:
        import numpy as np

        CACHE.mkdir(parents=True, exist_ok=True)
        listed: list[str] = []
        parts = []
        for some, vectors in self._read():
            listed += some
            parts.append(vectors)
        if not listed:
            raise DataError(problems=[Problem("holds no word vectors", file=str(self.path))])
        made = (words.with_suffix(f".words{os.getpid()}"), numbers.with_suffix(f".numbers{os.getpid()}"))
        made[0].write_text("\n".join(listed), encoding="utf-8")
        with made[1].open("wb") as file:
            np.save(file, np.concatenate(parts))
        made[0].replace(words)
        made[1].replace(numbers)

    def _read(self) -> Iterator[tuple[list[str], NDArray[Any]]]:
        """Yield words with their vectors, some at a time."""
        import numpy as np

        words: list[str] = []
        rows: list[NDArray[Any]] = []
        count, width = 0, 0
        with self.path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for line, text in enumerate(file, 1):
                word, *values = text.rstrip().split(" ")
                if (line == 1 and len(values) == 1) or not word:
                    continue
                try:
                    row = np.array(values, np.float32)
                except ValueError:
                    row = np.empty(0, np.float32)
                width = width or len(row)
                if len(row) != width or not np.isfinite(row).all() or not width:
                    message = f"the line holds no word with {width or 'its'} numbers"
                    raise DataError(problems=[Problem(message, file=str(self.path), line=line)])
                words.append(word)
                rows.append(row)
                count += 1
                if len(words) == _PORTION:
                    yield words, np.array(rows)
                    words, rows = [], []
                if count == self.max_words:
                    break
        if words:
            yield words, np.array(rows)


def _known_spelling(model: FasttextModel, word: str) -> bytes:
    """Return a word as UTF-8, in lower case where the model knows it so alone."""
    own, lower = word.encode("utf-8", "replace"), word.lower().encode("utf-8", "replace")
    return lower if own not in model.words and lower in model.words else own


def _of_length_1(found: NDArray[Any]) -> NDArray[Any]:
    """Return rows of length 1, and rows of zeros as they are."""
    import numpy as np

    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12), np.float32)
