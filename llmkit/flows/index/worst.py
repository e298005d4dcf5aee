"""Where each leg of an index puts the first thing that is right, and the questions that fare worst by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmkit import registry
from llmkit.flows.index.queries import QRELS, spans_of
from llmkit.retrieval.records import StoredChunk
from llmkit.types import Output, Passage, Sample, Skipped

ANSWER_DEPTH = 100
"""Passages that are looked through for an answer, as DPR does."""

_SHOWN = 160
"""Characters of the passage that stood first."""


@dataclass(frozen=True, slots=True)
class First:
    """What one leg made of one question.

    Attributes:
        rank: Of the first document (by ``qrels``) or passage (by answers or spans) that is right, from 1; None where
            none was found.
        top: What stood first: ``path``, ``start``, ``end`` and the beginning of its ``text``; None where nothing did.
    """

    rank: int | None
    top: Mapping[str, Any] | None


def known_by(row: Sample) -> str | None:
    """Return by what a question's right passages are known: document, answer or span; None where nothing says."""
    if right_documents(row):
        return "document"
    if row.references:
        return "answer"
    return "span" if spans_of(row) else None


def right_documents(row: Sample) -> list[str]:
    """Return the paths that a question's judgments call right."""
    judged = row.meta.get(QRELS) or {}
    return [str(name) for name in judged if not isinstance(judged, Mapping) or judged[name] > 0]


def first_right(row: Sample, chunks: Sequence[StoredChunk]) -> First:
    """Return where the first right document or passage of a ranking stands."""
    by, rank = known_by(row), None
    if by == "document":
        wanted = set(right_documents(row))
        paths = dict.fromkeys(chunk.path for chunk in chunks)
        rank = next((place for place, path in enumerate(paths, 1) if path in wanted), None)
    elif by == "answer":
        rank = next((place for place, chunk in enumerate(chunks[:ANSWER_DEPTH], 1) if _answers(row, chunk)), None)
    elif by == "span":
        gold = spans_of(row)
        rank = next((place for place, chunk in enumerate(chunks, 1) if any(_meets(chunk, one) for one in gold)), None)
    if not chunks:
        return First(rank, None)
    best = chunks[0]
    text = " ".join(best.text.split())
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 3].rstrip() + "..."
    return First(rank, {"path": best.path, "start": best.start, "end": best.end, "text": shown})


def worst(queries: Sequence[Sample], firsts: Mapping[str, Mapping[str, First]], count: int) -> list[dict[str, Any]]:
    """Return the questions whose first right passage stands lowest, the worst first, plain JSON.

    They are ordered by the mean over legs of 1 / rank, 0 where a leg found nothing right; questions of which nothing
    says what is right are left out, and those that every leg answers at once. Of equals the first in the file.

    Args:
        queries: The questions.
        firsts: For each leg and question what `first_right` returned.
        count: How many.
    """
    scored = []
    for row in queries:
        by = known_by(row)
        found = {leg: one[row.id] for leg, one in firsts.items() if row.id in one}
        if by is None or not found:
            continue
        mean = sum(1 / one.rank for one in found.values() if one.rank) / len(found)
        if mean < 1:
            scored.append((mean, row, by, found))
    scored.sort(key=lambda one: one[0])
    return [
        {
            "id": row.id,
            "question": str(row.input),
            "by": by,
            "right": _right(row, by),
            "legs": {leg: {"rank": one.rank, "top": one.top} for leg, one in found.items()},
        }
        for _, row, by, found in scored[:count]
    ]


def _right(row: Sample, by: str) -> list[str]:
    if by == "document":
        return right_documents(row)
    if by == "answer":
        return list(row.references)
    return [f"{one.path}[{one.start}:{one.end}]" for one in spans_of(row)]


def _answers(row: Sample, chunk: StoredChunk) -> bool:
    metric: Any = registry.build("metrics", "success@1").plugin
    stats = metric.stats(row, Output(row.id, "", retrieved=[Passage(chunk.path, chunk.text, 1.0)]))
    return not isinstance(stats, Skipped) and bool(metric.sample_value(stats))


def _meets(chunk: StoredChunk, span: Any) -> bool:
    return bool(chunk.path == span.path and chunk.start < span.end and span.start < chunk.end)
