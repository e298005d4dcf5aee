"""Precision at k of a retriever."""

from __future__ import annotations

from dataclasses import dataclass

from llmkit.metrics import metric
from llmkit.metrics._retrieval import NO_RELEVANT, Ranking, RankingMetric
from llmkit.types import Skipped


@metric("precision_at")
@dataclass(frozen=True)
class PrecisionAt(RankingMetric):
    """Precision at k: the share of the first k results that are relevant.

    Formula: relevant results among the first ``k`` / ``k``, also where fewer than ``k`` were found; averaged over
    questions. Range 0 to 1, higher is better. A question with fewer than ``k`` relevant documents cannot reach 1.

    A question without results scores 0. One without a relevant document is skipped, where trec_eval counts 0.
    Neighbours of equal score are ordered by document id, descending.

    Use it for what a reader or a prompt is shown: how much of it is noise. Not over questions whose numbers of relevant
    documents differ much (`r_precision`). The precision of class labels is `precision`.

    Source: trec_eval's ``P``, equal to rounding.

    Attributes:
        k: How many results count.
        relevance: The least grade that is relevant.
        qrels: The meta field with the judgments: a mapping from document id to grade, or a list of relevant ids.
            ``contexts``: the row's contexts are relevant, compared by text.
        judged_only: Take out results that nobody judged before ranks are counted.
    """

    k: int
    relevance: int = 1
    qrels: str = "qrels"
    judged_only: bool = False

    def of(self, ranking: Ranking) -> float | Skipped:
        """Return the share of the first k results that are relevant."""
        if not ranking.relevant(self.relevance):
            return NO_RELEVANT
        return len(ranking.hits(self.relevance, self.k)) / self.k
