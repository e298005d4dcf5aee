"""Ranking texts for a question: terms, light stemming, and a BM25 inverted index in plain Python."""

from __future__ import annotations

import heapq
import math
import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

Stemming = Literal["light", "none"]

_WORD = re.compile("[^\\W_]+(?:['\u2019_][^\\W_]+)*")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SHORTEST_STEM = 3

STOP_WORDS = frozenset(
    "a about am an and any are as at be been being but by can could did do does doing for from had happen happens has "  # noqa: SIM905  # a word list reads better so
    "have having he her here hers him his how i if in into is it its just me my of on onto or our ours please she "
    "should so some such than that the their theirs them then there these they this those to too us was we were what "
    "when where which while who whom whose why will with would you your yours".split()
)
"""Words of a question that say nothing about its subject."""


def terms(text: str, stemming: Stemming = "light") -> list[str]:
    """Return the terms of ``text`` in order: its words in lower case, stemmed.

    A name such as ``max_cost`` is found by its parts and as a whole: ``max``, ``cost``, ``max_cost``; ``max-cost`` and
    ``maxCost`` are their parts. A possessive ``'s`` is dropped. Accents count alike, however they are encoded (NFC).
    """
    found: list[str] = []
    for word in _WORD.findall(_CAMEL.sub(" ", text if text.isascii() else unicodedata.normalize("NFC", text))):
        lowered = word.lower().replace("\u2019", "'").removesuffix("'s")
        parts = lowered.split("_")
        found += parts if stemming == "none" else map(stem, parts)
        if len(parts) > 1:
            found.append(lowered)
    return found


def stem(word: str) -> str:
    """Return ``word`` without the commonest English endings: plural, -ing, -ed, -ly, -er, -ion, final -e.

    It unites what a question and its answer inflect differently (install, installs, installed, installing,
    installation); it never leaves fewer than three letters, and words with digits or other letters stay.
    """
    if len(word) <= _SHORTEST_STEM or not word.isascii() or not word.isalpha():
        return word
    word = _singular(word)
    for ending in ("ations", "ation", "ingly", "edly", "ions", "ing", "ion", "ers", "ed", "er", "ly", "or"):
        root = word.removesuffix(ending)
        if root != word and len(root) >= _SHORTEST_STEM and any(letter in "aeiouy" for letter in root):
            return _root(root)
    return _root(word)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > len("ties"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _root(word: str) -> str:
    if len(word) > _SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in "aeiouslz":
        word = word[:-1]
    if len(word) > _SHORTEST_STEM and word[-1] == "e":
        word = word[:-1]
    return word[:-1] + "i" if len(word) > _SHORTEST_STEM and word[-1] == "y" else word


class BM25:
    """An inverted index that ranks documents by BM25 as Lucene computes it.

    A document scores ``sum over query terms of idf * tf / (tf + k1 * (1 - b + b * length / average length))`` with
    ``idf = ln(1 + (N - df + 0.5) / (df + 0.5))`` (Robertson and Zaragoza 2009; Lucene 8 left out the constant
    factor ``k1 + 1``, which changes no ranking; unlike Lucene, lengths are exact, not rounded to a byte).

    Args:
        documents: The terms of each document; a term may occur with weight by occurring several times.
        k1: How soon further occurrences stop counting, >= 0.
        b: How much long documents are held back, 0 to 1.
    """

    def __init__(self, documents: Iterable[Sequence[str]], k1: float = 0.9, b: float = 0.4) -> None:
        if k1 < 0 or not 0 <= b <= 1:
            raise ValueError(f"k1 is {k1} and b is {b}; k1 must be at least 0, b between 0 and 1")
        postings: dict[str, tuple[array[int], array[float]]] = {}
        lengths = array("d")
        for number, document in enumerate(documents):
            lengths.append(len(document))
            for term, count in Counter(document).items():
                rows, counts = postings.setdefault(term, (array("l"), array("d")))
                rows.append(number)
                counts.append(count)
        self._size = len(lengths)
        average = sum(lengths) / self._size if self._size else 0.0
        held = array("d", [k1 * (1 - b + b * length / average) if average else k1 for length in lengths])
        self._idf = {term: self._rarity(len(rows)) for term, (rows, _) in postings.items()}
        self._postings = {
            term: (
                rows,
                array("d", [self._idf[term] * n / (n + held[row]) for row, n in zip(rows, counts, strict=True)]),
            )
            for term, (rows, counts) in postings.items()
        }

    def __len__(self) -> int:
        return self._size

    def __contains__(self, term: object) -> bool:
        return term in self._postings

    def _rarity(self, frequency: int) -> float:
        return math.log(1 + (self._size - frequency + 0.5) / (frequency + 0.5))

    def idf(self, term: str) -> float:
        """Return the inverse document frequency of ``term``; that of a term in no document is the largest."""
        return self._idf.get(term) or self._rarity(0)

    def vocabulary(self) -> Iterable[str]:
        """Return every term of the documents."""
        return self._postings.keys()

    def scores(self, query: Iterable[str] | Mapping[str, float]) -> dict[int, float]:
        """Return the score of every document that holds a query term.

        A term that occurs twice in ``query`` counts twice; a mapping gives each term its weight.
        """
        weights = query if isinstance(query, Mapping) else Counter(query)
        found: dict[int, float] = {}
        for term, weight in weights.items():
            posting = self._postings.get(term)
            if posting is not None:
                for row, score in zip(*posting, strict=True):
                    found[row] = found.get(row, 0.0) + weight * score
        return found

    def top(self, query: Iterable[str] | Mapping[str, float], k: int) -> list[tuple[int, float]]:
        """Return the ``k`` best (document number, score), best first; of equals the earlier document."""
        return heapq.nsmallest(k, self.scores(query).items(), key=lambda pair: (-pair[1], pair[0]))
