"""ROC-AUC: how often a score puts a positive row above a negative one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmkit.metrics import metric
from llmkit.metrics._curves import OneVersusRest

if TYPE_CHECKING:
    from llmkit.metrics._classes import Floats
    from llmkit.metrics._curves import Counts


@metric("roc_auc")
@dataclass(frozen=True)
class RocAuc(OneVersusRest):
    """Area under the ROC curve: the chance that a positive row scores above a negative one.

    Formula: pairs of a positive and a negative row of which the positive scores higher, equal scores counting half,
    divided by all such pairs (Mann-Whitney's U). With ``labels`` and no ``positive``, the mean over the labels that
    occur as gold, each against the rest. Range 0 to 1, higher is better; 0.5 is a random or a constant score.

    There is no value where every row is positive or none is, and a label that no row has is left out of the mean.

    Use it for how well a score ranks, whatever the threshold and the share of positive rows. Not alone where positive
    rows are rare: there a fine value can hide poor precision (`pr_auc`).

    Sources: scikit-learn's ``roc_auc_score``, equal to rounding (over labels ``multi_class="ovr", average="macro"``);
    Hanley and McNeil 1982 (doi 10.1148/radiology.143.1.7063747).
    """

    def of_counts(self, counts: Counts) -> Floats:
        """Return the area, shape (m,)."""
        import numpy as np

        negative = counts.rows - counts.positive
        below = np.diff(negative, axis=1, prepend=0.0)
        before = np.hstack([np.zeros((len(below), 1)), counts.positive[:, :-1]])
        pairs = np.maximum(counts.positive[:, -1] * negative[:, -1], 1.0)
        values: Floats = np.einsum("mg,mg->m", below, (before + counts.positive) / 2) / pairs
        return values
