"""Bins of confidence, of many resamples at once; Platt scaling; the reliability diagram as a table."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from llmkit.errors import Problem
from llmkit.metrics._confidences import NOT_A_PROBABILITY, ConfidenceRows
from llmkit.types import Output, Sample, Skipped, Table

if TYPE_CHECKING:
    from llmkit.metrics._classes import Floats, Ints, Weights

Edges = Literal["mass", "width"]

FEW = 300
"""With fewer rows a calibration error says more about chance than about the model."""

_BAR = 20


class Bins(NamedTuple):
    """B bins of m resamples, shape (m, B) each.

    Attributes:
        excess: Sum of confidence minus right over the rows of the bin.
        rows: How many rows it has.
        ends: Where it ends among the rows sorted by confidence.
    """

    excess: Floats
    rows: Floats
    ends: Ints


def binned(sure: Floats, right: Floats, weights: Weights, bins: int, edges: Edges) -> Bins:
    """Put rows into bins by confidence; a bin holds its upper edge and not its lower one.

    Args:
        sure: Confidences, rising, shape (n,).
        right: 1 or 0 for each, shape (n,).
        weights: How often each resample holds each row, shape (m, n).
        bins: How many; fewer than that hold rows where there are few rows, or many equal ones.
        edges: ``width``: bins of equal width from 0 to 1. ``mass``: of equally many rows, as far as equal confidences
            allow, which are never parted.
    """
    import numpy as np

    before = np.zeros((len(weights), 1))
    rows = np.hstack([before, np.cumsum(weights, axis=1, dtype=np.float64)])
    excess = np.hstack([before, np.cumsum(weights * (sure - right), axis=1)])
    if edges == "width":
        uppers = np.arange(1, bins) * 1.0 / bins
        ends = np.broadcast_to(np.searchsorted(sure, uppers, side="right"), (len(weights), bins - 1))
    else:
        ends = np.stack([_equal_mass(sure, cumulated, bins) for cumulated in rows[:, 1:]])
    ends = np.hstack([ends, np.full((len(weights), 1), len(sure))])
    of_bins = [np.diff(np.take_along_axis(sums, ends, axis=1), axis=1, prepend=0.0) for sums in (excess, rows)]
    return Bins(of_bins[0], of_bins[1], ends)


def _equal_mass(sure: Floats, cumulated: Floats, bins: int) -> Ints:
    """Return where all bins but the last end: midway between neighbours in equal parts (the first ones one longer)."""
    import numpy as np

    total = int(cumulated[-1])
    parts = min(bins, max(total, 1))
    number = np.arange(1, parts)
    size, longer = divmod(total, parts)
    starts = number * size + np.minimum(number, longer)
    last, first = np.searchsorted(cumulated, [starts - 1, starts], side="right")
    ends = np.full(bins - 1, len(sure))
    ends[: parts - 1] = np.searchsorted(sure, (sure[last] + sure[first]) / 2.0, side="right")
    return ends


def expected_error(found: Bins) -> Floats:
    """Return the mean over rows of |mean confidence - accuracy| of their bin, shape (m,); nan without rows."""
    import numpy as np

    total = found.rows.sum(axis=1)
    mean: Floats = np.divide(np.abs(found.excess).sum(axis=1), total, out=np.full_like(total, np.nan), where=total > 0)
    return mean


def greatest_error(found: Bins) -> Floats:
    """Return the greatest |mean confidence - accuracy| of a bin, shape (m,); nan without rows."""
    import numpy as np

    errors = np.divide(np.abs(found.excess), found.rows, out=np.full_like(found.rows, -1.0), where=found.rows > 0)
    most = errors.max(axis=1)
    return np.where(most < 0, np.nan, most)


@dataclass(frozen=True)
class BinFields:
    """How confidences are put into bins.

    Attributes:
        bins: How many bins.
        edges: ``mass``: bins of equally many rows (equal confidences are never parted). ``width``: bins of equal width
            between 0 and 1.
        of: ``answer``: confidence in the answer given, against whether it is right. ``positive``: probability of the
            positive label, against whether it is the gold one.
    """

    bins: int = 10
    edges: Edges = "mass"
    of: Literal["answer", "positive"] = "answer"


@dataclass(frozen=True)
class BinnedRows(ConfidenceRows, BinFields):
    """A calibration error over bins."""

    higher_is_better = False
    # Chance moves these errors up, and resampling once more; see `llmkit.stats.bootstrap`.
    interval: ClassVar[str] = "basic"

    def problems(self) -> Sequence[Problem]:
        """Return what does not fit together in the fields."""
        found = list(super().problems())
        if self.bins < 1:
            found.append(Problem(f"bins must be at least 1, not {self.bins}"))
        if self.of == "positive" and self.source == "likelihood":
            found.append(Problem("of=positive has no meaning for source=likelihood: it rates the answer given"))
        return found

    def stats(self, sample: Sample, output: Output) -> tuple[float, float] | Skipped:
        """Return the confidence, and 1 or 0 for what it is compared with."""
        if self.of == "answer":
            return self.confidence(sample, output)
        found = self.gold_and_score(sample, output)
        if isinstance(found, Skipped):
            return found
        gold, probability = found
        return (probability, gold) if 0 <= probability <= 1 else NOT_A_PROBABILITY

    @abstractmethod
    def of_bins(self, found: Bins) -> Floats:
        """Return the value of each resample, shape (m,)."""

    def value_many(self, table: Table, weights: Weights) -> Floats:
        """Return the values of m resamples, shape (m,), nan where undefined; ``weights`` (m, n) counts each row."""
        sure, right, order = rising(table)
        return self.of_bins(binned(sure, right, weights[:, order], self.bins, self.edges))

    def value_of(self, table: Table) -> float | None:
        """Return the value of all rows, or None where it is undefined."""
        import numpy as np

        rows = len(table.columns[0]) if table.columns else 0
        value = float(self.value_many(table, np.ones((1, rows)))[0]) if rows else float("nan")
        return None if np.isnan(value) else value

    def details(self, table: Table) -> dict[str, Any]:
        """Return the reliability diagram as a table, and a warning where rows are few; plain JSON."""
        sure, right, _ = rising(table)
        found: dict[str, Any] = {"tables": [reliability(sure, right, self.bins, self.edges, self.of)]}
        if len(sure) < FEW:
            few = f"With fewer than about {FEW} rows (here {len(sure)}) a calibration error is mostly chance"
            found["notes"] = [f"{few}, and above 0 even where the confidences are right."]
        return found


def rising(table: Table) -> tuple[Floats, Floats, Ints]:
    """Return confidences in rising order, what they are compared with, and the order."""
    import numpy as np

    sure, right = (np.asarray(column, dtype=np.float64) for column in table.columns)
    order = np.argsort(sure, kind="stable")
    return sure[order], right[order], order


def reliability(sure: Floats, right: Floats, bins: int, edges: Edges, of: str) -> dict[str, Any]:
    """Return the reliability diagram as a table, a row for each bin that holds rows.

    The bar is as long as the share that is right; the mark on it stands at the mean confidence. Underconfident bins
    have the mark inside the bar, overconfident ones beyond it.
    """
    import numpy as np

    found = binned(sure, right, np.ones((1, len(sure))), bins, edges)
    ends = found.ends[0].tolist()
    rows = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        if end > start:
            mean, share = float(sure[start:end].mean()), float(right[start:end].mean())
            spread = f"{sure[start]:.3f} to {sure[end - 1]:.3f}"
            rows.append([spread, end - start, mean, share, mean - share, _bar(share, mean)])
    compared = "accuracy" if of == "answer" else "share positive"
    columns = ["confidence", "rows", "mean", compared, "mean - " + compared, f"bar: {compared}, ┃: mean"]
    return {"title": "Reliability", "columns": columns, "rows": rows}


def _bar(share: float, mean: float) -> str:
    filled, mark = round(share * _BAR), min(round(mean * _BAR), _BAR - 1)
    cells = ["█" if place < filled else "░" for place in range(_BAR)]
    cells[mark] = "┃"
    return "".join(cells)
