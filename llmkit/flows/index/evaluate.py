"""Holding an index to questions: each leg's quality side by side, what it costs, and a baseline to compare with."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from llmkit import registry
from llmkit.config.engine_config import CACHE_PATH
from llmkit.flows.index.compared import estimated
from llmkit.flows.index.queries import QRELS, spans_of
from llmkit.flows.index.status import index_status
from llmkit.flows.index.worst import ANSWER_DEPTH, First, first_right, right_documents, worst
from llmkit.flows.opening import Opened, open_to_search, retrieve_settings
from llmkit.flows.routed import held
from llmkit.flows.search import has_words
from llmkit.retrieval.records import StoredChunk
from llmkit.retrieval.span_recall import span_score, within_budget
from llmkit.stats.intervals import quantile
from llmkit.text.words import Words
from llmkit.types import Output, Passage, Sample, Skipped

BY_DOCUMENT = ("ndcg@10", "mrr", "map", "recall_at@1", "recall_at@5", "recall_at@10", "recall_at@100", "hit_rate@10")
BY_ANSWER = ("success@1", "success@5", "success@10", "success@20", "success@100")
_PLAIN: Mapping[str, Any] = {
    **dict.fromkeys(("boost", "rerank", "diversity", "transform", "filter")),
    "weights": {},
    "one_per_document": False,
}
"""What a leg is measured without, whatever the index's settings are."""

BUDGETS = (500, 1000, 2000)
_MOST_CHUNKS = 200
"""Of so many chunks the first ones fill the greatest budget."""

DEPTH = 1000
"""How many chunks are ranked."""

Values = dict[str, dict[str, float]]
"""Metric -> question -> score."""


@dataclass
class LegReport:
    """One leg's scores by question, where its first right passage stands, and the seconds that each search took."""

    values: Values = field(default_factory=dict)
    firsts: dict[str, First] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)


def evaluate_index(
    named: Path | str,
    queries: Sequence[Sample],
    *,
    legs: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    depth: int = DEPTH,
    worst_shown: int = 10,
    embedder: Any = None,
    tell: Callable[[str, int], None] | None = None,
) -> dict[str, Any]:
    """Return the report of an index, plain JSON; see `docs/search.md` for what stands in it.

    Args:
        named: The index.
        queries: Questions with what is right (`llmkit.flows.index.queries.read_queries`).
        legs: Modes to compare; without, every one that the index can do, and ``configured``, the index's own settings.
        settings: Keys of ``retrieve`` for every leg.
        depth: How many chunks are ranked.
        worst_shown: How many of the questions that fare worst are listed.
        embedder: Who embeds questions; without, the one that the index's config names.
        tell: Called with the leg and the number of questions searched.

    Raises:
        UsageError: there is no such index, or a leg that it cannot do.
        InfrastructureError: it is damaged, or a model could not be asked.
    """
    metrics = _metrics(queries)
    reports: dict[str, LegReport] = {}
    with open_to_search(named, {**_PLAIN, "mode": "lexical"}) as opened:
        chosen = tuple(legs) or _legs_of(opened)
        folder = opened.index.folder
        coverage = _coverage(opened, queries)
    for leg in chosen:
        keys = {**(settings or {}), "k": depth, "candidates": depth}
        if leg != "configured":
            keys = {**_PLAIN, **keys, "mode": leg}
        with open_to_search(folder, keys, embedder=embedder) as opened:
            reports[leg] = _of_leg(opened, queries, metrics, None if tell is None else partial(tell, leg))
    status = index_status(folder)
    return {
        "index": {name: status[name] for name in ("name", "generation", "built", "documents", "chunks")},
        "queries": len(queries),
        "depth": depth,
        "legs": {leg: _summary(report) for leg, report in reports.items()},
        "per_query": {leg: report.values for leg, report in reports.items()},
        "first_right": {leg: {row: one.rank for row, one in report.firsts.items()} for leg, report in reports.items()},
        "worst": worst(queries, {leg: report.firsts for leg, report in reports.items()}, worst_shown),
        "answers_looked_for": min(depth, ANSWER_DEPTH),
        "coverage": coverage,
        "cost": _cost(status),
    }


def _legs_of(opened: Opened) -> tuple[str, ...]:
    """Return every leg that the index can do, and its own settings where they add to one."""
    kept = opened.index.meta.config.get("retrieve") or {}
    vectors, words = opened.index.meta.embed_fingerprint is not None, has_words(opened.index)
    wanted = {"lexical": words, "dense": vectors, "hybrid": vectors and words, "configured": _adds(kept)}
    return tuple(leg for leg, there in wanted.items() if there)


