"""Mean average precision."""

from __future__ import annotations

from dataclasses import dataclass

from llmkit.metrics import metric
from llmkit.metrics._retrieval import NO_RELEVANT, Ranking, RankingMetric
from llmkit.types import Skipped


@metric("map")
@dataclass(frozen=True)
class MeanAveragePrecision(RankingMetric):
    """Mean average precision: the precision at each relevant document, averaged over all that are relevant.

    Formula: the sum over relevant results of (relevant results so far / rank), divided by the number of relevant
    documents, found or not; averaged over questions. Range 0 to 1, higher is better.

    A question without results scores 0. One without a relevant document is skipped, where trec_eval counts 0.
    Neighbours of equal score are ordered by document id, descending.

    Use it to compare whole rankings when every relevant document matters. Not for graded relevance (`ndcg`), nor where
    a reader looks at the first result only (`mrr`).

    Source: trec_eval's ``map`` and ``map_cut`` (Buckley and Voorhees 2005, in TREC: Experiment and Evaluation in
    Information Retrieval), equal to rounding.

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
        """Return the average precision."""
        relevant = ranking.relevant(self.relevance)
        if not relevant:
            return NO_RELEVANT
        hits = ranking.hits(self.relevance, self.k)
        return sum(number / rank for number, rank in enumerate(hits, 1)) / relevant
