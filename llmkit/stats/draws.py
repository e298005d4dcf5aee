"""Resamples of rows as counts, so that one stream of draws serves every statistic at once.

Rows that are alike in all that counts are one kind, and a resample is how often each kind is drawn: a multinomial count
where kinds are few, else indices of rows. With clusters, whole clusters are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.bootstrap import random_blocks
from llmkit.stats.intervals import dense_codes

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

_CHUNK_BYTES = 16 << 20
_DENSE = 20_000_000
_ROWS_A_KIND = 12
_FEW_KINDS = 64

MANY_KINDS = 1000
"""With more kinds of rows (or clusters) than this, a jackknife leaves out random groups of them instead."""

MANY_DIFFERENT = 20_000
"""With more different kinds of rows than this, intervals are the jackknife's."""

GROUPS = 200


class Draws:
    """Rows of certain kinds, to be drawn with replacement.

    Attributes:
        kinds: Shape (n,): each row's kind, 0 .. count - 1.
        count: How many kinds.
        unit: What is drawn: ``rows`` or ``clusters``.
        units: How many of these there are.
    """

    def __init__(self, kinds: Array, count: int, clusters: Array | None = None) -> None:
        import numpy as np

        self.kinds, self.count = kinds, count
        self.unit, self.units, self._cluster = "rows", len(kinds), None
        if clusters is not None:
            codes = np.asarray(clusters)
            if codes.shape != (len(kinds),):
                raise ValueError(f"there are {len(kinds)} rows and {len(codes)} cluster codes")
            self._cluster, self.units = dense_codes(codes)
            self.unit = "clusters"

    @cached_property
    def counts(self) -> Array:
        """How often each kind occurs, shape (count,)."""
        import numpy as np

        return np.bincount(self.kinds, minlength=self.count).astype(np.float64)

    @cached_property
    def _by_cluster(self) -> Array | None:
        """How often each kind occurs in each cluster, (clusters, kinds); None where that would be too large."""
        if self._cluster is None or self.units * self.count > _DENSE:
            return None
        return self._kinds_of(self._cluster, self.units, self.kinds)

    def resamples(self, count: int, seed: int | tuple[int, ...], width: int = 0) -> Iterator[Array]:
        """Yield counts of kinds of shape (m, kinds), ``count`` rows in all.

        ``width`` is how many numbers the caller holds for a resample, if more than kinds and units; the stream does not
        depend on how it is cut in chunks.
        """
        import numpy as np

        rng = np.random.default_rng(seed)
        n = len(self.kinds)
        chunk = max(1, _CHUNK_BYTES // (8 * max(self.count, self.units if self._cluster is not None else 1, width)))
        few = self._cluster is None and self.count <= _FEW_KINDS + n // _ROWS_A_KIND
        for start in range(0, count, chunk):
            size = min(chunk, count - start)
            if few:
                yield rng.multinomial(n, self.counts / n, size=size).astype(np.float64)
            elif self._cluster is None:
                yield self._drawn(rng, size, n, self._tally)
            else:
                yield self._of_clusters(self._drawn(rng, size, self.units, self._times))

    def without_some(self, seed: int, width: int = 0) -> Iterator[tuple[Array, Array]]:
        """Yield what a jackknife needs: counts of kinds without one unit, (m, kinds), and how many such units, (m,).

        Of many units, a random group is left out instead, of `GROUPS` groups.
        """
        import numpy as np

        if self._cluster is None and self.count <= MANY_KINDS:
            present = self.counts > 0
            left_out, stands_for = np.eye(self.count)[present], self.counts[present]
            yield self.counts - left_out, stands_for
            return
        if self._cluster is not None and self.units <= (GROUPS if self.too_many else MANY_KINDS):
            codes, count = self._cluster, self.units
        else:
            group, count = random_blocks(self.units, np.random.default_rng(seed), GROUPS), GROUPS
            codes = group if self._cluster is None else group[self._cluster]
        chunk = max(1, _CHUNK_BYTES // (8 * max(self.count, width)))
        for start in range(0, count, chunk):
            size = min(chunk, count - start)
            here = (codes >= start) & (codes < start + size)
            yield self.counts - self._kinds_of(codes[here] - start, size, self.kinds[here]), np.ones(size)

    @property
    def too_many(self) -> bool:
        """Whether so many rows differ that resampling them would take minutes."""
        return self.count > MANY_DIFFERENT

    def _kinds_of(self, codes: Array, count: int, kinds: Array) -> Array:
        """Return how often each kind occurs among the rows of each code, (count, kinds)."""
        import numpy as np

        cells = codes * self.count + kinds
        return np.bincount(cells, minlength=count * self.count).reshape(count, self.count).astype(np.float64)

    def _drawn(self, rng: np.random.Generator, size: int, n: int, tally: Callable[[Array], Array]) -> Array:
        import numpy as np

        return np.stack([tally(rng.integers(0, n, size=n)) for _ in range(size)]).astype(np.float64)

    def _tally(self, drawn: Array) -> Array:
        """Return how often each kind is among drawn rows; where all rows differ, a row stands for its kind."""
        import numpy as np

        return np.bincount(drawn if self.count == len(self.kinds) else self.kinds[drawn], minlength=self.count)

    def _times(self, drawn: Array) -> Array:
        import numpy as np

        return np.bincount(drawn, minlength=self.units)

    def _of_clusters(self, times: Array) -> Array:
        import numpy as np

        if self._by_cluster is not None:
            return times @ self._by_cluster
        assert self._cluster is not None
        rows = [np.bincount(self.kinds, weights=row[self._cluster], minlength=self.count) for row in times]
        return np.stack(rows)
