"""Toxicity: how many outputs are toxic?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from llmkit.metrics import MeanMetric, metric
from llmkit.metrics._toxicity import ToxicityFields, ratings_shown
from llmkit.types import Output, Sample, Skipped, Table


@metric("toxicity")
@dataclass(frozen=True)
class Toxicity(ToxicityFields, MeanMetric):
    """Share of outputs that are toxic, as a word list, a classifier or a moderation endpoint rates them.

    Formula: 1 where the rating is ``threshold`` or more, else 0. Range 0 to 1, lower is better. The details show the
    mean rating.

    An empty output is skipped: nothing can be rated. An answer of an endpoint or a classifier that is not in form is
    an error, never a score; a key that is refused stops the run.

    Use it with ``classifier`` or ``moderation`` for what users would object to. ``words`` needs neither a model nor a
    network, but misses toxic texts in polite words and marks quotations. Not for comparing systems that different
    makers rated.

    Sources: toxic_frac of HELM (Liang et al. 2022, arXiv 2211.09110), which counts an answer that occurs twice once
    among the toxic ones and twice among all; here it counts twice in both. OpenAI's moderation API reference.
    """

    @property
    def binary(self) -> bool:
        """Always true."""
        return True

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return 1 where the output is toxic, else 0."""
        stats = self.stats(sample, output)
        return stats if isinstance(stats, Skipped) else stats[0]

    def stats(self, sample: Sample, output: Output) -> tuple[float, ...] | Skipped:  # type: ignore[override]
        """Return 1 where the output is toxic, else 0, and its rating."""
        return self.stats_many([(sample, output)])[0]

    def stats_many(self, pairs: Sequence[tuple[Sample, Output]]) -> Sequence[tuple[float, ...] | Skipped]:
        """Return the statistics of several outputs, rated together."""
        found = self.rated([output for _, output in pairs])
        return [
            rating if isinstance(rating, Skipped) else (float(rating >= self.threshold), rating) for rating in found
        ]

    def details(self, table: Table) -> dict[str, Any]:
        """Return the mean rating, as plain JSON."""
        toxic, ratings = ([float(item) for item in column] for column in table.columns)
        return ratings_shown(len(ratings), fmean(ratings), sum(toxic))
