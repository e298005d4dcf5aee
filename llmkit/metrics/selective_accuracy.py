"""Selective accuracy: how right are the answers that a model is surest of?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmkit.errors import Problem
from llmkit.metrics import metric
from llmkit.metrics._confidences import ConfidenceRows
from llmkit.types import Table

if TYPE_CHECKING:
    from llmkit.metrics._classes import Floats, Weights

_SHOWN = (0.1, 0.2, 0.5, 0.8)


@dataclass(frozen=True)
class CoverageField:
    """How many of the rows are answered.

    Attributes:
        coverage: Share of the rows that are answered, the surest first; null: the mean over all shares.
    """

    coverage: float | None = None


@metric("selective_accuracy")
@dataclass(frozen=True)
class SelectiveAccuracy(ConfidenceRows, CoverageField):
    """Accuracy of the rows with the greatest confidence.

    Formula: with a_k the accuracy of the k surest of n rows, the mean of a_1 to a_n, the area under the curve of
    accuracy over coverage; with ``coverage`` c, a_k at k = floor(c n) + 1 (at most n). Range 0 to 1, higher is better;
    confidences that say nothing give the plain accuracy, which is a_n.

    Among rows of equal confidence no order is better than another: a_k is then its mean over all of their orders (the
    source takes whichever order its sort leaves).

    Use it for systems that may decline to answer or hand over to a person: how good is what they keep? Not for whether
    confidences are right as numbers: any rising function of them gives the same value; that is `ece`.

    Sources: El-Yaniv and Wiener 2010 (JMLR 11:1605); HELM's selective_cov_acc_area and, with ``coverage: 0.1``,
    selective_acc@10 (Liang et al. 2022, arXiv 2211.09110; uncertainty-calibration 0.1.4, ``get_selective_stats``),
    equal to rounding where no confidences are equal.
    """

    def problems(self) -> Sequence[Problem]:
        """Return what does not fit together in the fields."""
        fits = self.coverage is None or 0 <= self.coverage <= 1
        wrong = [] if fits else [Problem(f"coverage must be between 0 and 1, or null, not {self.coverage:g}")]
        return [*super().problems(), *wrong]

    def value_many(self, table: Table, weights: Weights) -> Floats:
        """Return the values of m resamples, shape (m,), nan where undefined; ``weights`` (m, n) counts each row."""
        import numpy as np

        ends, rights = _surest(table, weights)
        total = ends[:, -1]
        if self.coverage is not None:
            return accuracy_at(self.coverage, ends, rights)
        # Over a group of s tied rows, r of them right, that follow a rows, R of them right, the sum of
        # (R + t r/s) / (a + t) for t = 1..s is r + (R - a r/s) (H(a + s) - H(a)), H being harmonic numbers.
        harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, int(total.max()) + 1))])
        starts = np.hstack([np.zeros((len(ends), 1), dtype=np.int64), ends[:, :-1]])
        before = np.hstack([np.zeros((len(ends), 1)), rights[:, :-1]])
        size, gained = ends - starts, rights - before
        rate = np.divide(gained, size, out=np.zeros_like(gained), where=size > 0)
        sums = gained + (before - starts * rate) * (harmonic[ends] - harmonic[starts])
        area: Floats = np.divide(sums.sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0)
        return area

    def value_of(self, table: Table) -> float | None:
        """Return the value of all rows."""
        import numpy as np

        rows = len(table.columns[0]) if table.columns else 0
        return float(self.value_many(table, np.ones((1, rows)))[0]) if rows else None

    def details(self, table: Table) -> dict[str, Any]:
        """Return the accuracy at several coverages; plain JSON."""
        import numpy as np

        ends, rights = _surest(table, np.ones((1, len(table.columns[0]))))
        rows = [[f"{share:.0%}", float(accuracy_at(share, ends, rights)[0])] for share in (*_SHOWN, 1.0)]
        found: dict[str, Any] = {
            "tables": [{"title": "", "columns": ["surest rows", "accuracy"], "rows": rows}],
        }
        if ends.shape[1] == 1:
            found["notes"] = ["Every row has the same confidence: it sets no row apart."]
        return found


def _surest(table: Table, weights: Weights) -> tuple[Any, Floats]:
    """Return rows and right rows among the surest, cumulated over falling confidence; equal ones count together."""
    import numpy as np

    from llmkit.metrics._curves import ranked

    counts = ranked(np.asarray(table.columns[0]), np.asarray(table.columns[1]), weights)
    return counts.rows.astype(np.int64), counts.positive


def accuracy_at(coverage: float, ends: Any, rights: Floats) -> Floats:
    """Return the accuracy of the surest floor(coverage * n) + 1 rows of each resample, shape (m,); nan without rows."""
    import numpy as np

    found = np.full(len(ends), np.nan)
    for number, (end, right) in enumerate(zip(ends, rights, strict=True)):
        total = int(end[-1])
        if total:
            taken = min(math.floor(round(coverage * total, 9)) + 1, total)
            place = int(np.searchsorted(end, taken))
            start, before = (int(end[place - 1]), right[place - 1]) if place else (0, 0.0)
            rate = (right[place] - before) / (int(end[place]) - start)
            found[number] = (before + (taken - start) * rate) / taken
    return found
