"""How far the highest of several means over the same rows lies above the lowest, and how far that can be trusted.

The highest less the lowest is above 0 by chance alone, in the rows and in every resample of them, so a bootstrap's
interval would leave 0 out even where the means are equal. Here each pair of means is compared row by row
(`llmkit.stats.paired_difference`), at a level that makes all these intervals hold together (Bonferroni); where they do,
the true spread is at least the largest distance from 0 of any of them, and at most their farthest end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmkit.stats.paired import paired_difference
from llmkit.types import Estimate

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Spread:
    """How far several means lie apart.

    Attributes:
        estimate: The highest mean less the lowest; 0 is in its interval where no two means differ for certain.
        below: For each mean how far it lies below the highest, as a number that is 0 or negative; the intervals of
            all pairs hold together.
        highest: Place of the highest mean, the first of equals.
        lowest: Place of the lowest.
    """

    estimate: Estimate
    below: tuple[Estimate, ...]
    highest: int
    lowest: int


def spread_of_means(
    columns: Sequence[ArrayLike],
    *,
    binary: bool = False,
    samples: NDArray[Any] | None = None,
    clusters: NDArray[Any] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Spread:
    """Return how far the means of columns lie apart.

    Args:
        columns: Two or more, each of shape (n,), n >= 1, row by row the same samples.
        binary: Whether every value is 0 or 1.
        samples: Shape (n,): with repeats, each row's sample; repeats are averaged within a sample.
        clusters: Shape (n,): rows with one code are not independent of one another.
        level: Of the intervals, all together.
        seed: Of resamples, where the differences need any.

    Raises:
        ValueError: fewer than two columns.
    """
    values = [np.asarray(column, dtype=np.float64) for column in columns]
    pairs = list(combinations(range(len(values)), 2))
    if not pairs:
        raise ValueError("a spread needs at least two columns")
    each = 1 - (1 - level) / len(pairs)
    how: dict[str, Any] = {
        "binary": binary,
        "samples": None if samples is None else (samples, samples),
        "clusters": clusters,
        "level": each,
        "resamples": max(RESAMPLES, ceil(round(2 / (1 - each), 6))),
        "seed": seed,
    }
    found: dict[tuple[int, int], Estimate] = {}
    for one, other in pairs:
        less = replace(paired_difference(values[one], values[other], **how).difference, level=level)
        found[one, other], found[other, one] = less, _mirrored(less)
    means = [float(column.mean()) if samples is None else _mean(column, samples) for column in values]
    highest, lowest = means.index(max(means)), means.index(min(means))
    same = Estimate(0.0, None, None, len(values[0]), "none: the highest itself", level)
    below = [found[highest, place] if place != highest else same for place in range(len(values))]
    return Spread(_spread(list(found.values()), len(pairs), level), tuple(below), highest, lowest)


def _spread(differences: Sequence[Estimate], pairs: int, level: float) -> Estimate:
    """Return the largest of all differences; each pair is there both ways round."""
    value = max(found.value for found in differences)
    n = differences[0].n
    lows = [found.low for found in differences if found.low is not None]
    highs = [found.high for found in differences if found.high is not None]
    if len(highs) < len(differences):
        why = next(found.method for found in differences if found.high is None)
        return Estimate(value, None, None, n, why, level)
    methods = ", ".join(dict.fromkeys(found.method for found in differences))
    made = methods if pairs == 1 else f"{methods}, {pairs} pairs (bonferroni)"
    return Estimate(value, max(0.0, *lows), max(highs), n, made, level)


def _mirrored(found: Estimate) -> Estimate:
    low, high = (None if end is None else -end for end in (found.high, found.low))
    return replace(found, value=-found.value, low=low, high=high)


def _mean(column: NDArray[Any], samples: NDArray[Any]) -> float:
    """Return the mean over samples of the means over their repeats."""
    _, codes = np.unique(samples, return_inverse=True)
    return float((np.bincount(codes, weights=column) / np.bincount(codes)).mean())
