"""SelfCheckGPT by prompt: whether other answers to the same question bear out what an answer says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmkit.judges import block, judge, together
from llmkit.judges._claims import EMPTY, SUPPORTED, ClaimJudge
from llmkit.judges._items import each_answered
from llmkit.protocols import Dialogue
from llmkit.text.sentences import split_sentences
from llmkit.types import Failure, Judgment, Output, Sample, Skipped


@judge("selfcheck")
@dataclass(frozen=True)
class Selfcheck(ClaimJudge):
    """Inconsistency of an answer with further answers to the same question.

    Formula: for each sentence of the first answer the share of the other answers that do not support it, averaged over
    the sentences and the rows. Range 0 to 1, lower is better. It needs ``repeats`` of 2 or more (the paper takes 20) at
    a temperature above 0. An answer on which the judge gives no verdict is left out, and counted in the row's reason;
    the paper's program counts it as a half. An empty first answer is skipped.

    Use it to find what a model makes up, where there is neither a reference nor a source: what it knows it says each
    time. A model that is wrong in the same way each time passes. Not for answers from passages (`faithfulness`).

    Source: SelfCheckGPT, prompt variant (Manakul et al. 2023, arXiv 2303.08896), whose program asks about each sentence
    in a request of its own; here one request holds all sentences. The prompt is our own.
    """

    higher_is_better: ClassVar[bool | None] = False
    over_repeats: ClassVar[bool] = True
    min_repeats: ClassVar[int] = 2

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Refuse: it needs several answers."""
        raise TypeError("selfcheck judges all repeats of a sample together; use judge_over")

    def judge_over(self, sample: Sample, outputs: Sequence[Output]) -> Dialogue[Judgment]:
        """Ask of each further answer which sentences of the first it supports."""
        first, *others = outputs
        if first.error is not None:
            return Judgment(Failure("no_output", "the answer that is checked is missing"))
        sentences = split_sentences(first.text or "")
        if not sentences:
            return Judgment(Skipped(EMPTY))
        texts = [output.text for output in others if output.text is not None and output.text.strip()]
        if not texts:
            return Judgment(Skipped("no other answer to compare with"))
        found = yield from together(
            [
                each_answered(SUPPORTED, [block("text", text)], sentences, form=self.form, params=self.params)
                for text in texts
            ]
        )
        read = [[yes for yes, _ in one] for one in found if not isinstance(one, Failure)]
        failed = [one for one in found if isinstance(one, Failure)]
        if not read:
            return Judgment(failed[0])
        shares = [sum(not row[place] for row in read) / len(read) for place in range(len(sentences))]
        lines = [f"{share:.2f}: {sentence}" for share, sentence in zip(shares, sentences, strict=True)]
        if failed:
            lines.append(f"answers without a verdict: {len(failed)} of {len(found)}")
        return Judgment((sum(shares) / len(shares), float(len(read)), float(len(failed))), "\n".join(lines))
