"""Edit similarity: how few letters or words must change to make the reference of the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmkit.metrics._base import NO_REFERENCE, MeanMetric, References, over_references
from llmkit.metrics._sequences import edit_distance
from llmkit.registry import metric
from llmkit.types import Output, Sample, Skipped


@metric("edit_similarity")
@dataclass(frozen=True)
class EditSimilarity(MeanMetric):
    """Share of the longer text that need not change to turn the output into the reference.

    Formula: 1 - d / max(length of output, length of reference), where d is the Levenshtein distance: the smallest
    number of insertions, deletions and substitutions. Two empty texts are alike (1); an empty output against a
    reference that is not scores 0.

    Range 0 to 1, higher is better; the corpus value is the mean over samples.

    Source: Levenshtein 1966; values equal rapidfuzz's ``Levenshtein.normalized_similarity``.

    Use it for copying, correction, transcription and code, where the exact text counts. Do not use it where other
    words or another order can be as right (rouge, chrf).

    Attributes:
        by: What is counted: code points, or words between white space.
        refs: The best of the references, their mean, or the first.
    """

    by: Literal["chars", "words"] = "chars"
    refs: References = "max"

    needs = ("references",)
    bounds = (0.0, 1.0)

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return the score over the sample's references."""
        if not sample.references:
            return NO_REFERENCE
        text = output.text or ""
        given = text.split() if self.by == "words" else text
        return over_references(self.refs, lambda reference: self._against(reference, given), sample.references)

    def _against(self, reference: str, given: str | list[str]) -> float:
        expected = reference.split() if self.by == "words" else reference
        longest = max(len(expected), len(given))
        return 1.0 - edit_distance(expected, given) / longest if longest else 1.0
