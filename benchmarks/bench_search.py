"""Searching vectors, the question's embedding left out: exact search, with filters of every width, beside FAISS.

    python benchmarks/bench_search.py [--quick] [--vectors N] [--searches N]

FAISS's flat index scores the same vectors, and under a filter those of an id selector; its HNSW graph does so with the
selector too, and once by filtering what it found. What exact search and the flat index find must be the same. All take
turns, one question at a time; medians of wall and of CPU milliseconds, and the least wall time. Target: 5 CPU ms at
50,000 x 384.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from _measure import header, heading, median, row, verdict

from llmkit import registry

WIDTH, K, TARGET = 384, 10, 5.0
SHARES = (1.0, 0.5, 0.1, 0.01, 0.001)

Search = Callable[[Any, Any], Any]
"""From a query (1, d) and the rows allowed (None for all) to rows (k,)."""


def vectors_of(count: int, seed: int) -> Any:
    """Return vectors of length 1 in clusters."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(max(1, count // 100), WIDTH)).astype(np.float32)
    points = centres[rng.integers(len(centres), size=count)] + rng.normal(size=(count, WIDTH)).astype(np.float32)
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def programs(vectors: Any) -> dict[str, Search]:
    """Return what searches, built."""
    exact = registry.build("vectors", "exact").plugin
    exact.build(vectors, np.arange(len(vectors)))
    found: dict[str, Search] = {"llmkit exact": lambda query, allowed: exact.search(query, K, allowed)[1][0]}
    if find_spec("faiss") is None:
        print("faiss: not installed: pip install faiss-cpu")
        return found
    import faiss

    flat = faiss.IndexFlatIP(WIDTH)
    flat.add(vectors)
    graph = faiss.IndexHNSWFlat(WIDTH, 32, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 80
    graph.add(vectors)

    def chosen(kind: Any, allowed: Any, **more: Any) -> Any:
        return kind(sel=faiss.IDSelectorBatch(allowed), **more) if allowed is not None else kind(**more)

    def afterwards(query: Any, allowed: Any) -> Any:
        rows = graph.search(query, K)[1][0]
        return rows if allowed is None else rows[np.isin(rows, allowed)]

    found["faiss flat"] = lambda query, allowed: flat.search(query, K, params=chosen(faiss.SearchParameters, allowed))[
        1
    ][0]
    found["faiss HNSW, selector"] = lambda query, allowed: graph.search(
        query, K, params=chosen(faiss.SearchParametersHNSW, allowed, efSearch=64)
    )[1][0]
    found["faiss HNSW, filtered afterwards"] = afterwards
    return found


def measured(search: Search, queries: Any, allowed: Any) -> tuple[list[float], list[float], list[set[int]]]:
    """Return milliseconds of wall and of CPU, and what was found, query by query."""
    times, work, found = [], [], []
    for query in queries:
        began, worked = time.perf_counter(), time.process_time()
        rows = search(query[None], allowed)
        times.append((time.perf_counter() - began) * 1000)
        work.append((time.process_time() - worked) * 1000)
        found.append({int(name) for name in rows if name >= 0})
    return times, work, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2,000 vectors")
    parser.add_argument("--vectors", type=int, default=50_000)
    parser.add_argument("--searches", type=int, default=60)
    options = parser.parse_args()
    count, searches = (2000, 5) if options.quick else (options.vectors, options.searches)
    vectors, queries = vectors_of(count, 1), vectors_of(searches, 2)
    header(f"search {count:,} x {WIDTH}, {searches} questions, {K} results")
    every = programs(vectors)
    heading("lets through", "program", "p50 ms", "p50 CPU ms", "least ms", "recall@10")
    unfiltered = 0.0
    for share in SHARES:
        draw = np.random.default_rng(3)
        allowed = None if share == 1 else np.sort(draw.choice(count, max(K, round(count * share)), replace=False))
        truth: list[set[int]] = []
        for name, search in every.items():
            times, work, found = measured(search, queries, allowed)
            truth = truth or found
            recall = sum(len(own & right) / len(right) for own, right in zip(found, truth, strict=True)) / len(truth)
            if name == "faiss flat":
                assert recall > 0.999, "exact search and the flat index differ"
            shown = (f"{value:.3f}" for value in (median(times), median(work), min(times), recall))
            row(f"{share:.1%}", name, *shown)
            if share == 1 and name == "llmkit exact":
                unfiltered = median(work)
    return 0 if verdict("exact search, p50", unfiltered, TARGET, " CPU ms") else 1


if __name__ == "__main__":
    sys.exit(main())
