"""How sure a search may be that the answer is among what it found: the words of the question, weighed by rarity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmkit.text.bm25 import STOP_WORDS, stem, terms
from llmkit.text.runs import grams

_LOOKED_AT = 5


@dataclass(frozen=True, slots=True)
class Calibration:
    """From coverage to the probability that the passages hold the answer: 1 / (1 + exp(-(slope * c + intercept))).

    The defaults are a logistic regression over the 1,190 questions of XQuAD, each asked once of all 240 paragraphs (the
    answer is there) and once without the paragraphs of its own article (it is not): area under the ROC curve .96, right
    in 91 % of the cases at .5.
    """

    slope: float = 13.09
    intercept: float = -6.61

    def probability(self, coverage: float) -> float:
        """Return the probability, 0 to 1."""
        return 1 / (1 + math.exp(-(self.slope * coverage + self.intercept)))


def coverage(query: str, passages: Sequence[str], frequencies: Mapping[str, int], chunks: int) -> float:
    """Return the share of the question's words, weighed by rarity, that one of the first five passages holds; the best.

    Args:
        query: The question; its function words do not count where it has others.
        passages: Best first, with their titles and headings.
        frequencies: In how many chunks each word occurs; a word that is not named counts as occurring in none.
        chunks: How many chunks there are.
    """
    words = telling_words(query)
    rarity = {stem(word): _rarity(frequencies.get(word, 0), chunks) for word in words}
    total = sum(rarity.values())
    if not total:
        return 0.0
    shares = []
    for passage in passages[:_LOOKED_AT]:
        held = {part for word in terms(passage) for part in grams(word)}
        shares.append(sum(weight for word, weight in rarity.items() if word in held) / total)
    return max(shares, default=0.0)


def telling_words(query: str) -> list[str]:
    """Return the words of a question that say what it is about, in lower case, each once.

    Where a writing has no spaces, these are pairs or threes of characters (`llmkit.text.runs.gram_spans`).
    """
    words = list(dict.fromkeys(part for word in terms(query, "none") for part in grams(word)))
    return [word for word in words if word not in STOP_WORDS] or words


def _rarity(frequency: int, chunks: int) -> float:
    return math.log(1 + (max(chunks, frequency) - frequency + 0.5) / (frequency + 0.5))
