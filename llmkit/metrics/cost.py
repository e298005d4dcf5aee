"""Cost: what did the answer cost?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from llmkit.metrics import MeanMetric, metric
from llmkit.types import Output, Sample, Skipped


@metric("cost")
@dataclass(frozen=True)
class Cost(MeanMetric):
    """Mean US dollars per answer.

    Formula: tokens times the prices of the price book, as the engine set them, averaged over answers; a conversation
    costs what all its turns cost. Range 0 or more, lower is better. Skipped where the price or the number of tokens is
    unknown.

    An answer from the response cache keeps the cost that it had when it was asked, so the number says what the
    system costs; what this run has paid is in its manifest.

    Use it beside a quality metric, to see what an improvement costs. Not for local models, which have no price
    (`latency`).

    Source: none; tokens times prices.
    """

    higher_is_better = False
    unit = "$"
    asks = ("answer", "references", "choices")
    bounds = (0.0, math.inf)

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return the dollars."""
        response = output.response
        if response is None or response.cost is None:
            return Skipped("the cost of this answer is unknown")
        return response.cost
