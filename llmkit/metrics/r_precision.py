"""R-precision."""

from __future__ import annotations

from dataclasses import dataclass

from llmkit.metrics import metric
from llmkit.metrics._retrieval import NO_RELEVANT, Ranking, RankingMetric
from llmkit.types import Skipped


@metric("r_precision")
@dataclass(frozen=True)
class RPrecision(RankingMetric):
    """R-precision: precision at R, where R is the question's number of relevant documents.

    Formula: relevant results among the first R / R; averaged over questions. Range 0 to 1, higher is better. At this
    depth precision and recall are one number.

    A question without results scores 0. One without a relevant document is skipped, where trec_eval counts 0.
    Neighbours of equal score are ordered by document id, descending.

    Use it over questions whose numbers of relevant documents differ. Not with one relevant document a question: there
    it only asks whether the first result is right (`mrr`).

    Source: trec_eval's ``Rprec``, equal to rounding.

    Attributes:
        relevance: The least grade that is relevant.
        qrels: The meta field with the judgments: a mapping from document id to grade, or a list of relevant ids.
            ``contexts``: the row's contexts are relevant, compared by text.
        judged_only: Take out results that nobody judged before ranks are counted.
    """

    relevance: int = 1
    qrels: str = "qrels"
    judged_only: bool = False

    def of(self, ranking: Ranking) -> float | Skipped:
        """Return precision and recall at R."""
        relevant = ranking.relevant(self.relevance)
        return len(ranking.hits(self.relevance, relevant)) / relevant if relevant else NO_RELEVANT
