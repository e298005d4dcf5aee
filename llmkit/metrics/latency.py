"""Latency: how long did the answer take?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from llmkit.metrics import MeanMetric, metric
from llmkit.types import Output, Sample, Skipped


@metric("latency")
@dataclass(frozen=True)
class Latency(MeanMetric):
    """Mean seconds from sending a request to its complete answer.

    Formula: the mean over answers of the seconds of the last attempt, as the engine measured them, without waiting in
    the queue and without earlier attempts; for a conversation of several turns, those of the last turn. Range 0 or
    more, lower is better. Skipped where no time was recorded (recorded outputs that hold none).

    An answer from the response cache keeps the time that it took when it was asked, so the number describes the system,
    not the cache. Compare it only between runs with the same concurrency and the same endpoint.

    Use it to see what users wait for, beside a quality metric. Not to compare machines or networks.

    Source: none; it is measured.
    """

    higher_is_better = False
    unit = "s"
    asks = ("answer", "references", "choices")
    bounds = (0.0, math.inf)

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return the seconds."""
        response = output.response
        if response is None or response.latency <= 0:
            return Skipped("no latency is recorded for this answer")
        return response.latency
