"""Which back-end should search an index: tried on its own vectors with real questions, the choice kept in the index."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from llmkit import registry
from llmkit.config.engine_config import CACHE_PATH
from llmkit.errors import UsageError
from llmkit.flows.index.derive import EXACT_BELOW, live_vectors
from llmkit.flows.index.queries import QRELS
from llmkit.flows.index.sweep import TRIALS, Ground, Point, Trial, sweep
from llmkit.flows.opening import Opened, open_to_search
from llmkit.flows.routed import addressed, held
from llmkit.flows.search import EMBED
from llmkit.retrieval.store import IndexStore
from llmkit.types import Output, Passage, Sample, Skipped

LEAST: Final = 20
"""Questions below which a half of them says nothing."""

_DRAWN: Final = 200


def tune_index(
    named: Path | str,
    questions: Sequence[Sample] | None,
    *,
    target: float = 0.95,
    embedder: Any = None,
    trials: Sequence[Trial] = TRIALS,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Return the report of what was tried, plain JSON, and keep its choice in the index.

    Half of the questions choose: the quickest back-end that finds at least ``target`` of the ten nearest. The other
    half gives the recall that is reported, so that the choice does not flatter itself. Below 200,000 vectors the choice
    is always exact search.

    Args:
        named: The index.
        questions: Real ones; None takes vectors of the index itself, which are easier to find, and says so.
        target: Least recall of the choice.
        embedder: Who embeds questions; without, the one that the index's config names.
        trials: What is tried.
        tell: Called with each back-end before it is tried.

    Raises:
        UsageError: there is no such index, it has no vectors, or there are too few questions.
        InfrastructureError: it is damaged, in use by another writer, or a model could not be asked.
    """
    if questions is not None and len(questions) < LEAST:
        raise UsageError(
            f"{len(questions)} questions are too few to choose by one half and report the other: give {LEAST}"
        )
    with open_to_search(named, {"mode": "dense", "k": 10}, embedder=embedder) as opened:
        vectors, rows = live_vectors(opened.index)
        if not len(rows):
            raise UsageError(f"the index in {opened.index.folder} holds no vectors to search")
        queries, judge = _queries(opened, questions, vectors)
        points, left_out = sweep(Ground(vectors, rows, queries, judge), trials, tell)
        folder, generation = opened.index.folder, opened.index.meta.generation
    chosen, why = choose(points, target, len(rows))
    report = {
        "questions": "real" if questions is not None else "vectors of the index",
        "count": len(queries),
        "vectors": len(rows),
        "generation": generation,
        "target_recall": target,
        "choice": chosen,
        "why": why,
        "points": [dataclasses.asdict(point) for point in points],
        "left_out": left_out,
    }
    kept = {name: value for name, value in report.items() if name != "left_out"}
    keep_in_meta(folder, tuned=kept)  # the next build derives what was chosen
    return report


def choose(points: Sequence[Point], target: float, count: int) -> tuple[str, str]:
    """Return the spec of the quickest back-end that finds enough, and why it is that one."""
    exact = next((point for point in points if point.spec == "exact"), None)
    if count < EXACT_BELOW:
        took = "" if exact is None else f" takes {exact.p50:.1f} ms and"
        return "exact", f"exact search{took} misses nothing: below {EXACT_BELOW:,} vectors it is kept"
    enough = [point for point in points if point.chosen_recall >= target]
    if not enough:
        return "exact", f"no back-end finds {target:.0%} of what is nearest"
    best = min(enough, key=lambda point: (point.p50, point.spec))
    return best.spec, f"the quickest that finds at least {target:.0%} of what is nearest ({best.p50:.2f} ms)"


def _queries(
    opened: Opened, questions: Sequence[Sample] | None, vectors: Any
) -> tuple[Any, Callable[[Any], float] | None]:
    import numpy as np

    if questions is None:
        draw = np.random.default_rng(0)
        places = draw.permutation(len(vectors))[:_DRAWN]
        return np.asarray(vectors[np.sort(places)])[draw.permutation(len(places))], None
    texts = [str(row.input) for row in questions]
    dialogue = addressed(EMBED, opened.searcher.legs.embedded(texts, "query"))
    embedded = held(dialogue, opened.models, cache=CACHE_PATH if opened.models else None)
    judged = any(row.meta.get(QRELS) for row in questions)
    return np.asarray(embedded, np.float32), _judge(opened, questions) if judged else None


def _judge(opened: Opened, questions: Sequence[Sample]) -> Callable[[Any], float]:
    """Return what gives the mean nDCG@10 of the rows that were found for the questions."""
    metric = registry.build("metrics", "ndcg@10").plugin
    numbers = opened.index.numbers()
    places = opened.index.vectors()[1][numbers]
    chunk_of = dict(
        zip(places.tolist()[::-1], numbers.tolist()[::-1], strict=True)
    )  # of those that share one, the first
    paths = {row: chunk.path for row, chunk in zip(chunk_of, opened.index.chunks([*chunk_of.values()]), strict=True)}

    def mean(found: Any) -> float:
        values = []
        for question, rows in zip(questions, found.tolist(), strict=True):
            names = list(dict.fromkeys(paths[row] for row in rows if row >= 0))
            ranked = [Passage(name, "", float(-place)) for place, name in enumerate(names)]
            stats = metric.stats(question, Output(question.id, "", retrieved=ranked))
            if not isinstance(stats, Skipped):
                values.append(float(metric.sample_value(stats)))
        return sum(values) / len(values)

    return mean


def keep_in_meta(folder: Path, **values: Any) -> None:
    """Write what was found into what an index says of itself.

    Raises:
        InfrastructureError: another process writes to it.
    """
    with IndexStore(folder) as store:
        meta = store.meta
        assert meta is not None
        text = json.dumps(dataclasses.asdict(dataclasses.replace(meta, **values)), ensure_ascii=False)
        with store.transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO meta VALUES ('meta', ?)", (text,))
