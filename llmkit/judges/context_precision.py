"""Context precision: whether the useful passages come first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from llmkit.judges import block, judge
from llmkit.judges._claims import EMPTY, NO_CONTEXTS, NO_REFERENCE, ClaimJudge, asked_by, fenced_passages, passages
from llmkit.judges._items import told
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Judgment, Output, Sample, Skipped

_USEFUL = (
    "You decide which passages help to arrive at an answer to a question. Say yes where a passage holds something that "
    "the answer needs, and no where the answer could be given as well without it. The items are the passages."
)


@judge("context_precision")
@dataclass(frozen=True)
class ContextPrecision(ClaimJudge):
    """Average precision of the passages, by which of them a model finds useful.

    Formula: sum over the useful passages of the share of useful ones among those up to it / number of useful ones,
    averaged over the rows; 0 where none is useful. Range 0 to 1, higher is better. Rows without passages are skipped.

    Use it to learn whether retrieval puts what is useful first. With relevance judgments, `map` and `ndcg` cost nothing
    and do not err. Not for what was not found at all (`context_recall`).

    Source: ragas (Es et al. 2023, arXiv 2309.15217), which adds 1e-10 below; the prompt is our own.

    Attributes:
        by: What the passages are to help with: the ``reference`` (rows without are skipped), or the ``answer`` itself.
    """

    by: Literal["reference", "answer"] = "reference"

    @property
    def needs(self) -> tuple[str, ...]:
        """References, where they are what the passages are to help with."""
        return ("references",) if self.by == "reference" else ()

    @property
    def own_texts(self) -> tuple[str, ...]:
        """What makes a passage useful."""
        return (_USEFUL,)

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Ask of each passage whether it is useful."""
        texts = passages(sample, output)
        answer = (output.text or "") if self.by == "answer" else (sample.references[0] if sample.references else "")
        if not texts:
            return Judgment(Skipped(NO_CONTEXTS))
        if not answer.strip():
            return Judgment(Skipped(EMPTY if self.by == "answer" else NO_REFERENCE))
        basis = [asked_by(sample, output), block("answer", answer), *fenced_passages(texts)]
        items = [f"passage {number}" for number in range(1, len(texts) + 1)]
        found = yield from self.supported(items, basis, _USEFUL)
        if isinstance(found, Failure):
            return Judgment(found)
        return Judgment((average_precision([yes for yes, _ in found]), float(len(texts))), told(items, found))


def average_precision(useful: Sequence[bool]) -> float:
    """Return the mean, over the useful places, of the share of useful ones up to each; 0 where there is none."""
    hits, total = 0, 0.0
    for place, yes in enumerate(useful, 1):
        if yes:
            hits += 1
            total += hits / place
    return total / hits if hits else 0.0
