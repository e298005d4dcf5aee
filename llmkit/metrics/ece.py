"""Expected calibration error: is a model that is 80 % sure right in 80 % of the cases?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from llmkit.metrics import metric
from llmkit.metrics._platt import fit, scaled
from llmkit.metrics._reliability import BinnedRows, Bins, binned, expected_error, reliability, rising
from llmkit.types import Table

if TYPE_CHECKING:
    from llmkit.metrics._classes import Floats, Weights

NO_CURVE = (
    "Platt scaling has no curve here: the rows are all right or all wrong, or one confidence parts right from wrong."
)


@metric("ece")
@dataclass(frozen=True)
class Ece(BinnedRows):
    """Expected calibration error: how far confidence and accuracy lie apart.

    Formula: the sum over bins of (rows in the bin / rows) |mean confidence - accuracy|. Range 0 to 1, lower is better.
    One bin compares the mean confidence with the accuracy. The details have the reliability diagram as a table, and
    the error after Platt scaling: p becomes 1 / (1 + exp(-(a ln(p / (1 - p)) + b))), a and b fitted on the same rows.

    The estimate is above 0 by chance alone, the more so the fewer the rows: below about 300 the details warn, and the
    interval, the basic bootstrap's, reaches further down than up. Other bins give another value; compare only equal
    ones (they are in the signature).

    Use it to see whether confidences can be taken at their word, as thresholds and hand-overs to people need. Not
    alone: always saying the base rate is perfectly calibrated and useless; look at `brier` or `selective_accuracy` too.

    Sources: Naeini et al. 2015 (AAAI) and Guo et al. 2017 (arXiv 1706.04599): ``edges: width``; HELM (Liang et al.
    2022, arXiv 2211.09110) with the program uncertainty-calibration 0.1.4: ``edges: mass`` is its ``get_ece_em``, and
    ``bins: 1`` HELM's ece_1_bin; all equal to rounding. HELM reports 0 where Platt scaling has no curve; here is none.

    Attributes:
        scale: ``platt``: the error after Platt scaling of the confidences.
    """

    scale: Literal["none", "platt"] = "none"

    def of_bins(self, found: Bins) -> Floats:
        """Return the expected error, shape (m,)."""
        return expected_error(found)

    def value_many(self, table: Table, weights: Weights) -> Floats:
        """Return the values of m resamples, shape (m,), nan where undefined; ``weights`` (m, n) counts each row."""
        import numpy as np

        if self.scale == "none":
            return super().value_many(table, weights)
        sure, right, order = rising(table)
        drawn = np.asarray(weights, dtype=np.float64)[:, order]
        return np.array([self._after(sure, right, row) for row in drawn])

    def _after(self, sure: Floats, right: Floats, weights: Floats, bins: int = 0) -> float:
        """Return the error of rescaled confidences, the curve fitted on the same rows; nan where there is no curve."""
        import numpy as np

        curve = fit(sure, right, weights)
        if curve is None:
            return float("nan")
        made = scaled(sure, curve)
        order = np.argsort(made, kind="stable")
        found = binned(made[order], right[order], weights[None, order], bins or self.bins, self.edges)
        return float(expected_error(found)[0])

    def details(self, table: Table) -> dict[str, Any]:
        """Return the reliability diagram, and what Platt scaling makes of the error; plain JSON."""
        import numpy as np

        found = super().details(table)
        sure, right, _ = rising(table)
        ones = np.ones(len(sure))
        curve = fit(sure, right, ones)
        if curve is None:
            found["notes"] = [*found.get("notes", ()), NO_CURVE]
            if self.scale == "platt":
                found["no_value"] = NO_CURVE[0].lower() + NO_CURVE[1:-1]
            return found
        rows = []
        for bins in dict.fromkeys((self.bins, 1)):
            plain = float(expected_error(binned(sure, right, ones[None], bins, self.edges))[0])
            after = self._after(sure, right, ones, bins)
            rows.append([f"ece of {bins} bin{'s' if bins > 1 else ''}", plain, after, curve.slope, curve.intercept])
        columns = ["", "as given", "after Platt scaling", "slope", "intercept"]
        found["tables"].append({"title": "Platt scaling, fitted on these rows", "columns": columns, "rows": rows})
        if self.scale == "platt":
            made = scaled(sure, curve)
            order = np.argsort(made, kind="stable")
            after_table = reliability(made[order], right[order], self.bins, self.edges, self.of)
            found["tables"].append({**after_table, "title": "Reliability after Platt scaling"})
        return found
