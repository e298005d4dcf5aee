"""Confusion: which label is taken for which?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmkit.metrics import metric
from llmkit.metrics._classes import LabelRows
from llmkit.types import Table

if TYPE_CHECKING:
    from llmkit.metrics._classes import Floats, Weights


@metric("confusion")
@dataclass(frozen=True)
class Confusion(LabelRows):
    """Confusion matrix of class labels; its value is accuracy.

    Formula: right rows / rows. Range 0 to 1, higher is better. The matrix is in the summary under ``details``: a row
    for each gold label, a column for each predicted one, and "(other)" for outputs that name no known label; with
    precision, recall, F1 and support of every class. More than 100 classes have no matrix.

    Use it to see what goes wrong. Not for a number alone: take `accuracy`, `f1` or `mcc`. Labels are read as `accuracy`
    does.

    Source: scikit-learn's ``confusion_matrix`` (rows gold, columns predicted).

    Attributes:
        labels: The known labels; empty means the choices of the row, or else the gold labels that occur.
        extract: ``exact``: the whole output is a label; ``first`` or ``last``: the known label found in it.
        normalise: Named normalisations before labels are compared.
    """

    def sample_value(self, stats: Sequence[float | str]) -> float | None:
        """Return 1 where the labels agree, else 0."""
        return float(stats[0] == stats[1])

    def value_many(self, table: Table, weights: Weights) -> Floats:
        """Return the accuracy of m resamples, shape (m,); ``weights`` (m, n) counts each row."""
        import numpy as np

        from llmkit.metrics._classes import pair_codes

        _, gold, predicted = pair_codes(table)
        total = weights.sum(axis=1, dtype=np.float64)
        right = weights[:, gold == predicted].sum(axis=1, dtype=np.float64)
        values: Floats = np.divide(right, total, out=np.full(len(total), np.nan), where=total > 0)
        return values
