"""Which labels a judge gives for which human labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmkit.stats.cells import Labels, pair_up
from llmkit.stats.intervals import mean_estimate
from llmkit.types import Estimate


@dataclass(frozen=True, slots=True)
class LabelRates:
    """How well a judge finds one label.

    Attributes:
        label: The label, as given (a number is a float).
        humans: Rows that people gave it to.
        judged: Rows that the judge gave it to.
        sensitivity: Of the rows that people gave it to, the share to which the judge gives it; None for no rows.
        specificity: Of the other rows, the share to which the judge does not give it; None for no rows.
        precision: Of the rows that the judge gave it to, the share where people agree; None for no rows.
    """

    label: Any
    humans: int
    judged: int
    sensitivity: Estimate | None
    specificity: Estimate | None
    precision: Estimate | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """A table of a judge's labels against people's.

    Attributes:
        labels: All labels, in order.
        counts: One row a human label, one column a judge's label, in the order of ``labels``.
        rates: One entry a label.
    """

    labels: tuple[Any, ...]
    counts: tuple[tuple[int, ...], ...]
    rates: tuple[LabelRates, ...]


def confusion_table(
    judge: Labels, human: Labels, *, scale: Labels | None = None, clusters: Labels | None = None, level: float = 0.95
) -> Confusion:
    """Return the confusion table, with each label's sensitivity, specificity and precision.

    Intervals are Wilson's, or Student's over clusters (`llmkit.stats.mean_estimate`). The table equals scikit-learn's
    ``confusion_matrix(human, judge)``.

    Args:
        judge: Labels of n >= 1 rows, all text or all numbers.
        human: Likewise, of the same rows.
        scale: All labels there are, in the order wanted; None for those that occur, sorted.
        clusters: Shape (n,): rows with one code are not independent.
        level: Of the intervals.
    """
    import numpy as np

    cells, rows = pair_up(judge, human, scale)
    size = len(cells.labels)
    x, y = cells.x[rows], cells.y[rows]
    counts = np.bincount(y * size + x, minlength=size * size).reshape(size, size)
    codes = None if clusters is None else np.asarray(clusters)

    def share(of: Any, hits: Any) -> Estimate | None:
        if not of.any():
            return None
        inner = None if codes is None else codes[of]
        return mean_estimate(hits[of].astype(float), binary=True, clusters=inner, level=level)

    labels = cells.labels.tolist()
    rates = tuple(
        LabelRates(
            label,
            int(counts[code].sum()),
            int(counts[:, code].sum()),
            share(y == code, x == code),
            share(y != code, x != code),
            share(x == code, y == code),
        )
        for code, label in enumerate(labels)
    )
    return Confusion(tuple(labels), tuple(tuple(row) for row in counts.tolist()), rates)
