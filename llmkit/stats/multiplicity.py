"""p-values of several tests, adjusted so that many looks do not make a finding."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Adjustment = Literal["holm", "bh", "none"]


def adjust(p_values: ArrayLike, how: Adjustment = "holm") -> NDArray[np.float64]:
    """Return adjusted p-values: shape (m,) -> (m,), in the same order."""
    if how == "holm":
        return holm(p_values)
    return benjamini_hochberg(p_values) if how == "bh" else _checked(p_values)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return Holm's adjusted p-values: at most ``alpha`` of families of tests then hold any false finding.

    However the tests depend on one another. Source: Holm 1979, Scandinavian Journal of Statistics 6:65-70.
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, p[order] * np.arange(len(p), 0, -1)))
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return Benjamini and Hochberg's adjusted p-values: of the findings at most a share ``alpha`` is false on average.

    For tests that are independent or positively dependent. Source: Benjamini and Hochberg 1995, JRSS B 57:289-300.
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")[::-1]
    adjusted = np.empty(len(p))
    scaled = p[order] * len(p) / np.arange(len(p), 0, -1)
    adjusted[order] = np.minimum.accumulate(np.minimum(1.0, scaled))
    return adjusted


def _checked(p_values: ArrayLike) -> NDArray[np.float64]:
    p = np.array(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values must be one column of numbers from 0 to 1")
    return p