def _adds(kept: Mapping[str, Any]) -> bool:
    """Return whether settings do more than a plain leg does."""
    own = retrieve_settings(kept, None).model_dump()
    return any(own[name] != value for name, value in _PLAIN.items())


def _metrics(queries: Sequence[Sample]) -> dict[str, Any]:
    judged = any(row.meta.get(QRELS) for row in queries)
    answered = any(row.references for row in queries)
    wanted = (*(BY_DOCUMENT if judged else ()), *(BY_ANSWER if answered else ()))
    return {name: registry.build("metrics", name).plugin for name in wanted}


def _of_leg(
    opened: Opened, queries: Sequence[Sample], metrics: Mapping[str, Any], tell: Callable[[int], None] | None
) -> LegReport:
    report = LegReport()
    for done, row in enumerate(queries, 1):
        began = time.perf_counter()
        cache = CACHE_PATH if opened.models else None
        ranking = held(opened.searcher.ranking(str(row.input)), opened.models, cache=cache)
        report.seconds.append(time.perf_counter() - began)
        chunks = opened.index.chunks([number for number, _ in ranking])
        retrieved = [Passage(chunk.path, chunk.text, score) for chunk, (_, score) in zip(chunks, ranking, strict=True)]
        output = Output(row.id, "", retrieved=retrieved)
        for name, metric in metrics.items():
            stats = metric.stats(row, output)
            if not isinstance(stats, Skipped):
                report.values.setdefault(name, {})[row.id] = float(metric.sample_value(stats))
        _add_spans(report, row, chunks)
        report.firsts[row.id] = first_right(row, chunks)
        if tell is not None:
            tell(done)
    return report


def _add_spans(report: LegReport, row: Sample, chunks: Sequence[StoredChunk]) -> None:
    gold = [(span.path, span.start, span.end) for span in spans_of(row)]
    if not gold:
        return
    few = chunks[:_MOST_CHUNKS]
    counts = [len(spans) for spans in Words().spans([chunk.text for chunk in few])]
    sized = [((chunk.path, chunk.start, chunk.end), tokens) for chunk, tokens in zip(few, counts, strict=True)]
    for budget in BUDGETS:
        score = span_score(within_budget(sized, budget), gold)
        for name, value in score._asdict().items():
            report.values.setdefault(f"span_{name}@{budget}", {})[row.id] = value


def _summary(report: LegReport) -> dict[str, Any]:
    import numpy as np

    seconds = np.array(sorted(report.seconds))
    return {
        "metrics": {name: estimated([*values.values()]) for name, values in report.values.items()},
        "latency_ms": {f"p{share}": round(1000 * quantile(seconds, share / 100), 3) for share in (50, 90, 99)},
    }


def _coverage(opened: Opened, queries: Sequence[Sample]) -> dict[str, Any]:
    """Return how much of what is right is there at all, and what was cut off."""
    gold: set[str] = set()
    for row in queries:
        gold |= set(right_documents(row))
        gold |= {span.path for span in spans_of(row)}
    paths, texts, empty = set(), [], 0
    for chunk in opened.index.every():
        paths.add(chunk.path)
        texts.append(hash(chunk.text))
        empty += not chunk.text.strip()
    meta = opened.index.meta
    return {
        "gold_documents": len(gold),
        "gold_indexed": len(gold & paths),
        "truncated_chunks": meta.truncated,
        "duplicate_chunks": len(texts) - len(set(texts)),
        "empty_chunks": empty,
        "documents_without_chunks": meta.documents - len(paths),
    }


def _cost(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return bytes a chunk, memory of this process, and what a thousand chunks took to embed; None where unknown."""
    paid = next((run for run in status["runs"] if run.get("embedded")), None)
    per_thousand: dict[str, float | None] = {"seconds_per_1000": None, "dollars_per_1000": None}
    if paid is not None:
        share = 1000 / paid["embedded"]
        per_thousand["seconds_per_1000"] = round(paid.get("embed_ms", 0) / 1000 * share, 3)
        per_thousand["dollars_per_1000"] = None if paid.get("cost") is None else round(paid["cost"] * share, 6)
    return {"bytes_per_chunk": status["bytes_per_chunk"], "rss_mb": _rss(), **per_thousand}


def _rss() -> float | None:
    try:
        import resource
        import sys
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
