"""Approximate search with USearch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from llmkit.registry import vector_index
from llmkit.vectors._base import Searched, portions

_FILE = "index.usearch"


@vector_index("usearch")
@dataclass(frozen=True)
class Usearch(Searched):
    """A graph (HNSW) of USearch; what it proposes is scored again with the vectors themselves.

    A small package without further ones, whose file is mapped into memory when it is loaded: it starts at once.

    Attributes:
        numbers: What the graph holds: ``f32``, ``f16``, ``bf16`` or ``i8``.
        refine: Candidates that are scored for each result wanted.
        links: Links of a node (HNSW's M).
        build_effort: Candidates while the graph is built (efConstruction).
        effort: Candidates while it is searched (efSearch), at least as many as are wanted.
    """

    packages: ClassVar[tuple[str, ...]] = ("usearch",)
    extra: ClassVar[str] = "usearch"

    numbers: Literal["f32", "f16", "bf16", "i8"] = "f16"
    refine: int = 4
    links: int = 24
    build_effort: int = 128
    effort: int = 96

    def _build(self, vectors: Any) -> Any:
        return self._filled(self._empty(vectors.shape[1]), vectors, 0)

    def _empty(self, width: int) -> Any:
        from usearch.index import Index

        return Index(
            ndim=width,
            metric="ip",
            dtype=self.numbers,
            connectivity=self.links,
            expansion_add=self.build_effort,
            expansion_search=self.effort,
        )

    def _filled(self, index: Any, vectors: Any, first: int) -> Any:
        for start, part in portions(vectors):
            index.add(np.arange(first + start, first + start + len(part), dtype=np.uint64), part)
        return index

    def _add(self, vectors: NDArray[np.float32], start: int) -> Any:
        return self._filled(self.native, vectors, start)

    def _near(self, queries: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        self.native.expansion_search = max(self.effort, count)
        found = np.full((len(queries), count), -1, np.int64)
        for row, query in enumerate(queries):
            keys = self.native.search(query, count).keys
            found[row, : len(keys)] = keys
        return found

    def _save(self, folder: Path) -> None:
        self.native.save(str(folder / _FILE))

    def _load(self, folder: Path) -> Any:
        index = self._empty(self._held.vectors.shape[1])
        try:
            index.load(str(folder / _FILE))
        except (RuntimeError, ValueError, OSError) as error:
            raise ValueError(f"{folder / _FILE} cannot be read: {error}") from error
        return index
