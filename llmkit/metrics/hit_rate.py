"""Hit rate at k of a retriever."""

from __future__ import annotations

from dataclasses import dataclass

from llmkit.metrics import metric
from llmkit.metrics._retrieval import NO_RELEVANT, Ranking, RankingMetric
from llmkit.types import Skipped


@metric("hit_rate")
@dataclass(frozen=True)
class HitRate(RankingMetric):
    """Hit rate at k: the share of questions with a relevant document among the first k results.

    Formula: 1 where one of the first ``k`` results is relevant, else 0; averaged over questions. Range 0 to 1, higher
    is better.

    A question without results scores 0. One without a relevant document is skipped, where trec_eval counts 0.
    Neighbours of equal score are ordered by document id, descending.

    Use it where one document is enough to answer, by ids that were judged. Not where nobody judged documents: `success`
    asks the same of the text, whether a passage holds the answer.

    Source: trec_eval's ``success``.

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

    @property
    def binary(self) -> bool:
        """Always true."""
        return True

    def of(self, ranking: Ranking) -> float | Skipped:
        """Return 1 for a hit, else 0."""
        if not ranking.relevant(self.relevance):
            return NO_RELEVANT
        return 1.0 if ranking.hits(self.relevance, self.k) else 0.0
