"""Maximal marginal relevance: what fits, and is not said yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmkit.retrieval.fuse import Ranked, min_max


def maximal_marginal_relevance(
    ranking: Ranked, similarity: Any, k: int, balance: float = 0.7
) -> list[tuple[int, float]]:
    """Return ``k`` of the ranking, each chosen for its relevance less its likeness to those before it.

    The next one is the greatest ``balance * relevance - (1 - balance) * likeness``, where relevance is the score
    brought to the range from 0.001 to 1, and likeness the greatest similarity with a chosen one. With ``balance`` 1 the
    ranking stays as it is. Scores are those of the ranking: the order alone changes.

    Source: Carbonell and Goldstein 1998 (SIGIR).

    Args:
        ranking: The candidates, best first.
        similarity: Array (n, n): how alike candidates are, in the ranking's order; cosines or shares of common words.
        k: How many are wanted.
        balance: From 0 (only novelty counts after the first) to 1.
    """
    import numpy as np

    if not 0 <= balance <= 1:
        raise ValueError(f"balance is {balance}; it must be between 0 and 1")
    relevance = np.array(list(min_max(ranking).values()))
    alike = np.asarray(similarity, dtype=np.float64)
    most = np.zeros(len(ranking))
    left = np.ones(len(ranking), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(k, len(ranking))):
        worth = np.where(left, balance * relevance - (1 - balance) * most, -np.inf)
        best = int(np.argmax(worth))
        chosen.append(best)
        left[best] = False
        most = np.maximum(most, alike[best]) if len(chosen) > 1 else alike[best]
    return [ranking[at] for at in chosen]


def word_similarity(texts: Sequence[frozenset[str]]) -> Any:
    """Return how alike texts are by their words, where there are no vectors: the Jaccard index, array (n, n)."""
    import numpy as np

    found = np.eye(len(texts))
    for one, words in enumerate(texts):
        for other in range(one):
            either = len(words | texts[other])
            found[one, other] = found[other, one] = len(words & texts[other]) / either if either else 1.0
    return found
