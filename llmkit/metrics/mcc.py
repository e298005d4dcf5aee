"""Matthews correlation of class labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmkit.metrics import metric
from llmkit.metrics._classes import LabelRows, pair_codes, sums_by
from llmkit.types import Table

if TYPE_CHECKING:
    from llmkit.metrics._classes import Floats, Weights


@metric("mcc")
@dataclass(frozen=True)
class Mcc(LabelRows):
    """Matthews correlation: agreement of predicted and gold labels beyond chance.

    Formula: with n rows, c right ones, t_k gold and p_k predicted rows of class k,
    (c n - sum t_k p_k) / sqrt((n^2 - sum p_k^2) (n^2 - sum t_k^2)). Range -1 to 1, higher is better, 0 is chance.

    Predicting one label always gives 0. Where all rows have one gold label there is no correlation, and no value
    (scikit-learn returns 0). Outputs that name no known label count as one more class, "(other)"; without known
    labels, each differing output is a class of its own, as in scikit-learn.

    Use it for classes of unequal size, as one number in place of a confusion matrix. Not with few rows: it swings.

    Sources: Gorodkin 2004 (doi 10.1016/j.compbiolchem.2004.09.006); scikit-learn's ``matthews_corrcoef``.

    Attributes:
        labels: The known labels; empty means the choices of the row, or else the gold labels that occur.
        extract: ``exact``: the whole output is a label; ``first`` or ``last``: the known label found in it.
        normalise: Named normalisations before labels are compared.
    """

    bounds = (-1.0, 1.0)

    def value_many(self, table: Table, weights: Weights) -> Floats:
        """Return the values of m resamples, shape (m,), nan where undefined; ``weights`` (m, n) counts each row."""
        import numpy as np

        names, gold, predicted = pair_codes(table)
        in_gold = sums_by(weights, gold, len(names))
        in_predicted = sums_by(weights, predicted, len(names))
        right = weights[:, gold == predicted].sum(axis=1, dtype=np.float64)
        total = weights.sum(axis=1, dtype=np.float64)
        shared = right * total - (in_gold * in_predicted).sum(axis=1)
        of_gold = total**2 - (in_gold**2).sum(axis=1)
        of_predicted = total**2 - (in_predicted**2).sum(axis=1)
        scale = np.sqrt(of_gold * of_predicted)
        values = np.divide(shared, scale, out=np.zeros_like(scale), where=scale > 0)
        return np.where(of_gold > 0, values, np.nan)
