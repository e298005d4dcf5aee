"""Ratings of items by several raters, some of them missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.cells import Frame, Labels, coded, label_array

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"
Ratings: TypeAlias = "Sequence[Sequence[Any]] | Array"
"""One row an item, one column a rater (or a repeat); None, or NaN among numbers, where there is no rating."""

MISSING = -1
_RADIX_LIMIT = 2**62


def rating_codes(ratings: Ratings, scale: Labels | None = None) -> tuple[Array, Frame]:
    """Return the ratings as codes, shape (items, raters), `MISSING` where there is none, and what the codes stand for.

    Raises ValueError with a sentence where rows differ in length, kinds are mixed or a label is not on the scale.
    """
    import numpy as np

    rows = _as_rows(ratings)
    if not rows.size:
        raise ValueError("there are no ratings")
    given = _given(rows)
    if not given.any():
        raise ValueError("every rating is missing")
    try:
        labels = label_array(rows[given], "table's")
    except ValueError:
        _say_where(rows, given)
        raise
    codes, frame = coded(labels, scale)
    found = np.full(rows.shape, MISSING, dtype=np.int64)
    found[given] = codes
    return found, frame


def _as_rows(ratings: Ratings) -> Array:
    import numpy as np

    if isinstance(ratings, np.ndarray):
        rows = ratings
    else:
        lengths = {len(row) for row in ratings}
        if len(lengths) > 1:
            raise ValueError(f"rows of ratings must be of one length, not {', '.join(map(str, sorted(lengths)))}")
        rows = np.empty((len(ratings), max(lengths, default=0)), dtype=object)
        for i, row in enumerate(ratings):
            rows[i] = list(row)
    if rows.ndim != 2:  # noqa: PLR2004 - items and raters
        raise ValueError(f"ratings must have one row an item and one column a rater, not shape {rows.shape}")
    return rows


def _given(rows: Array) -> Array:
    import numpy as np

    if rows.dtype.kind == "f":
        return ~np.isnan(rows)
    if rows.dtype.kind == "O":
        return np.array([[not (cell is None or cell != cell) for cell in row] for row in rows])  # noqa: PLR0124 - NaN
    return np.ones(rows.shape, dtype=bool)


def _say_where(rows: Array, given: Array) -> None:
    """Raise ValueError that names the first cell that is no rating, where one cell alone is at fault."""
    import numpy as np

    for item, rater in np.argwhere(given):
        try:
            label_array([rows[item, rater]], "one")
        except ValueError:
            cell = rows[item, rater]
            place = f"item {item + 1}, rater {rater + 1}"
            raise ValueError(f"{place}: {cell!r} is neither text nor a finite number; None is missing") from None


def alike(codes: Array) -> tuple[Array, Array]:
    """Return each row's kind, shape (n,), and one row of each kind: rows of codes that are equal are one kind."""
    import numpy as np

    base = int(codes.max(initial=0)) + 2
    if base ** codes.shape[1] < _RADIX_LIMIT:
        keys = np.zeros(len(codes), dtype=np.int64)
        for column in codes.T:
            keys = keys * base + column + 1
        _, first, kinds = np.unique(keys, return_index=True, return_inverse=True)
    else:
        _, first, kinds = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    return kinds.reshape(-1), codes[first]


def matches(rows: Array) -> Array:
    """Return how many ordered pairs of ratings are equal in each row of codes, shape (n,)."""
    import numpy as np

    unit, rater = np.nonzero(rows != MISSING)
    keys, counts = np.unique(unit * (int(rows.max(initial=0)) + 1) + rows[unit, rater], return_counts=True)
    owner = keys // (int(rows.max(initial=0)) + 1)
    return np.bincount(owner, weights=counts * (counts - 1.0), minlength=len(rows))
