"""Success at k: does a retrieved passage hold the answer?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from llmkit.errors import ConfigError, Problem
from llmkit.metrics import NO_REFERENCE, MeanMetric, metric
from llmkit.metrics._answer_match import words
from llmkit.metrics._retrieval import ordered
from llmkit.types import Output, Sample, Skipped


@metric("success")
@dataclass(frozen=True)
class Success(MeanMetric):
    """Top-k retrieval accuracy: the share of questions with an answer in the text of the first k passages.

    Formula: 1 where one of the first ``k`` passages holds one of the references, else 0. Range 0 to 1, higher is
    better. A passage holds a reference when the words of the reference stand in it one after the other; words are the
    runs of letters, digits and marks of the text in NFD and lower case, and every other sign by itself.

    A question without passages scores 0. One without a reference, or whose references hold no word at all (DPR finds
    those everywhere), is skipped; so is one whose passages have ids and no texts.

    Use it for open questions with short answers when nobody judged documents; a passage may hold the answer by
    chance. Not for answers such as "yes" or "4", which stand everywhere. With judged ids: `hit_rate`.

    Source: ``has_answer`` of DPR (Karpukhin et al. 2020, arXiv 2004.04906), after DrQA.

    Attributes:
        k: How many passages count.
        match: ``words``: references are texts; ``regex``: they are regular expressions, found in the text in NFD
            whatever the case.
        passages: ``retrieved``: what the target retrieved; ``contexts``: the contexts of the row, best first.
    """

    k: int
    match: Literal["words", "regex"] = "words"
    passages: Literal["retrieved", "contexts"] = "retrieved"

    needs = ("references",)
    bounds = (0.0, 1.0)

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ConfigError(problems=[Problem(f"k: must be at least 1, got {self.k}")])

    @property
    def binary(self) -> bool:
        """Always true."""
        return True

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return 1 where a passage holds an answer, else 0."""
        if not sample.references:
            return NO_REFERENCE
        if self.passages == "contexts":
            texts: Sequence[str] = sample.contexts[: self.k]
        else:
            texts = [passage.text for passage in ordered(output.retrieved)[: self.k]]
        if texts and not any(texts):
            return Skipped("the passages have no text")
        holds = _words_in(sample.references) if self.match == "words" else _patterns_in(sample.references)
        if isinstance(holds, Skipped):
            return holds
        return 1.0 if any(map(holds, texts)) else 0.0


def _words_in(references: Sequence[str]) -> Callable[[str], bool] | Skipped:
    answers = [found for found in map(words, references) if found]
    if not answers:
        return Skipped("no reference holds a word")

    def holds(text: str) -> bool:
        read = words(text)
        return any(answer in read for answer in answers)

    return holds


def _patterns_in(references: Sequence[str]) -> Callable[[str], bool] | Skipped:
    try:
        patterns = [
            re.compile(unicodedata.normalize("NFD", reference), re.IGNORECASE | re.MULTILINE)
            for reference in references
        ]
    except re.error as error:
        return Skipped(f"a reference is not a regular expression: {error}")

    def holds(text: str) -> bool:
        read = unicodedata.normalize("NFD", text)
        return any(pattern.search(read) for pattern in patterns)

    return holds
