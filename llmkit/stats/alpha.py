"""Krippendorff's alpha of any number of raters, with ratings missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from llmkit.stats.agreement import RESAMPLES, plain
from llmkit.stats.bootstrap import check_resamples
from llmkit.stats.cells import Labels
from llmkit.stats.draws import Draws
from llmkit.stats.matrix import MISSING, Ratings, alike, matches, rating_codes
from llmkit.stats.replicates import replicate
from llmkit.stats.statistic import Statistic

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"
Measurement: TypeAlias = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(
    ratings: Ratings, *, measurement: Measurement = "nominal", scale: Labels | None = None
) -> float | None:
    """Return Krippendorff's alpha: 1 - observed / expected disagreement among raters; None where nothing varies.

    Range to 1, 0 is chance; above .8 is called reliable, below .667 is not. Items with fewer than two ratings do not
    count. Source: Krippendorff (2011), "Computing Krippendorff's alpha-reliability"; equals the program krippendorff.

    Args:
        ratings: One row an item, one column a rater; None (or NaN) where a rating is missing.
        measurement: Whether labels are names, ranks or numbers.
        scale: All labels there are, lowest first; text needs it for "ordinal" and "interval".
    """
    found = _units(ratings, measurement, scale)
    return None if isinstance(found, str) else plain(found(found.draws(None).counts[None, :])[0])


def alpha_agreement(
    ratings: Ratings,
    *,
    measurement: Measurement = "nominal",
    scale: Labels | None = None,
    clusters: Labels | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Statistic:
    """Return `krippendorff_alpha` with its BCa bootstrap interval over items, or over clusters of items.

    ``n`` is the number of items with two ratings or more. (Krippendorff's own bootstrap draws disagreements instead of
    items, which takes ratings of one item for independent.)
    """
    check_resamples(resamples, level)
    units = _units(ratings, measurement, scale)
    if isinstance(units, str):
        return Statistic(None, units)
    draws = units.draws(clusters)
    made = replicate(units, draws, resamples=resamples, seed=seed, level=level, width=units.width)
    found = made.estimate()
    return Statistic(None, "all ratings are the same") if found is None else Statistic(found)


def _units(ratings: Ratings, measurement: Measurement, scale: Labels | None) -> _Units | str:
    codes, frame = rating_codes(ratings, scale)
    if measurement != "nominal" and frame.values is None:
        raise ValueError(f"alpha_{measurement} is undefined: the labels are text without an order; give their scale")
    kept = (codes != MISSING).sum(axis=1) > 1
    if not kept.any():
        return "no item has two ratings"
    return _Units(codes[kept], frame.values, len(frame.labels), measurement, kept)


class _Units:
    """Items of some kinds, for which alpha is a function of how often each kind occurs."""

    def __init__(self, codes: Array, values: Array | None, labels: int, measurement: Measurement, kept: Array) -> None:
        import numpy as np

        self.kept, self.measurement, self.labels = kept, measurement, labels
        self.kinds, rows = alike(np.sort(codes, axis=1))
        unit, _ = np.nonzero(rows != MISSING)
        self.codes = rows[rows != MISSING]
        self.starts = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
        self.sizes = np.bincount(unit).astype(np.float64)
        self.apart = self.sizes - matches(rows) / (self.sizes - 1)
        self.order = np.argsort(self.codes, kind="stable")
        self.unit_of = unit[self.order]
        ordered = self.codes[self.order]
        self.label_starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self.present = ordered[self.label_starts]
        self.values = None if values is None else values - values[self.codes[0]]

    @property
    def width(self) -> int:
        """How many numbers one resample takes."""
        return max(len(self.codes), self.labels)

    def draws(self, clusters: Labels | None) -> Draws:
        """Return the items as rows to draw."""
        import numpy as np

        if clusters is None:
            return Draws(self.kinds, len(self.sizes))
        codes = np.asarray(clusters)
        if codes.shape != self.kept.shape:
            raise ValueError(f"there are {len(self.kept)} items and {len(codes)} cluster codes")
        return Draws(self.kinds, len(self.sizes), codes[self.kept])

    def __call__(self, weights: Array) -> Array:
        """Return alpha of each weighting of the kinds: (m, kinds) -> (m,), NaN where undefined."""
        import numpy as np

        total = weights @ self.sizes
        margin = np.add.reduceat(weights[:, self.unit_of], self.label_starts, axis=1)
        varied = margin.max(axis=1) < (1 - 1e-12) * total
        if self.measurement == "nominal":
            apart = total * total - np.einsum("ij,ij->i", margin, margin)
            within = weights @ self.apart
        elif self.measurement == "interval":
            assert self.values is not None
            values = self.values - self.values[self.present].mean()
            own = values[self.present]
            apart = 2 * (total * (margin @ own**2) - (margin @ own) ** 2)
            within = weights @ self._spread(values[self.codes][None, :])[0]
        else:
            ranks = np.cumsum(margin, axis=1) - margin / 2 - total[:, None] / 2
            apart = 2 * total * np.einsum("ij,ij,ij->i", margin, ranks, ranks)
            place = np.searchsorted(self.present, self.codes)
            within = np.einsum("ij,ij->i", weights, self._spread(ranks[:, place]))
        found = np.full(len(weights), np.nan)
        return np.asarray(1 - np.divide(within * (total - 1), apart, out=found, where=varied & (apart > 0)))

    def _spread(self, values: Array) -> Array:
        """Return for each kind the sum of squared differences over its ordered pairs of ratings, over its size - 1."""
        import numpy as np

        sums = np.add.reduceat(values, self.starts, axis=1)
        middle = values - np.repeat(sums / self.sizes, self.sizes.astype(np.int64), axis=1)
        return np.asarray(2 * self.sizes / (self.sizes - 1) * np.add.reduceat(middle * middle, self.starts, axis=1))
