"""Context recall: how much of the reference can be found in the passages."""

from __future__ import annotations

from dataclasses import dataclass

from llmkit.judges import judge
from llmkit.judges._claims import NO_CONTEXTS, NO_REFERENCE, ClaimJudge, fenced_passages, passages, share
from llmkit.judges._items import told
from llmkit.protocols import Dialogue
from llmkit.text.sentences import split_sentences
from llmkit.types import Failure, Judgment, Output, Sample, Skipped


@judge("context_recall")
@dataclass(frozen=True)
class ContextRecall(ClaimJudge):
    """Share of the reference's sentences that the passages support.

    Formula: sentences of the first reference that follow from the passages / sentences, averaged over the rows. Range 0
    to 1, higher is better. The answer itself is not looked at. Rows without a reference, and rows without passages, are
    skipped.

    Use it to learn whether retrieval finds what an answer needs, where there are no relevance judgments. Where there
    are, `recall_at` and `ndcg` cost nothing and do not err. Not for the answer (`faithfulness`, `answer_correctness`).

    Source: ragas (Es et al. 2023, arXiv 2309.15217); the prompt is our own.
    """

    needs = ("references",)

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Check each sentence of the reference."""
        sentences = split_sentences(sample.references[0]) if sample.references else []
        texts = passages(sample, output)
        if not sentences:
            return Judgment(Skipped(NO_REFERENCE))
        if not texts:
            return Judgment(Skipped(NO_CONTEXTS))
        found = yield from self.supported(sentences, fenced_passages(texts))
        if isinstance(found, Failure):
            return Judgment(found)
        return Judgment((share(found), float(len(sentences))), told(sentences, found))
