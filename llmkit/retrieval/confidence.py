"""How sure a search may be that the answer is among what it found: the words of the question, weighed by rarity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmkit.text.bm25 import STOP_WORDS, stem, terms
from llmkit.text.runs import grams, writing_without_spaces

_LOOKED_AT = 5
_PAIR = 2


@dataclass(frozen=True, slots=True)
class Calibration:
    """From coverage to the probability that the passages hold the answer: 1 / (1 + exp(-(slope * c + intercept)))."""

    slope: float
    intercept: float

    def probability(self, coverage: float) -> float:
        """Return the probability, 0 to 1."""
        return 1 / (1 + math.exp(-(self.slope * coverage + self.intercept)))


STEMMED = Calibration(13.09, -6.61)
"""For English by its stems: area under the ROC curve .96, right in 91 % of the cases at .5.

Like the others a logistic regression over questions of XQuAD (Artetxe et al. 2020), each asked once of all 240
paragraphs (the answer is there) and once without the paragraphs of its own article (it is not).
"""

WORDS = Calibration(15.01, -4.99)
"""For words as they stand: German, Spanish, Russian, Turkish, Romanian, Greek and Arabic together (.89 to .97)."""

PAIRS = Calibration(25.85, -6.26)
"""For Chinese (area .96) by pairs of characters, of which many lie across words, or only ask."""

THREES = Calibration(16.0, -6.52)
"""For Thai (area .94) by threes of characters."""


def usual_calibration(query: str, tokenizer: str) -> Calibration:
    """Return the calibration for a question's writing, and for what cuts the index's texts into words.

    Where most characters of the question's words stand in writing without spaces, that writing decides: a question is
    then compared by parts of words, and even the passage that answers it holds fewer of them.
    """
    size = writing_without_spaces(query)
    if size:
        return PAIRS if size == _PAIR else THREES
    return STEMMED if tokenizer == "porter" else WORDS


_LEAST = 1e-3


@dataclass(frozen=True, slots=True)
class Recalibration:
    """From a confidence to the probability that one index's own questions show: a logistic curve of its log-odds.

    The defaults change nothing.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def probability(self, sure: float) -> float:
        """Return the probability, 0 to 1; confidences below .001 and above .999 count as these."""
        held = min(max(sure, _LEAST), 1 - _LEAST)
        return 1 / (1 + math.exp(-(self.slope * math.log(held / (1 - held)) + self.intercept)))


def bounded(sure: Any) -> Any:
    """Return confidences, an array of any shape, as `Recalibration.probability` reads them."""
    return sure.clip(_LEAST, 1 - _LEAST)


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
