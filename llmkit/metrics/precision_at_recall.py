"""Precision at recall: how clean is the list that finds enough?"""

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
class AtRecall:
    """The recall that must be reached.

    Attributes:
        recall: Share of the positive rows that must be found, above 0.
    """

    recall: float = 0.9


@metric("precision_at_recall")
@dataclass(frozen=True)
class PrecisionAtRecall(OnePositive, AtRecall):
    """Best precision of a threshold that finds at least the share ``recall`` of the positive rows.

    Formula: the greatest precision over all thresholds t with recall(t) >= ``recall``, where rows that score at least t
    are taken. Range 0 to 1, higher is better. The details name the threshold.

    The threshold is chosen on the rows it is rated on: on new rows expect less. There is no value where every row is
    positive or none is.

    Use it where missing a positive row is what must not happen: screening, moderation. Not to compare two scores over
    all thresholds: that is `pr_auc`.

    Source: scikit-learn's ``precision_recall_curve``, max(precision[recall >= r]), equal to rounding.
    """

    def problems(self) -> list[Problem]:
        """Return what does not fit together in the fields."""
        wrong = [] if 0 < self.recall <= 1 else [Problem(f"recall must be above 0 and at most 1, not {self.recall:g}")]
        return [*super().problems(), *wrong]

    def of_counts(self, counts: Counts) -> Floats:
        """Return the precision, shape (m,)."""
        import numpy as np

        best: Floats = np.where(counts.recall >= self.recall, counts.precision, 0.0).max(axis=1)
        return best

    def details(self, table: Table) -> dict[str, Any]:
        """Return the threshold with its precision and recall, beside the counts; plain JSON."""
        import numpy as np

        found = super().details(table)
        if "no_value" not in found:
            gold, scores = (np.asarray(column) for column in table.columns)
            counts = ranked(scores, gold, np.ones((1, len(gold))))
            place = int(np.argmax(np.where(counts.recall[0] >= self.recall, counts.precision[0], -1.0)))
            found["tables"].append(counts_at(counts, place))
        return found
