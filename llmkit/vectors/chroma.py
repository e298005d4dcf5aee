"""Approximate search with Chroma."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from llmkit.registry import vector_index
from llmkit.vectors._base import Searched, portions

_NAME = "vectors"
_FOLDER = "chroma"
_AT_ONCE = 5000  # Chroma takes no more in one call


@vector_index("chroma")
@dataclass(frozen=True)
class Chroma(Searched):
    """A Chroma collection in a folder; what it proposes is scored again with the vectors themselves.

    Attributes:
        refine: Candidates that are scored for each result wanted.
        links: Links of a node of its graph (HNSW's M).
        build_effort: Candidates while the graph is built (efConstruction).
        effort: Candidates while it is searched (efSearch).
    """

    packages: ClassVar[tuple[str, ...]] = ("chromadb",)
    extra: ClassVar[str] = "chroma"

    refine: int = 4
    links: int = 32
    build_effort: int = 100
    effort: int = 200

    def _build(self, vectors: Any) -> Any:
        folder = tempfile.mkdtemp(prefix="llmkit-chroma-")
        graph = {
            "space": "ip",
            "max_neighbors": self.links,
            "ef_construction": self.build_effort,
            "ef_search": self.effort,
        }
        collection = _client(Path(folder)).create_collection(
            _NAME, configuration={"hnsw": graph}, embedding_function=None
        )
        kept = _Collection(collection, Path(folder))
        finalize(kept, shutil.rmtree, folder, ignore_errors=True)
        return _filled(kept, vectors, 0)

    def _add(self, vectors: NDArray[np.float32], start: int) -> Any:
        return _filled(self.native, vectors, start)

    def _near(self, queries: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        answer = self.native.collection.query(query_embeddings=list(queries), n_results=count, include=["distances"])
        found = np.full((len(queries), count), -1, np.int64)
        for row, ids in enumerate(answer["ids"]):
            found[row, : len(ids)] = [int(name) for name in ids]
        return found

    def _save(self, folder: Path) -> None:
        shutil.copytree(self.native.folder, folder / _FOLDER)

    def _load(self, folder: Path) -> Any:
        from chromadb.errors import ChromaError

        try:
            return _Collection(
                _client(folder / _FOLDER).get_collection(_NAME, embedding_function=None), folder / _FOLDER
            )
        except (ChromaError, ValueError, OSError) as error:
            raise ValueError(f"{folder / _FOLDER} cannot be read: {error}") from error


@dataclass
class _Collection:
    collection: Any
    folder: Path


def _client(folder: Path) -> Any:
    import chromadb

    return chromadb.PersistentClient(str(folder), chromadb.Settings(anonymized_telemetry=False))


def _filled(kept: _Collection, vectors: Any, first: int) -> _Collection:
    for start, part in portions(vectors, _AT_ONCE):
        names = [str(first + start + i) for i in range(len(part))]
        kept.collection.add(ids=names, embeddings=list(part))
    return kept
