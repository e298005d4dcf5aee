"""Best of: how good is the best of several answers?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from llmkit.errors import ConfigError, Problem
from llmkit.metrics._repeats import Inner, OfMetric, ScoredRepeat
from llmkit.registry import metric
from llmkit.types import Output, Sample


@metric("best_of")
@dataclass(frozen=True)
class BestOf(OfMetric):
    """Score of the best of a sample's repeats, as another metric scores them.

    Formula: the best score of a sample's n scored repeats (the greatest, or the least where lower is better); with
    ``k``, the expected best of k of them drawn at random: sum over i of C(i - 1, k - 1) / C(n, k) times the i-th
    score from the worst. Then the mean over samples. Range, direction (higher is better, or lower) and unit are those
    of the metric in ``of``.

    A failed repeat has no score and is left out. Without ``k`` the score grows with the number of repeats: compare
    runs with equal ``repeats`` only, or give ``k``. With pass or fail, ``best_of@k`` is pass@k.

    Use it for the ceiling of a system that could pick its best answer. Not as the quality of what users get: nobody
    picks for them. Needs ``repeats`` of 2 or more.

    Source: HELM's ``@k`` (Liang et al. 2022, arXiv 2211.09110), the greatest score over k completions; for k < n the
    mean over all choices, as Chen et al. 2021 (arXiv 2107.03374) do for pass@k.

    Attributes:
        of: Spec of the metric that scores each answer.
        k: How many answers the best is taken of; null means all of the sample's.
    """

    of: Inner = "exact_match"
    k: int | None = None

    def __post_init__(self) -> None:
        """Build the metric inside; refuse one that does not know better from worse."""
        self.build_inner()
        if self.k is not None and self.k < 1:
            raise ConfigError(problems=[Problem(f"k is {self.k}: at least one answer is taken")])
        if self.higher_is_better is None:
            message = f"of: '{self.inner_name}' has no better direction, so there is no best answer"
            raise ConfigError(problems=[Problem(message)])

    @property
    def min_repeats(self) -> int:
        """``k``, or two."""
        return self.k or 2

    @property
    def binary(self) -> bool:
        """True where the best of all is taken and the metric inside gives 0 or 1."""
        return self.inner.binary and self.k is None

    def of_scored(self, sample: Sample, outputs: Sequence[Output], scored: Sequence[ScoredRepeat]) -> tuple[float, ...]:
        """Return the best score and the figures of the repeats."""
        values = [value for _, value in scored]
        return self.statistics(self._best(values), values, outputs)

    def _best(self, values: Sequence[float]) -> float:
        ordered = sorted(values, reverse=self.higher_is_better is False)
        if self.k is None:
            return ordered[-1]
        weights = [comb(i, self.k - 1) for i in range(len(ordered))]
        expected = sum(weight * value for weight, value in zip(weights, ordered, strict=True)) / sum(weights)
        return min(max(expected, min(values)), max(values))
