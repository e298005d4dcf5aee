"""Recall at precision: how much does a list find that is clean enough?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmkit.errors import Problem
from llmkit.metrics import metric
from llmkit.metrics._curves import OnePositive, counts_at, ranked
from llmkit.types import Table

if TYPE_CHECKING:
    from llmkit.metrics._classes import Floats
    from llmkit.metrics._curves import Counts


@dataclass(frozen=True)
class AtPrecision:
    """The precision that must be held.

    Attributes:
        precision: Share of the taken rows that must be positive, above 0.
    """

    precision: float = 0.9


@metric("recall_at_precision")
@dataclass(frozen=True)
class RecallAtPrecision(OnePositive, AtPrecision):
    """Best recall of a threshold whose precision is at least ``precision``.

    Formula: the greatest recall over all thresholds t with precision(t) >= ``precision``, where rows that score at
    least t are taken. Range 0 to 1, higher is better. The details name the threshold. Where none is that precise
    nothing can be taken: the value is 0, and the details say so.

    The threshold is chosen on the rows it is rated on: on new rows expect less. There is no value where every row is
    positive or none is.

    Use it where a false alarm is what must not happen: automatic refusals, alerts that wake people. Not to compare two
    scores over all thresholds: that is `pr_auc`.

    Source: scikit-learn's ``precision_recall_curve``, max(recall[precision >= p]), equal to rounding.
    """

    def problems(self) -> list[Problem]:
        """Return what does not fit together in the fields."""
        fits = 0 < self.precision <= 1
        wrong = [] if fits else [Problem(f"precision must be above 0 and at most 1, not {self.precision:g}")]
        return [*super().problems(), *wrong]

    def of_counts(self, counts: Counts) -> Floats:
        """Return the recall, shape (m,)."""
        import numpy as np

        best: Floats = np.where(counts.precision >= self.precision, counts.recall, 0.0).max(axis=1)
        return best

    def details(self, table: Table) -> dict[str, Any]:
        """Return the threshold with its precision and recall, or that there is none; plain JSON."""
        import numpy as np

        found = super().details(table)
        if "no_value" in found:
            return found
        gold, scores = (np.asarray(column) for column in table.columns)
        counts = ranked(scores, gold, np.ones((1, len(gold))))
        recall = np.where(counts.precision[0] >= self.precision, counts.recall[0], 0.0)
        if recall.any():
            found["tables"].append(counts_at(counts, int(np.argmax(recall))))
        else:
            note = f"No threshold reaches a precision of {self.precision:g}, so nothing can be taken."
            found["notes"] = [*found.get("notes", ()), note]
        return found
