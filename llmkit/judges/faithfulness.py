"""Faithfulness: which claims of an answer follow from the passages it was made from."""

from __future__ import annotations

from dataclasses import dataclass

from llmkit.judges import judge
from llmkit.judges._claims import (
    EMPTY,
    NO_CLAIMS,
    NO_CONTEXTS,
    ClaimJudge,
    asked_by,
    fenced_passages,
    passages,
    share,
)
from llmkit.judges._items import told
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Judgment, Output, Sample, Skipped


@judge("faithfulness")
@dataclass(frozen=True)
class Faithfulness(ClaimJudge):
    """Share of an answer's claims that the passages support.

    Formula: claims supported / claims, averaged over the answers. Range 0 to 1, higher is better. The passages are
    those that the target retrieved, else the row's contexts. An empty answer, one without claims and one without
    passages are skipped: other programs give such an answer 1, or no number at all.

    Use it to find answers that say more than their sources. A faithful answer can be wrong, where the passages are, and
    beside the point (`answer_relevancy`). Not for answers from the model's own knowledge (`factuality`).

    Source: ragas (Es et al. 2023, arXiv 2309.15217); the prompts are our own.
    """

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Take the answer apart and check each claim."""
        texts = passages(sample, output)
        if not (output.text or "").strip():
            return Judgment(Skipped(EMPTY))
        if not texts:
            return Judgment(Skipped(NO_CONTEXTS))
        claims = yield from self.claims(output.text or "", asked_by(sample, output))
        if isinstance(claims, Failure):
            return Judgment(claims)
        if not claims:
            return Judgment(Skipped(NO_CLAIMS))
        found = yield from self.supported(claims, fenced_passages(texts))
        if isinstance(found, Failure):
            return Judgment(found)
        return Judgment((share(found), float(len(claims))), told(claims, found))
