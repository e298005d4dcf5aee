"""Precision of class labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmkit.metrics import metric
from llmkit.metrics._classes import AveragedRows, ClassCounts

if TYPE_CHECKING:
    from llmkit.metrics._classes import Floats


@metric("precision")
@dataclass(frozen=True)
class Precision(AveragedRows):
    """Precision: of what is predicted to be of a class, the share that is.

    Formula: right / predicted in each class, averaged over classes. Range 0 to 1, higher is better.

    Averaged are the known labels that occur in the rows as gold or predicted. An output that names no known label is
    predicted "(other)": wrong, shown in the details, never a class of its own. 0 / 0 within a class is 0, as
    scikit-learn's ``zero_division=0``; ``binary`` has no value where the positive label does not occur at all.

    Use it where a false alarm is costly. Not alone: predicting a class once, surely, gives 1. Look at `recall` too. The
    precision of a retriever is `precision_at`.

    Source: scikit-learn's ``precision_score(..., labels=the known ones, zero_division=0)``, equal to rounding.

    Attributes:
        average: ``macro``: the mean over classes; ``micro``: of the totals over classes; ``weighted``: the mean
            weighted by the classes' numbers of rows; ``binary``: the class ``positive`` alone.
        positive: The positive label of ``average: binary``.
        labels: The known labels; empty means the choices of the row, or else the gold labels that occur.
        extract: ``exact``: the whole output is a label; ``first`` or ``last``: the known label found in it.
        normalise: Named normalisations before labels are compared.
    """

    def parts(self, counts: ClassCounts) -> tuple[Floats, Floats]:
        """Return right and predicted rows of each class."""
        return counts.right, counts.predicted
