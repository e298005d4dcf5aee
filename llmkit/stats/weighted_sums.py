"""Sums of a table's rows under many weightings at once: resamples of statistics, or swaps of them.

Statistics are mostly small whole numbers. Where no sum over a piece of the rows can reach 2^24, 32-bit floats add them
up exactly, in half the time that 64-bit floats take, and the pieces are then added in 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROWS = 2048
"""Rows that are added up at a time, so that the processor's cache holds them and their weights."""

_WHOLE = 2.0**24
"""Up to here 32-bit floats hold every whole number."""


class WeightedSums:
    """A table to be added up; columns that are equal are added up once.

    Args:
        table: Shape (n, k).
    """

    def __init__(self, table: Floats) -> None:
        columns = table.T.copy()
        places: dict[bytes, int] = {}
        self.of = [places.setdefault(column.tobytes(), len(places)) for column in columns]
        different = columns[[self.of.index(place) for place in range(len(places))]]
        most = float("inf")
        if (np.rint(different) == different).all():
            starts = np.arange(0, len(table), _ROWS)
            most = float(np.add.reduceat(np.abs(different), starts, axis=1).max())
        self._most = most
        self._rows: NDArray[Any] = np.ascontiguousarray(different.T, dtype=np.float32 if most < _WHOLE else np.float64)

    @property
    def width(self) -> int:
        """Different columns."""
        return int(self._rows.shape[1])

    def piece(self, start: int, weight: int) -> NDArray[Any]:
        """Return a piece of the rows, in 32 bits where sums with weights up to ``weight`` are then exact."""
        piece = self._rows[start : start + _ROWS]
        return piece if self._most * weight < _WHOLE else piece.astype(np.float64)


def add_up(tables: Sequence[WeightedSums], weights: NDArray[Any]) -> list[Floats]:
    """Return the sums of each table's rows, shape (m, k), for weights that are small whole numbers, shape (m, n)."""
    most = int(weights.max(initial=0))
    found = [np.zeros((len(weights), table.width)) for table in tables]
    for start in range(0, weights.shape[1], _ROWS):
        part = weights[:, start : start + _ROWS]
        cast: dict[Any, NDArray[Any]] = {}
        for sums, table in zip(found, tables, strict=True):
            piece = table.piece(start, most)
            if piece.dtype not in cast:
                cast[piece.dtype] = part.astype(piece.dtype)
            np.add(sums, cast[piece.dtype] @ piece, out=sums)
    return [sums[:, table.of] for sums, table in zip(found, tables, strict=True)]
