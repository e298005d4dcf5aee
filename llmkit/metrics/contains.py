"""Contains: does the answer hold a text?"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from llmkit.errors import ConfigError, Problem
from llmkit.metrics import NO_REFERENCE, MeanMetric, metric
from llmkit.types import Output, Sample, Skipped


@metric("contains")
@dataclass(frozen=True)
class Contains(MeanMetric):
    """Share of answers that contain a reference, or a given text.

    Formula: 1 where any (``match: all``: every one) of the texts occurs in the output, else 0. The texts are
    ``texts``, or else the sample's references. Range 0 to 1, higher is better.

    An empty text among several is left out, because everything contains it; a sample with nothing else is skipped.
    An empty output contains nothing and scores 0.

    Use it when the answer must mention something and may say more. Not as a measure of correctness of long answers:
    "not Paris" contains "Paris", and a long output contains more by chance.

    Source: none; it looks for texts.

    Attributes:
        texts: What to look for; empty means the sample's references.
        match: ``any`` text is enough, or ``all`` must occur.
        ignore_case: Compare after case folding.
        whole_words: The text must not begin or end inside a word: "art" is not in "party".
    """

    texts: str | tuple[str, ...] = ()
    match: Literal["any", "all"] = "any"
    ignore_case: bool = True
    whole_words: bool = False

    needs = ("references",)
    bounds = (0.0, 1.0)

    _texts: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        texts = (self.texts,) if isinstance(self.texts, str) else tuple(self.texts)
        if texts and not all(texts):
            raise ConfigError(problems=[Problem("texts: an empty text is in every answer", hint="leave it out")])
        object.__setattr__(self, "_texts", texts)
        if texts:
            object.__setattr__(self, "needs", ())

    @property
    def binary(self) -> bool:
        """Always true."""
        return True

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return 1 where the texts are found, else 0."""
        texts = self._texts or tuple(filter(None, sample.references))
        if not texts:
            return Skipped("every reference is empty") if sample.references else NO_REFERENCE
        answer = output.text or ""
        if self.ignore_case:
            answer = answer.casefold()
        enough = any if self.match == "any" else all
        return float(enough(self._holds(answer, text) for text in texts))

    def _holds(self, answer: str, text: str) -> bool:
        if self.ignore_case:
            text = text.casefold()
        return _word(text).search(answer) is not None if self.whole_words else text in answer


@lru_cache(maxsize=4096)
def _word(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")
