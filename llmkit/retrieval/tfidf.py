"""The TF-IDF leg: cosines of weighted term vectors, over chunks that are read once."""

from __future__ import annotations

import heapq
import math
from array import array
from collections import Counter
from collections.abc import Container, Iterable

from llmkit.text.bm25 import terms


class TfIdf:
    """An inverted index that ranks by the cosine of TF-IDF vectors.

    A term weighs ``(1 + ln tf) * (1 + ln(N / df))``, a vector is brought to length 1; scores are 0 to 1.

    Source: Salton and Buckley 1988, ``ltc.ltc``; 1 is added to the inverse document frequency, so that a term of every
    document keeps a weight.

    Args:
        texts: The texts of the chunks; their numbers are their places.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        counts = [Counter(terms(text)) for text in texts]
        frequency = Counter(term for count in counts for term in count)
        self._rarity = {term: 1 + math.log(len(counts) / seen) for term, seen in frequency.items()}
        self._postings: dict[str, tuple[array[int], array[float]]] = {}
        for number, count in enumerate(counts):
            for term, weight in self._vector(count).items():
                numbers, weights = self._postings.setdefault(term, (array("l"), array("d")))
                numbers.append(number)
                weights.append(weight)

    def top(self, query: str, k: int, allowed: Container[int] | None = None) -> list[tuple[int, float]]:
        """Return the ``k`` best (number, cosine) among those allowed, best first; of equals the smaller number."""
        found: dict[int, float] = {}
        for term, weight in self._vector(Counter(terms(query))).items():
            for number, other in zip(*self._postings.get(term, ((), ())), strict=True):
                if allowed is None or number in allowed:
                    found[number] = found.get(number, 0.0) + weight * other
        return heapq.nsmallest(k, found.items(), key=lambda pair: (-pair[1], pair[0]))

    def _vector(self, count: Counter[str]) -> dict[str, float]:
        """Return a text's vector; terms of no chunk count in its length with the rarest one's weight."""
        rarest = max(self._rarity.values(), default=1.0)
        raw = {term: (1 + math.log(seen)) * self._rarity.get(term, rarest) for term, seen in count.items()}
        size = math.sqrt(sum(weight * weight for weight in raw.values()))
        return {term: weight / size for term, weight in raw.items()} if size else {}
