"""One ranking made of several: by ranks, or by scores.

A ranking is a list of (number of the chunk, score), best first, each chunk once. What is returned is one too; equal
scores stand in the order of their numbers, so that a result never hangs on chance.

Both ways are monotone, which programs have got wrong: to stand higher in a list, or to stand in a list that one was not
in, never makes a chunk's fused score smaller. So the least of a list's scores is not made 0 (the score of a chunk that
the list does not hold) but stays above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Ranked = Sequence[tuple[int, float]]

RRF_K = 60
"""Of Cormac et al.; how little the first places count more than the next ones."""

FLOOR = 0.001
"""What the last chunk of a list gets of its weight; one that is not in the list gets nothing."""


def reciprocal_rank_fusion(
    rankings: Sequence[Ranked], k: float = RRF_K, weights: Sequence[float] | None = None
) -> list[tuple[int, float]]:
    """Return the fusion by ranks: the sum over lists of weight / (k + rank), ranks from 1.

    Source: Cormac, Clarke and Buettcher 2009 (SIGIR).

    Args:
        rankings: The lists.
        k: At least 0.
        weights: One a list, at least 0; all 1 without.
    """
    if k < 0:
        raise ValueError(f"k is {k}; it must be at least 0")
    found: dict[int, float] = {}
    for ranking, weight in zip(rankings, _weights(weights, rankings), strict=True):
        for rank, (number, _) in enumerate(ranking, 1):
            found[number] = found.get(number, 0.0) + weight / (k + rank)
    return in_order(found)


def weighted_fusion(rankings: Sequence[Ranked], weights: Sequence[float] | None = None) -> list[tuple[int, float]]:
    """Return the fusion by scores: the weighted mean of each list's scores, brought to the range from 0.001 to 1.

    Args:
        rankings: The lists.
        weights: One a list, at least 0, not all 0; equal ones without.
    """
    shares = _weights(weights, rankings)
    total = sum(shares)
    if not total:
        return []
    found: dict[int, float] = {}
    for ranking, weight in zip(rankings, shares, strict=True):
        for number, score in min_max(ranking).items():
            found[number] = found.get(number, 0.0) + weight * score / total
    return in_order(found)


def min_max(ranking: Ranked) -> dict[int, float]:
    """Return the scores of a list brought to 0.001 for its least and 1 for its greatest; 1 where all are equal."""
    if not ranking:
        return {}
    scores = [score for _, score in ranking]
    low, high = min(scores), max(scores)
    if high <= low:
        return dict.fromkeys((number for number, _ in ranking), 1.0)
    return {number: 1 - (1 - FLOOR) * (high - score) / (high - low) for number, score in ranking}


def in_order(scores: Mapping[int, float]) -> list[tuple[int, float]]:
    """Return a ranking of scores: the greatest first, equal ones by number."""
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def _weights(weights: Sequence[float] | None, rankings: Sequence[Ranked]) -> Sequence[float]:
    if weights is None:
        return [1.0] * len(rankings)
    if len(weights) != len(rankings) or any(weight < 0 for weight in weights):
        raise ValueError(f"{len(rankings)} rankings need as many weights of at least 0, got {list(weights)}")
    return weights
