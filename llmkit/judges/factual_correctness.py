"""Factual correctness: claims of the answer against claims of the reference, both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmkit.judges import judge
from llmkit.judges._claims import EMPTY, NO_REFERENCE, ClaimJudge, f_beta
from llmkit.judges.answer_correctness import both_ways
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Judgment, Output, Sample, Skipped


@judge("factual_correctness")
@dataclass(frozen=True)
class FactualCorrectness(ClaimJudge):
    """Precision, recall or F of an answer's claims against the reference's.

    Formula: precision = the answer's claims that the reference supports / the answer's claims; recall = the reference's
    claims that the answer supports / the reference's claims; F = F-beta of right, wrong and missed claims, as in
    `answer_correctness`. Averaged over the answers. Range 0 to 1, higher is better. Empty answers and rows without a
    reference are skipped; so is precision where the answer makes no claim, and recall where the reference makes none.

    Use it to tell what an answer gets wrong from what it leaves out. Not for style or likeness.

    Source: ragas (factual correctness), whose recall divides the answer's right claims by themselves and the missed
    ones, two lists of claims in one share; the prompts are our own.

    Attributes:
        mode: ``f``, ``precision`` or ``recall``.
        beta: Of F: above 1 missed claims weigh more, below 1 wrong ones.
    """

    mode: Literal["f", "precision", "recall"] = "f"
    beta: float = 1.0

    needs = ("references",)

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Compare the claims of both texts."""
        reference, answer = (sample.references[0] if sample.references else ""), output.text or ""
        if not reference.strip():
            return Judgment(Skipped(NO_REFERENCE))
        if not answer.strip():
            return Judgment(Skipped(EMPTY))
        found = yield from both_ways(self, sample, output, reference, answer)
        if isinstance(found, (Failure, Skipped)):
            return Judgment(found)
        right, wrong, missed, covered, reason = found
        if self.mode == "f":
            score = f_beta(right, wrong, missed, self.beta)
        elif self.mode == "precision":
            if not right + wrong:
                return Judgment(Skipped("the answer makes no claim"))
            score = right / (right + wrong)
        else:
            if not covered + missed:
                return Judgment(Skipped("the reference makes no claim"))
            score = covered / (covered + missed)
        return Judgment((score, float(right), float(wrong), float(missed)), reason)
