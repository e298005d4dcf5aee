"""How much scores vary from repeat to repeat of a sample, and how much from sample to sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from llmkit.stats.intervals import dense_codes


@dataclass(frozen=True, slots=True)
class Variance:
    """Variance components of one score.

    Attributes:
        within: Variance of a repeat around its sample's own mean: noise that more repeats average out.
        between: Variance of samples' own means, noise taken off: only more samples average it out.
        samples: How many samples.
        repeats: Repeats a sample; their effective number where samples have different numbers.
    """

    within: float
    between: float
    samples: int
    repeats: float

    @property
    def reliability(self) -> float | None:
        """The share of a single score's variance that is the sample's own (ICC(1)); None where nothing varies."""
        total = self.within + self.between
        return self.between / total if total else None


def variance_components(values: ArrayLike, samples: ArrayLike) -> Variance | None:
    """Return the variance within and between samples, by one-way analysis of variance.

    Args:
        values: Shape (n,), finite.
        samples: Shape (n,): rows with one code are repeats of one sample.

    None without two samples, or without a sample that has two repeats. A negative between-sample variance, which the
    estimate can be when there is none, is 0. Source: Searle, Casella and McCulloch 1992, "Variance Components",
    section 3.6 (unbalanced data).
    """
    numbers = np.asarray(values, dtype=np.float64)
    codes, count = dense_codes(np.asarray(samples))
    n = len(numbers)
    if count < 2 or count == n:  # noqa: PLR2004 - nothing between, nothing within
        return None
    sizes = np.bincount(codes, minlength=count)
    means = np.bincount(codes, weights=numbers, minlength=count) / sizes
    residuals = numbers - means[codes]
    within = float(residuals @ residuals) / (n - count)
    of_means = float(sizes @ (means - numbers.mean()) ** 2) / (count - 1)
    effective = (n - float(sizes @ sizes) / n) / (count - 1)
    return Variance(within, max(0.0, (of_means - within) / effective), count, effective)
