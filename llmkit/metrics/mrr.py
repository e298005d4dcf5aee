"""Mean reciprocal rank."""

from __future__ import annotations

from dataclasses import dataclass

from llmkit.metrics import metric
from llmkit.metrics._retrieval import NO_RELEVANT, Ranking, RankingMetric
from llmkit.types import Skipped


@metric("mrr")
@dataclass(frozen=True)
class MeanReciprocalRank(RankingMetric):
    """Mean reciprocal rank: how far down is the first relevant document?

    Formula: 1 / rank of the first relevant result, 0 where none is among the first ``k``; averaged over questions.
    Range 0 to 1, higher is better.

    A question without results scores 0. One without a relevant document is skipped, where trec_eval counts 0.
    Neighbours of equal score are ordered by document id, descending.

    Use it where one good document is enough and its place matters. Not where several are needed: `recall_at`, `map`.

    Source: Voorhees 1999 (TREC-8); trec_eval's ``recip_rank``, equal to rounding; with ``k`` = 10 the MRR@10 of
    MS MARCO (Bajaj et al. 2016, arXiv 1611.09268).

    Attributes:
        k: How many results count; null means all.
        relevance: The least grade that is relevant.
        qrels: The meta field with the judgments: a mapping from document id to grade, or a list of relevant ids.
            ``contexts``: the row's contexts are relevant, compared by text.
        judged_only: Take out results that nobody judged before ranks are counted.
    """

    k: int | None = None
    relevance: int = 1
    qrels: str = "qrels"
    judged_only: bool = False

    def of(self, ranking: Ranking) -> float | Skipped:
        """Return one over the rank of the first relevant result."""
        if not ranking.relevant(self.relevance):
            return NO_RELEVANT
        hits = ranking.hits(self.relevance, self.k)
        return 1 / hits[0] if hits else 0.0
