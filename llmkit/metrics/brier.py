"""Brier score: squared distance of probabilities from what was true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmkit.metrics import MeanMetric, metric
from llmkit.metrics._probabilities import LabelScores
from llmkit.types import Output, Sample, Skipped

_TWO = 2


@metric("brier")
@dataclass(frozen=True)
class Brier(LabelScores, MeanMetric):
    """Mean squared distance of the probabilities from the gold label.

    Formula: the mean over rows of the sum over labels of (p_k - [k is gold])^2, halved where ``scale`` says so: for two
    labels that is (p - [gold is positive])^2. Range 0 to 2, halved 0 to 1; lower is better. Always saying 0.5 of two
    labels scores 0.25 halved.

    Probabilities must lie between 0 and 1 and sum to 1; sums that rounding has moved by up to 0.01 are made 1. Other
    rows are skipped with the reason.

    Use it to rate probabilities as a whole: it rewards being calibrated and being decided. Not for rankings (`pr_auc`)
    nor for scores that are no probabilities; what is over- or underconfident is shown by `ece`.

    Sources: Brier 1950 (doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2); scikit-learn's ``brier_score_loss``
    (``scale`` is its ``scale_by_half``), equal to rounding. HELM and lm-evaluation-harness have ``scale: full``.

    Attributes:
        scale: ``auto`` halves rows of two labels, ``half`` every row, ``full`` none.
    """

    scale: Literal["auto", "half", "full"] = "auto"

    higher_is_better = False
    bounds = (0.0, 2.0)

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return the squared distance of one row."""
        found = self.distribution(sample, output)
        if isinstance(found, Skipped):
            return found
        probabilities, gold = found
        distance = sum((p - (label == gold)) ** 2 for label, p in probabilities.items()) + (gold not in probabilities)
        half = self.scale == "half" or (self.scale == "auto" and len({*probabilities, gold}) == _TWO)
        return distance / 2 if half else distance
