"""Vectors to search, and every back-end with the arguments that its contract is tested with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from llmkit import registry

BACKENDS: dict[str, tuple[str, ...]] = {
    "exact": (),
}
"""Spec of a back-end -> the packages that it needs."""


def built(spec: str, **known: Any) -> Any:
    """Return a back-end, or skip where its packages are missing."""
    for package in BACKENDS[spec]:
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
    found = []
    for query in queries:
        scores = [
            (-float(np.dot(v.astype(np.float64), query.astype(np.float64))), int(r))
            for v, r in zip(vectors, rows, strict=True)
        ]
        kept = [(s, r) for s, r in scores if allowed is None or r in set(map(int, allowed))]
        found.append([r for _, r in sorted((np.float32(s), r) for s, r in kept)[:k]])
    return found
