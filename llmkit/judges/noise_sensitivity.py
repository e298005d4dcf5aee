"""Noise sensitivity: how many wrong claims of an answer come from its passages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from llmkit.judges import block, judge, together
from llmkit.judges._claims import (
    EMPTY,
    NO_CLAIMS,
    NO_CONTEXTS,
    NO_REFERENCE,
    ClaimJudge,
    asked_by,
    fenced_passages,
    passages,
)
from llmkit.judges._items import told
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Judgment, Output, Sample, Skipped


@judge("noise_sensitivity")
@dataclass(frozen=True)
class NoiseSensitivity(ClaimJudge):
    """Share of an answer's claims that are wrong and that its passages led to.

    Formula: claims of the answer that the reference does not support and a passage does / claims, averaged over the
    answers. A passage is relevant where it supports a claim of the reference. ``mode: relevant`` counts claims that a
    relevant passage supports, ``irrelevant`` those that only irrelevant ones do. Range 0 to 1, lower is better. Empty
    answers, answers without claims, and rows without a reference, without claims in it, or without passages are
    skipped.

    Use it to learn whether wrong claims are misread sources (``relevant``) or noise that retrieval let in
    (``irrelevant``). Wrong claims that no passage holds are `faithfulness`'s.

    Source: noise sensitivity of RAGChecker (Ru et al. 2024, arXiv 2408.08067), as in ragas; the prompts are our own.

    Attributes:
        mode: ``relevant`` or ``irrelevant``.
    """

    higher_is_better: ClassVar[bool | None] = False

    mode: Literal["relevant", "irrelevant"] = "relevant"

    needs = ("references",)

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Check the answer's claims against reference and passages, and the reference's against the passages."""
        reference, answer, texts = (sample.references or ("",))[0], output.text or "", passages(sample, output)
        for lacking, reason in ((reference.strip(), NO_REFERENCE), (answer.strip(), EMPTY), (texts, NO_CONTEXTS)):
            if not lacking:
                return Judgment(Skipped(reason))
        asked = asked_by(sample, output)
        own, gold = yield from together([self.claims(answer, asked), self.claims(reference, asked)])
        for found, reason in ((own, NO_CLAIMS), (gold, "the reference makes no claim")):
            if isinstance(found, Failure):
                return Judgment(found)
            if not found:
                return Judgment(Skipped(reason))
        assert not isinstance(own, Failure)
        assert not isinstance(gold, Failure)
        blocks = [[text] for text in fenced_passages(texts)]
        checks = yield from together(
            [
                self.supported(own, [block("text", reference)]),
                *(self.supported(own, passage) for passage in blocks),
                *(self.supported(gold, passage) for passage in blocks),
            ]
        )
        answers = []
        for check in checks:
            if isinstance(check, Failure):
                return Judgment(check)
            answers.append([yes for yes, _ in check])
        right, by_passage, gold_by_passage = answers[0], answers[1 : len(texts) + 1], answers[len(texts) + 1 :]
        relevant = [any(found) for found in gold_by_passage]
        led = [self._led(number, by_passage, relevant) and not right[number] for number in range(len(own))]
        return Judgment((sum(led) / len(led), float(len(own))), told(own, [(wrong, "") for wrong in led]))

    def _led(self, claim: int, by_passage: list[list[bool]], relevant: list[bool]) -> bool:
        from_relevant = any(found[claim] for found, yes in zip(by_passage, relevant, strict=True) if yes)
        if self.mode == "relevant":
            return from_relevant
        return not from_relevant and any(
            found[claim] for found, yes in zip(by_passage, relevant, strict=True) if not yes
        )
