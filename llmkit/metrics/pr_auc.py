"""PR-AUC: average precision of a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmkit.metrics import metric
from llmkit.metrics._curves import OneVersusRest

if TYPE_CHECKING:
    from llmkit.metrics._classes import Floats
    from llmkit.metrics._curves import Counts


@metric("pr_auc")
@dataclass(frozen=True)
class PrAuc(OneVersusRest):
    """Area under the precision-recall curve: average precision.

    Formula: the sum over falling thresholds of (R_i - R_(i-1)) P_i, with P_i precision and R_i recall of the rows that
    score at least the i-th different score; the curve is a staircase, nothing is interpolated. With ``labels`` and no
    ``positive``, the mean over the labels that occur as gold, each against the rest. Range 0 to 1, higher is better; a
    random score has the share of positive rows, which the details show.

    Rows with equal scores share a threshold, so their order does not matter. There is no value where every row is
    positive or none is (scikit-learn returns 1 and 0), and a label that no row has is left out of the mean.

    Use it where positive rows are rare and finding them is what matters: defects, abuse, relevant passages. Not to
    compare sets with other shares of positive rows: the value of a random score moves with it; `roc_auc` does not.

    Source: scikit-learn's ``average_precision_score``, equal to rounding (over labels ``average="macro"``).
    """

    def of_counts(self, counts: Counts) -> Floats:
        """Return the average precision, shape (m,)."""
        import numpy as np

        gained = np.diff(counts.positive, axis=1, prepend=0.0)
        total = np.maximum(counts.positive[:, -1], 1.0)
        values: Floats = np.einsum("mg,mg->m", gained, counts.precision) / total
        return values
