"""Exact search: every vector is scored, block by block, and the best are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Matches: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Scores and rows of one query, best first."""

_BLOCK = 1 << 16  # vectors scored at once
_QUERIES = 64  # queries scored at once
_FEW = 4  # queries up to which they are scored one by one
_GATHERED = 0.125  # share of the vectors up to which those wanted are gathered: from there on scoring all is quicker
_GROUP = 64  # scores of which only the greatest is compared at first
_NOISE = np.float32(1e-5)  # what single precision may err by for vectors of length 1


def scan(
    vectors: Any, rows: NDArray[np.int64], queries: NDArray[np.float32], k: int, left: NDArray[np.int64] | None = None
) -> list[Matches]:
    """Return the best ``k`` of each query, all vectors scored.

    Args:
        vectors: Shape (n, d), float32; a memory map is read block by block.
        rows: What each vector is known by.
        queries: Shape (q, d), float32.
        k: How many are wanted.
        left: Places, in ascending order, that alone may be found; None for all.
    """
    if k < 1 or not len(rows) or (left is not None and not len(left)):
        return [(np.empty(0, np.float32), np.empty(0, np.int64)) for _ in queries]
    found: list[Matches] = []
    for start in range(0, len(queries), _QUERIES):
        part = queries[start : start + _QUERIES]
        near: list[list[NDArray[np.int64]]] = [[] for _ in part]
        floors = np.full(len(part), -np.inf, np.float32)
        for places, scores in _scored(vectors, part, left):
            for i, own in enumerate(scores):
                chosen, floors[i] = _chosen(own, k, floors[i])
                near[i].append(chosen + places if isinstance(places, int) else places[chosen])
        found += [best_of(vectors, rows, query, np.concatenate(own), k) for query, own in zip(part, near, strict=True)]
    return found


def _scored(
    vectors: Any, queries: NDArray[np.float32], left: NDArray[np.int64] | None
) -> Iterator[tuple[int | NDArray[np.int64], NDArray[np.float32]]]:
    """Yield blocks: where they stand (their first place, or the places), and scores of shape (q, block)."""
    count = len(vectors)
    if left is not None and len(left) <= _GATHERED * count:
        for start in range(0, len(left), _BLOCK):
            places = left[start : start + _BLOCK]
            yield places, _products(queries, np.asarray(vectors[places]))
        return
    for start in range(0, count, _BLOCK):
        scores = _products(queries, np.asarray(vectors[start : start + _BLOCK]))
        if left is None:
            yield start, scores
        else:
            places = left[slice(*np.searchsorted(left, [start, start + _BLOCK]))]
            yield places, scores[:, places - start]


def _products(queries: NDArray[np.float32], block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return inner products, shape (q, block).

    A few queries go row by row on this thread: that is bound by memory as a matrix product is, and does not wait for
    the other threads that BLAS would wake, which on a busy machine takes longer than the search.
    """
    if len(queries) > _FEW:
        return np.asarray(queries @ block.T, np.float32)
    if hasattr(np, "vecdot"):  # since NumPy 2
        return np.stack([np.vecdot(block, query) for query in queries])
    return np.stack([np.einsum("ij,j->i", block, query) for query in queries])


def _chosen(scores: NDArray[np.float32], k: int, floor: np.float32) -> tuple[NDArray[np.int64], np.float32]:
    """Return the places that may be among the best ``k``, and the score that a later one must reach."""
    groups = len(scores) // _GROUP
    if groups > k:  # k groups whose greatest reaches a score hold k scores that do
        greatest = scores[: groups * _GROUP].reshape(_GROUP, groups).max(axis=0)
        floor = max(floor, np.partition(greatest, groups - k)[groups - k])
    elif len(scores) > k:
        floor = max(floor, np.partition(scores, len(scores) - k)[len(scores) - k])
    least = np.float32(floor - _NOISE) if np.isfinite(floor) else np.finfo(np.float32).min
    return np.flatnonzero(scores >= least), floor


def best_of(
    vectors: Any, rows: NDArray[np.int64], query: NDArray[np.float32], places: NDArray[np.int64], k: int
) -> Matches:
    """Return the best ``k`` of some places, each scored alone: what stands beside it does not change its score."""
    products = np.asarray(vectors[places]).astype(np.float64) * query.astype(np.float64)
    scores = products.sum(axis=1).astype(np.float32)
    names = rows[places]
    order = np.lexsort((names, -scores))[:k]
    return scores[order], names[order]
