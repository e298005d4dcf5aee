"""The values of resamples, and the intervals that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.bca import bca, jackknife
from llmkit.stats.draws import Draws
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True, slots=True)
class Replicates:
    """Values of any shape of all rows, of each resample, and without some rows.

    Attributes:
        draws: What was drawn.
        level: Of the intervals.
        point: The values of all rows; NaN where undefined.
        many: Shape (resamples, *shape).
        left_out: Shape (units or groups of them, *shape).
        times: How many units each of ``left_out`` stands for.
    """

    draws: Draws
    level: float
    point: Array
    many: Array
    left_out: Array
    times: Array

    def estimate(self, *place: int) -> Estimate | None:
        """Return one of the values with its interval, None where it is undefined."""
        value = float(self.point[place])
        if isnan(value):
            return None
        column: Any = (slice(None), *place)
        if self.draws.too_many and self.draws.units > 1:
            without, unit = self.left_out[column], self.draws.unit
            return jackknife(value, without, n=len(self.draws.kinds), unit=unit, level=self.level)
        return bca(
            value,
            self.many[column],
            left_out=(self.left_out[column], self.times),
            n=len(self.draws.kinds),
            units=self.draws.units,
            unit=self.draws.unit,
            level=self.level,
        )


def replicate(
    value: Callable[[Array], Array], draws: Draws, *, resamples: int, seed: int, level: float, width: int = 0
) -> Replicates:
    """Evaluate ``value``, (m, kinds) -> (m, *shape), on all rows, on resamples, and without some rows.

    With more than `llmkit.stats.draws.MANY_DIFFERENT` different rows there are no resamples, and intervals are those of
    a jackknife.

    Args:
        value: A function of how often each kind of row occurs; NaN where undefined.
        draws: The rows.
        resamples: How many.
        seed: Of the resampling.
        level: Of the intervals.
        width: How many numbers one resample takes, if more than kinds and units.
    """
    import numpy as np

    point = value(draws.counts[None, :])
    if draws.units == 1 or np.isnan(point).all():
        return Replicates(draws, level, point[0], point[:0], point[:0], np.empty(0))
    many = point[:0]
    if not draws.too_many:
        many = np.concatenate([value(drawn) for drawn in draws.resamples(resamples, seed, width)])
    parts = [(value(drawn), times) for drawn, times in draws.without_some(seed, width)]
    left_out, times = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Replicates(draws, level, point[0], many, left_out, times)
