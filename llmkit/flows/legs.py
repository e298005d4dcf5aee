"""The legs of a search: lexical, dense, TF-IDF; each finds numbers of chunks with scores, filters first."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmkit import registry
from llmkit.errors import ConfigError, Problem, UsageError
from llmkit.protocols import Dialogue
from llmkit.retrieval.index import Index
from llmkit.retrieval.tfidf import TfIdf

if TYPE_CHECKING:
    from numpy import float32, int64
    from numpy.typing import NDArray


class Legs:
    """What the legs of one open index hold; each is made when it is first asked.

    Args:
        index: The index.
        embedder: Who embeds questions; None where no leg needs one.

    Raises:
        UsageError: the index was built with another embedder.
    """

    def __init__(self, index: Index, embedder: Any = None) -> None:
        self.index = index
        self.embedder = embedder
        self._dense: _Dense | None = None
        self._tfidf: tuple[TfIdf, list[int]] | None = None
        built = index.meta.embed_fingerprint
        if embedder is not None and built is not None and embedder.fingerprint != built:
            raise UsageError(
                f"the index in {index.folder} was built with another embedder ({built}) than the one that is to embed "
                f"the question ({embedder.fingerprint}): their vectors cannot be compared; use the one it was built "
                "with, or build the index anew"
            )

    def lexical(self, query: str, k: int, allowed: NDArray[int64] | None) -> list[tuple[int, float]]:
        """Return the best by BM25."""
        return self.index.lexical(query, k, allowed)

    def tfidf(self, query: str, k: int, allowed: NDArray[int64] | None) -> list[tuple[int, float]]:
        """Return the best by the cosine of TF-IDF vectors; the texts are read once."""
        if self._tfidf is None:
            every = sorted(self.index.every(), key=lambda chunk: chunk.number)
            texts = ("\n".join((chunk.title, *chunk.headings, chunk.text)) for chunk in every)
            self._tfidf = TfIdf(texts), [chunk.number for chunk in every]
        leg, numbers = self._tfidf
        passing = None if allowed is None else set(allowed.tolist())
        places = None if passing is None else {at for at, number in enumerate(numbers) if number in passing}
        return [(numbers[at], score) for at, score in leg.top(query, k, places)]

    def dense(self, vector: Any, k: int, allowed: NDArray[int64] | None) -> list[tuple[int, float]]:
        """Return the best by cosine with a vector (d,) of length 1."""
        if self._dense is None:
            self._dense = _Dense(self.index)
        return self._dense.search(vector, k, allowed)

    def embedded(self, texts: list[str], role: str) -> Dialogue[Any]:
        """Return the vectors of texts, (n, d) float32; an embedder behind a server is asked."""
        if self.embedder is None:
            raise UsageError(f"a dense search of {self.index.folder} needs the embedder that it was built with")
        if hasattr(self.embedder, "asks"):
            return (yield from self.embedder.asks(texts, role))
        return self.embedder.embed(texts, role)

    def vectors_of(self, numbers: list[int]) -> NDArray[float32] | None:
        """Return the vectors of chunks, (n, d); None where the index has none."""
        if self.index.meta.embed_fingerprint is None:
            return None
        import numpy as np

        vectors, places = self.index.vectors()
        return np.asarray(vectors[places[numbers]])


class _Dense:
    """Vectors with the chunks that share each of them."""

    def __init__(self, index: Index) -> None:
        import numpy as np

        self._vectors, places = index.vectors()
        numbers = index.numbers()
        self._places = places
        order = np.argsort(places[numbers], kind="stable")
        self._numbers = numbers[order]
        self._rows = places[self._numbers]
        self._live = np.unique(self._rows)
        self._whole = len(self._live) == len(self._vectors)
        self._shared = len(self._live) < len(numbers)
        self._passing: _Passing | None = None
        self._search = self._back_end(index)

    def _back_end(self, index: Index) -> Any:
        import numpy as np

        rows = np.arange(len(self._vectors), dtype=np.int64)
        derived = index.derived()
        if derived is not None:
            back_end = registry.build("vectors", derived.spec).plugin
            with suppress(ValueError, OSError):  # damaged: `index verify` says so, and every vector is searched
                back_end.load(derived.folder, self._vectors, rows)
                return back_end
        back_end = registry.build("vectors", "exact").plugin
        back_end.build(self._vectors, rows)
        return back_end

    def search(self, vector: Any, k: int, allowed: NDArray[int64] | None) -> list[tuple[int, float]]:
        import numpy as np

        query = np.asarray(vector, dtype=np.float32).reshape(1, -1)
        if query.shape[1] != self._vectors.shape[1]:
            message = f"the question's vector has {query.shape[1]} numbers, those of the index {self._vectors.shape[1]}"
            raise UsageError(f"{message}; use the embedder that the index was built with")
        passing = None if allowed is None else self._let_through(allowed)
        rows = passing.rows if passing is not None else None if self._whole else self._live
        if rows is not None and not len(rows):
            return []
        scores, found = self._search.search(query, k, rows)
        there = found[0] >= 0
        return self._ranked(found[0][there], scores[0][there], k, passing)

    def _ranked(
        self, found: NDArray[int64], scores: NDArray[float32], k: int, passing: _Passing | None
    ) -> list[tuple[int, float]]:
        """Return the chunks of rows, each row's by number; rows come best first."""
        import numpy as np

        first = np.searchsorted(self._rows, found)
        if self._shared:
            counts = np.searchsorted(self._rows, found, side="right") - first
            starts = np.repeat(first - np.cumsum(counts) + counts, counts)
            first, scores = starts + np.arange(len(starts)), np.repeat(scores, counts)
        numbers = self._numbers[first]
        if passing is not None and self._shared:
            kept = passing.marks[numbers]
            numbers, scores = numbers[kept], scores[kept]
        order = np.lexsort((numbers, -scores))[:k]
        return list(zip(numbers[order].tolist(), scores[order].tolist(), strict=True))

    def _let_through(self, allowed: NDArray[int64]) -> _Passing:
        """Return what a filter lets through; a searcher asks with the same array again and again."""
        known = self._passing
        if known is None or known.allowed is not allowed:
            self._passing = known = _Passing(allowed, self._places)
        return known


class _Passing:
    """The chunks that a filter lets through, and the rows of their vectors in order."""

    def __init__(self, allowed: NDArray[int64], places: NDArray[int64]) -> None:
        import numpy as np

        self.allowed = allowed
        self.rows = np.unique(places[allowed])
        self.marks = np.zeros(len(places), np.bool_)
        self.marks[allowed] = True


def embedder_of(spec: Any, base: Path) -> Any:
    """Return the embedder of a spec; None for none.

    Raises:
        ConfigError: it cannot be built.
    """
    if spec is None or spec == "none":
        return None
    try:
        return registry.build("embedders", spec, base=base, key="embed").plugin
    except ConfigError as error:
        raise ConfigError(problems=error.problems or [Problem(str(error), key="embed")]) from error
