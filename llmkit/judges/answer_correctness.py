"""Answer correctness: claims in common with the reference, and likeness of the two."""

from __future__ import annotations

from dataclasses import dataclass

from llmkit.judges import block, judge, together
from llmkit.judges._claims import EMPTY, NO_REFERENCE, ClaimJudge, EmbeddingJudge, asked_by, f_beta
from llmkit.judges._items import told
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Judgment, Output, Sample, Skipped


@judge("answer_correctness")
@dataclass(frozen=True)
class AnswerCorrectness(EmbeddingJudge):
    """Agreement of an answer with the reference, by claims and by likeness.

    Formula: (1 - similarity) * F + similarity * cosine(answer, reference), averaged, with F the F-beta of the claims:
    right are the answer's claims that the reference supports, wrong the others, missed the reference's claims that the
    answer does not support. Range 0 to 1, higher is better (a negative cosine counts as 0). Empty answers and rows
    without a reference are skipped; where neither text makes a claim, so is the row.

    Use it for free answers with one good reference. ``similarity: 0`` leaves the vectors out, which say little about
    facts. Not where wording is fixed (`exact_match`) or partial answers have a price of their own (`factuality`).

    Source: ragas (answer correctness), whose weights are 0.75 and 0.25; the prompts are our own.

    Attributes:
        similarity: The weight of the cosine; 0 asks for no vectors.
        beta: Above 1 missed claims weigh more, below 1 wrong ones.
    """

    similarity: float = 0.25
    beta: float = 1.0

    needs = ("references",)

    def __post_init__(self) -> None:
        if not 0 <= self.similarity < 1:
            raise ValueError(f"similarity is {self.similarity:g}: a weight from 0, below 1")
        if not self.beta > 0:
            raise ValueError(f"beta is {self.beta:g}: above 0")

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Compare the claims of both texts, and their vectors."""
        reference, answer = (sample.references[0] if sample.references else ""), output.text or ""
        if not reference.strip():
            return Judgment(Skipped(NO_REFERENCE))
        if not answer.strip():
            return Judgment(Skipped(EMPTY))
        found = yield from both_ways(self, sample, output, reference, answer)
        if isinstance(found, (Failure, Skipped)):
            return Judgment(found)
        right, wrong, missed, _, reason = found
        score = f_beta(right, wrong, missed, self.beta)
        if self.similarity:
            cosines = yield from self.cosines(reference, [answer])
            if isinstance(cosines, Failure):
                return Judgment(cosines)
            like = max(0.0, cosines[0])
            score = (1 - self.similarity) * score + self.similarity * like
            reason = f"{reason}\nlikeness {like:.3f}"
        return Judgment((score, float(right), float(wrong), float(missed)), reason)


def both_ways(
    judge: ClaimJudge, sample: Sample, output: Output, reference: str, answer: str
) -> Dialogue[tuple[int, int, int, int, str] | Failure | Skipped]:
    """Return how many claims of the answer are right and wrong, how many of the reference missed and met, and why."""
    asked = asked_by(sample, output)
    own, gold = yield from together([judge.claims(answer, asked), judge.claims(reference, asked)])
    if isinstance(own, Failure):
        return own
    if isinstance(gold, Failure):
        return gold
    if not own and not gold:
        return Skipped("neither the answer nor the reference makes a claim")
    found, covered = yield from together(
        [
            judge.supported(own, [block("text", reference)]),
            judge.supported(gold, [block("text", answer)]),
        ]
    )
    if isinstance(found, Failure):
        return found
    if isinstance(covered, Failure):
        return covered
    right, missed = sum(yes for yes, _ in found), sum(not yes for yes, _ in covered)
    reason = f"claims of the answer\n{told(own, found)}\nclaims of the reference\n{told(gold, covered)}"
    return right, len(own) - right, missed, len(gold) - missed, reason
