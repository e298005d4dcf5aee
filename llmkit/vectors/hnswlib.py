"""Approximate search with hnswlib."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmkit.registry import vector_index
from llmkit.vectors._base import Searched, portions

_FILE = "index.hnswlib"


@vector_index("hnswlib")
@dataclass(frozen=True)
class Hnswlib(Searched):
    """A graph (HNSW) of hnswlib, by the method's authors; what it proposes is scored again with the vectors themselves.

    It holds the vectors in single precision once more. Its package comes as source, and needs a C++ compiler.

    Source: Malkov and Yashunin 2018, "Efficient and Robust Approximate Nearest Neighbor Search Using Hierarchical
    Navigable Small World Graphs" (arXiv 1603.09320).

    Attributes:
        refine: Candidates that are scored for each result wanted.
        links: Links of a node (HNSW's M).
        build_effort: Candidates while the graph is built (efConstruction).
        effort: Candidates while it is searched (efSearch), at least as many as are wanted.
    """

    packages: ClassVar[tuple[str, ...]] = ("hnswlib",)
    extra: ClassVar[str] = "hnswlib"

    refine: int = 4
    links: int = 24
    build_effort: int = 128
    effort: int = 96

    def _build(self, vectors: Any) -> Any:
        index = self._empty(vectors.shape[1])
        index.init_index(len(vectors), M=self.links, ef_construction=self.build_effort, random_seed=0)
        return self._filled(index, vectors, 0)

    def _empty(self, width: int) -> Any:
        import hnswlib

        return hnswlib.Index(space="ip", dim=width)

    def _filled(self, index: Any, vectors: Any, first: int) -> Any:
        for start, part in portions(vectors):
            index.add_items(part, np.arange(first + start, first + start + len(part)))
        return index

    def _add(self, vectors: NDArray[np.float32], start: int) -> Any:
        self.native.resize_index(start + len(vectors))
        return self._filled(self.native, vectors, start)

    def _near(self, queries: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        found = np.full((len(queries), count), -1, np.int64)
        self.native.set_ef(max(self.effort, count))
        for row, query in enumerate(queries):
            places = self._reached(query, count)
            found[row, : len(places)] = places
        return found

    def _reached(self, query: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """Return up to ``count`` places; hnswlib refuses to return fewer where its graph reaches no more."""
        while count:
            try:
                return np.asarray(self.native.knn_query(query, count, num_threads=1)[0][0], np.int64)
            except RuntimeError:
                count //= 2
        return np.empty(0, np.int64)

    def _save(self, folder: Path) -> None:
        self.native.save_index(str(folder / _FILE))

    def _load(self, folder: Path) -> Any:
        index = self._empty(self._held.vectors.shape[1])
        path = folder / _FILE
        try:
            index.load_index(str(path), max_elements=len(self._held.rows))
        except (RuntimeError, ValueError, OSError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from error
        return index
