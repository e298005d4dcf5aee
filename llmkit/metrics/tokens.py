"""Tokens: how many did the answer take?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from llmkit.metrics import MeanMetric, metric
from llmkit.types import Output, Sample, Skipped


@metric("tokens")
@dataclass(frozen=True)
class Tokens(MeanMetric):
    """Mean number of tokens per answer, as the server counted them.

    Formula: the mean over answers of the prompt's tokens (``in``), the completion's (``out``) or both (``total``), over
    all turns of a conversation. Range 0 or more, lower is better. Skipped where the server did not say. An answer from
    the response cache keeps its counts.

    Use it to see where a cost comes from. Not to compare models of different families, whose servers count with
    tokenizers of their own (`length`).

    Source: the usage that the server reports.

    Attributes:
        count: ``out``, ``in`` or ``total``.
    """

    count: Literal["out", "in", "total"] = "out"

    higher_is_better = False
    unit = "tokens"
    asks = ("answer", "references", "choices")
    bounds = (0.0, math.inf)

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return the number of tokens."""
        response = output.response
        if response is None:
            return Skipped("no token counts are recorded for this answer")
        parts = {
            "out": (response.tokens_out,),
            "in": (response.tokens_in,),
            "total": (response.tokens_in, response.tokens_out),
        }[self.count]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return Skipped("the server did not say how many tokens this answer took")
        return float(sum(known))
