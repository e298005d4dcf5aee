"""SelfCheckGPT by n-grams: how unlikely a model of the answers finds each sentence."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from llmkit.metrics._selfcheck import Checked, SelfCheck
from llmkit.registry import metric
from llmkit.text.sentences import split_sentences

_TOKEN = re.compile(r"\w+|[^\w\s]")
_START = ""
"""Stands before a text's first token; no token is empty."""


@metric("selfcheck_ngram")
@dataclass(frozen=True)
class SelfcheckNgram(SelfCheck):
    """Unlikeliness of an answer's words in an n-gram model of all answers to the question.

    Formula: -log of the share of an n-gram (a token with the n - 1 before it in its sentence) among all n-grams of the
    first answer and the further ones, without smoothing (the answer itself is counted, so no share is 0); of each
    sentence the mean or the greatest (``by``); the mean over sentences and over samples. Range 0 upwards, lower is
    better.

    Needs ``repeats`` of 2 or more (the paper takes 20) at a temperature above 0. Failed and empty repeats are left
    out; a sample whose first answer is missing or empty is skipped.

    Use it to rank answers by how much of them is said once only, at no cost. The numbers depend on length and number of
    the answers: compare runs with equal ``repeats``. Not for texts with rare words, which look
    invented (`selfcheck_nli` and the judge `selfcheck` read sentences).

    Source: SelfCheckGPT, n-gram variant (Manakul et al. 2023, arXiv 2303.08896), whose program tokenizes with spaCy;
    here tokens are runs of word characters and single marks, in lower case. The share is the program's: not the
    probability given the words before, which is 1 for whatever is said only once.

    Attributes:
        n: Length of the n-grams; 1 looks at single words.
        by: ``max`` takes the most unlikely token of a sentence, ``mean`` the average.
    """

    n: int = 1
    by: Literal["max", "mean"] = "max"

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n is {self.n}: at least 1")

    def inconsistencies(self, groups: Sequence[Checked]) -> Sequence[Sequence[float]]:
        """Return each sentence's unlikeliness."""
        return [self._of(sentences, texts) for sentences, texts in groups]

    def _of(self, sentences: Sequence[str], texts: Sequence[str]) -> list[float]:
        grams: Counter[tuple[str, ...]] = Counter()
        for sentence in [*sentences, *(one for text in texts for one in split_sentences(text))]:
            grams.update(self._grams(sentence))
        total = grams.total()
        take = max if self.by == "max" else fmean
        found = []
        for sentence in sentences:
            unlikely = [math.log(total / grams[gram]) for gram in self._grams(sentence)]
            found.append(float(take(unlikely)) if unlikely else 0.0)
        return found

    def _grams(self, text: str) -> list[tuple[str, ...]]:
        tokens = [*[_START] * (self.n - 1), *_TOKEN.findall(text.casefold())]
        return [tuple(tokens[at : at + self.n]) for at in range(len(tokens) - self.n + 1)]
