"""Recall at k of a retriever."""

from __future__ import annotations

from dataclasses import dataclass

from llmkit.metrics import metric
from llmkit.metrics._retrieval import NO_RELEVANT, Ranking, RankingMetric
from llmkit.types import Skipped


@metric("recall_at")
@dataclass(frozen=True)
class RecallAt(RankingMetric):
    """Recall at k: the share of the relevant documents that are among the first k results.

    Formula: relevant results among the first ``k`` / relevant documents; averaged over questions. Range 0 to 1, higher
    is better. A question with more than ``k`` relevant documents cannot reach 1.

    A question without results scores 0. One without a relevant document is skipped, where trec_eval counts 0.
    Neighbours of equal score are ordered by document id, descending.

    Use it for a first stage, whose ``k`` is what the next stage reads. Not for the order within the ``k``: `ndcg`.
    The recall of class labels is `recall`.

    Source: trec_eval's ``recall``, equal to rounding.

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
        """Return the share of relevant documents found."""
        relevant = ranking.relevant(self.relevance)
        return len(ranking.hits(self.relevance, self.k)) / relevant if relevant else NO_RELEVANT
