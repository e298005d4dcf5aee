"""A judge's error taken apart as AlpacaEval's analysis does: what it always gets wrong, and what it wavers on.

Bias is how often the judge's usual verdict differs from people's usual verdict; variance is how often one verdict
differs from the judge's other verdicts of the same sample. People have a variance too, and no bias.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.cells import Labels
from llmkit.stats.intervals import mean_estimate
from llmkit.stats.matrix import MISSING, Ratings, rating_codes
from llmkit.stats.statistic import Statistic

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"


def mode_error(judge: Ratings, human: Ratings, *, clusters: Labels | None = None, level: float = 0.95) -> Statistic:
    """Return the share of items where the judge's most frequent verdict is not people's: the judge's bias.

    Of several most frequent verdicts each counts in equal parts, which is what picking one at random gives on average.

    Args:
        judge: One row an item, one column a repeat; None (or NaN) where there is no verdict.
        human: One row an item, one column a person; likewise. Items that either side lacks are left out.
        clusters: One code an item: items with one code are not independent.
        level: Of the interval.
    """
    import numpy as np

    if len(judge) != len(human):
        raise ValueError(f"there are {len(judge)} items of the judge and {len(human)} of people")
    widths = [len(table[0]) if len(table) else 0 for table in (judge, human)]
    codes, frame = rating_codes([[*one, *two] for one, two in zip(judge, human, strict=True)])
    sides = [_modes(part, len(frame.labels)) for part in np.split(codes, [widths[0]], axis=1)]
    kept = (sides[0].sum(axis=1) > 0) & (sides[1].sum(axis=1) > 0)
    if not kept.any():
        return Statistic(None, "no item has a verdict of both sides")
    agree = np.einsum("ij,ij->i", sides[0][kept], sides[1][kept])
    return _mean(1 - agree, kept, clusters, level)


def rest_error(ratings: Ratings, *, clusters: Labels | None = None, level: float = 0.95) -> Statistic:
    """Return how often a verdict is not the most frequent one of the item's other verdicts: the variance.

    Each verdict of an item is left out in turn; items with one verdict do not count. Ties count in equal parts.

    Args:
        ratings: One row an item, one column a repeat of the judge, or a person; None (or NaN) where there is none.
        clusters: One code an item: items with one code are not independent.
        level: Of the interval.
    """
    import numpy as np

    codes, frame = rating_codes(ratings)
    given = codes != MISSING
    kept = given.sum(axis=1) > 1
    if not kept.any():
        return Statistic(None, "no item has two verdicts")
    errors = np.zeros(len(codes))
    for column in range(codes.shape[1]):
        rest = codes.copy()
        rest[:, column] = MISSING
        here = np.flatnonzero(given[:, column] & kept)
        errors[here] += 1 - _modes(rest[here], len(frame.labels))[np.arange(len(here)), codes[here, column]]
    return _mean(errors[kept] / given[kept].sum(axis=1), kept, clusters, level)


def _modes(codes: Array, labels: int) -> Array:
    """Return each label's part in the most frequent ones of each row, (n, labels); zeros where a row is empty."""
    import numpy as np

    counts = np.zeros((len(codes), labels))
    for column in codes.T:
        given = np.flatnonzero(column != MISSING)
        counts[given, column[given]] += 1
    most = counts.max(axis=1, keepdims=True)
    modal = (counts == most) & (most > 0)
    return np.asarray(modal / np.maximum(modal.sum(axis=1, keepdims=True), 1))


def _mean(values: Array, kept: Array, clusters: Labels | None, level: float) -> Statistic:
    import numpy as np

    codes = None if clusters is None else np.asarray(clusters)
    if codes is not None and codes.shape != kept.shape:
        raise ValueError(f"there are {len(kept)} items and {len(codes)} cluster codes")
    binary = bool(np.isin(values, (0.0, 1.0)).all())
    inner = None if codes is None else codes[kept]
    return Statistic(mean_estimate(values, binary=binary, clusters=inner, level=level, bounds=(0.0, 1.0)))
