"""Log loss: how surprised are the probabilities by what was true?"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from llmkit.metrics import MeanMetric, metric
from llmkit.metrics._probabilities import LabelScores
from llmkit.types import Output, Sample, Skipped

_LEAST = sys.float_info.epsilon


@metric("log_loss")
@dataclass(frozen=True)
class LogLoss(LabelScores, MeanMetric):
    """Mean negative log of the gold label's probability: cross-entropy.

    Formula: the mean over rows of -ln p(gold), p kept between 2.2e-16 and 1 - 2.2e-16. Range 0 to 36.04, lower is
    better; always saying 0.5 of two labels scores ln 2 = 0.693.

    Probabilities must lie between 0 and 1 and sum to 1; sums that rounding has moved by up to 0.01 are made 1. Other
    rows are skipped with the reason. A label that is not among a token's alternatives has probability 0, and so a loss
    of 36: ask for enough of them.

    Use it to rate probabilities where a sure mistake must cost most. Not where probabilities of exactly 0 or 1 occur in
    passing, because one such mistake outweighs all other rows: `brier` is bounded.

    Sources: Good 1952 (doi 10.1111/j.2517-6161.1952.tb00104.x); scikit-learn's ``log_loss``, equal to rounding.
    """

    higher_is_better = False
    bounds = (0.0, -math.log(_LEAST))

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return the loss of one row."""
        found = self.distribution(sample, output)
        if isinstance(found, Skipped):
            return found
        probabilities, gold = found
        return -math.log(min(max(probabilities.get(gold, 0.0), _LEAST), 1 - _LEAST))
