"""nDCG: are the best documents at the top?"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log2
from typing import Literal

from llmkit.errors import ConfigError, Problem
from llmkit.metrics import metric
from llmkit.metrics._retrieval import NO_RELEVANT, Ranking, RankingMetric
from llmkit.types import Skipped


@metric("ndcg")
@dataclass(frozen=True)
class Ndcg(RankingMetric):
    """Normalised discounted cumulative gain: graded relevance, worth less the lower it stands.

    Formula: DCG / ideal DCG, where DCG is the sum of gain / log2(rank + 1) over the first ``k`` results, and the ideal
    one that of all judged documents sorted by gain. Range 0 to 1, higher is better; averaged over questions.

    A question without results scores 0. One without a document of positive gain is skipped, where trec_eval counts 0.
    Neighbours of equal score are ordered by document id, descending. Results that are not judged gain 0.

    Use it as the first metric of a retriever, above all with graded judgments. Not where judgments are few: look at the
    judged share in the details, or at `recall_at`.

    Source: Järvelin and Kekäläinen 2002 (TOIS 20); equal to trec_eval's ``ndcg_cut`` and, without ``k``, ``ndcg``.
    ``exponential`` is the form of Burges et al. 2005, 2 ** grade - 1.

    Attributes:
        k: How many results count; null means all.
        gains: ``linear``: the grade; ``exponential``: 2 ** grade - 1; or the gain of each grade, ``{1: 3, 2: 9}``: a
            grade that is not named gains itself.
        qrels: The meta field with the judgments: a mapping from document id to grade, or a list of relevant ids.
            ``contexts``: the row's contexts are relevant, compared by text.
        judged_only: Take out results that nobody judged before ranks are counted.
    """

    k: int | None = None
    gains: Literal["linear", "exponential"] | dict[str, float] = "linear"
    qrels: str = "qrels"
    judged_only: bool = False

    _named: dict[float, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        named = self.gains if isinstance(self.gains, dict) else {}
        try:
            object.__setattr__(self, "_named", {float(grade): float(gain) for grade, gain in named.items()})
        except ValueError:
            hint = "write {1: 3, 2: 9}"
            raise ConfigError(problems=[Problem("gains: every grade must be a number", hint=hint)]) from None
        if any(gain < 0 for gain in self._named.values()):
            raise ConfigError(problems=[Problem("gains: a gain must be 0 or more")])

    def of(self, ranking: Ranking) -> float | Skipped:
        """Return DCG / ideal DCG."""
        gain = self._gain
        ideal = sorted((worth for grade in reversed(ranking.grades) if (worth := gain(grade)) > 0), reverse=True)[
            : self.k
        ]
        if not ideal:
            return NO_RELEVANT
        k = self.k or ranking.results
        found = sum(gain(grade) / log2(rank + 1) for rank, grade in ranking.found if rank <= k)
        return found / sum(worth / log2(rank + 1) for rank, worth in enumerate(ideal, 1))

    def _gain(self, grade: float) -> float:
        if grade < 0:
            return 0.0
        if self.gains == "exponential":
            return float(2.0**grade - 1)
        return self._named.get(grade, grade)
