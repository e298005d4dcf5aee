"""How much of the gold spans is among the first passages, and how much of the passages is gold, within a budget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

Stretch = tuple[str, int, int]
"""A stretch of a document: its path, the first character, one behind the last."""


class SpanScore(NamedTuple):
    """Shares of characters, each counted once: of the gold found, of the found gold, of both together."""

    recall: float
    precision: float
    iou: float


def span_score(found: Sequence[Stretch], gold: Sequence[Stretch]) -> SpanScore:
    """Return how far what was found covers what is gold.

    Source: the token measures of Smith and Troynikov 2024 (Chroma, "Evaluating Chunking Strategies"), over characters.
    """
    ours, theirs = _characters(found), _characters(gold)
    if not theirs:
        raise ValueError("there is no gold span")
    both = sum(_common(ours.get(path, []), spans) for path, spans in theirs.items())
    here, there = _size(ours), _size(theirs)
    return SpanScore(both / there, both / here if here else 0.0, both / (here + there - both))


def within_budget(stretches: Iterable[tuple[Stretch, int]], budget: int) -> list[Stretch]:
    """Return the first stretches whose tokens fit in a budget together; the first is there even if it does not fit."""
    found: list[Stretch] = []
    spent = 0
    for stretch, tokens in stretches:
        if found and spent + tokens > budget:
            break
        found.append(stretch)
        spent += tokens
    return found


def _characters(stretches: Sequence[Stretch]) -> dict[str, list[tuple[int, int]]]:
    """Return what is covered of each document, as stretches in order that do not touch."""
    by_path: dict[str, list[tuple[int, int]]] = {}
    for path, start, end in sorted(stretches):
        spans = by_path.setdefault(path, [])
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    return by_path


def _common(ours: Sequence[tuple[int, int]], theirs: Sequence[tuple[int, int]]) -> int:
    return sum(max(0, min(a[1], b[1]) - max(a[0], b[0])) for a in ours for b in theirs)


def _size(covered: dict[str, list[tuple[int, int]]]) -> int:
    return sum(end - start for spans in covered.values() for start, end in spans)
