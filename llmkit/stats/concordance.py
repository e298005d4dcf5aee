"""Kendall's concordant minus discordant pairs under many weightings at once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

_FEW = 512


class Concordance:
    """Counts pairs of rows that two ratings order alike, less those they order apart, for weighted cells.

    Few cells are one product with the matrix of their signs. Many are counted down a tree that halves the labels of the
    side with fewer, so that K labels take log2(K) passes over the cells (Knight 1966, JASA 61:436-439, merges the same
    way); its shape depends on the cells only and is made once.

    Args:
        x: Shape (C,): codes of one side; cells are distinct.
        y: Shape (C,): codes of the other.
    """

    def __init__(self, x: Array, y: Array) -> None:
        import numpy as np

        few_first = len(np.unique(x)) <= len(np.unique(y))
        self.few, self.many = (x, y) if few_first else (y, x)

    def __call__(self, weights: Array, tied_x: Array, tied_y: Array) -> Array:
        """Return twice (concordant - discordant): (m, C) -> (m,).

        ``tied_x`` and ``tied_y`` are the sums over labels of their squared weights.
        """
        import numpy as np

        if len(self.few) <= _FEW:
            return np.asarray(np.einsum("ij,ij->i", weights @ self._signs, weights))
        total = weights.sum(axis=1)
        untied = total * total - tied_x - tied_y + np.einsum("ij,ij->i", weights, weights)
        return np.asarray(untied - 4 * self._discordant(weights))

    @cached_property
    def _signs(self) -> Array:
        import numpy as np

        signs = np.sign(self.few[:, None] - self.few) * np.sign(self.many[:, None] - self.many)
        return np.asarray(signs, dtype=np.float64)

    def _discordant(self, weights: Array) -> Array:
        import numpy as np

        found = np.zeros(len(weights))
        for high, low, before, nodes, ends in self._levels:
            sums = np.zeros((len(weights), len(high) + 1))
            np.cumsum(weights[:, high], axis=1, out=sums[:, 1:])
            below = weights[:, low]
            found += np.einsum("ij,ij->i", sums[:, before], below)
            found -= np.einsum("ij,ij->i", sums[:, ends], np.add.reduceat(below, nodes, axis=1))
        return found

    @cached_property
    def _levels(self) -> list[tuple[Array, Array, Array, Array, Array]]:
        """For each halving: cells with the higher label, those with the lower, and the runs that belong together.

        A cell with the lower label is discordant with the cells of higher label in its node that lie below it on the
        other side: with those before place ``before`` but not before its node's first place.
        """
        import numpy as np

        found = []
        few = np.unique(self.few, return_inverse=True)[1]
        for bit in range(int(few.max()).bit_length()):
            node, upper = few >> (bit + 1), (few >> bit) & 1
            order = np.lexsort((self.many, node))
            high, low = order[upper[order] == 1], order[upper[order] == 0]
            if not len(high) or not len(low):
                continue
            span = int(self.many.max()) + 1
            keys = node[high] * span + self.many[high]
            before = np.searchsorted(keys, node[low] * span + self.many[low], side="left")
            nodes = np.flatnonzero(np.r_[True, node[low][1:] != node[low][:-1]])
            ends = np.searchsorted(keys, node[low][nodes] * span, side="left")
            found.append((high, low, before, nodes, ends))
        return found
