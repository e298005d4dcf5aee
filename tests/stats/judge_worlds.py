"""Worlds in which the truth is known: human labels, and judges from useless to perfect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"
Rng: TypeAlias = np.random.Generator
Draw: TypeAlias = Callable[[Rng, float, int], tuple[Array, Array]]

STARS = np.array([0.05, 0.15, 0.3, 0.3, 0.2])


def yes_no(share: float, errors: str) -> Draw:
    """Humans say yes to a share; the judge agrees with probability (1 + quality) / 2, or errs on one side only."""

    def draw(rng: Rng, quality: float, size: int) -> tuple[Array, Array]:
        human = (rng.random(size) < share).astype(float)
        wrong = rng.random(size) > (1 + quality) / 2
        if errors == "lenient":
            wrong &= human == 0
        if errors == "strict":
            wrong &= human == 1
        return human, np.where(wrong, 1 - human, human)

    return draw


def one_to_five(errors: str) -> Draw:
    """Humans give stars; the judge gives the same with probability quality, else others (or one more, or one less)."""
    edges = np.cumsum(STARS)[:-1]

    def draw(rng: Rng, quality: float, size: int) -> tuple[Array, Array]:
        human = 1.0 + np.searchsorted(edges, rng.random(size))
        other = {
            "any": 1.0 + np.searchsorted(edges, rng.random(size)),
            "lenient": np.minimum(human + 1, 5),
            "strict": np.maximum(human - 1, 1),
        }[errors]
        return human, np.where(rng.random(size) < quality, human, other)

    return draw


def continuous(shape: str) -> Draw:
    """Human scores of a bell or leaning to the top; the judge correlates with them by quality."""

    def draw(rng: Rng, quality: float, size: int) -> tuple[Array, Array]:
        if shape == "bell":
            human, noise = rng.normal(size=size), rng.normal(size=size)
        else:
            human, noise = rng.beta(4, 1.5, size), rng.beta(4, 1.5, size)
        return human, quality * human + np.sqrt(1 - quality**2) * noise

    return draw


TOP_MEAN = 4 / 5.5
STAR_MEAN = float(STARS @ np.arange(1, 6))
WORLDS: dict[str, tuple[Draw, float, bool]] = {
    **{
        f"yes/no, {share:.0%} yes, {errors} errors": (yes_no(share, errors), share, True)
        for share in (0.3, 0.5, 0.7, 0.9)
        for errors in ("any", "lenient", "strict")
    },
    **{f"1 to 5, {errors} errors": (one_to_five(errors), STAR_MEAN, False) for errors in ("any", "lenient", "strict")},
    "continuous, bell": (continuous("bell"), 0.0, False),
    "continuous, near the top": (continuous("top"), TOP_MEAN, False),
}
"""Name -> (draw, the true mean, whether labels are yes/no)."""

QUALITIES = (0.0, 0.3, 0.6, 0.8, 0.9, 0.97, 1.0)
