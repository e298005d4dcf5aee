"""What every back-end shares: the vectors it was built of, exact scores, filters, ties.

A back-end only proposes candidates. They are scored here with the vectors themselves, so that a score means the same
whichever back-end found it, equal scores come in the order of their rows, and a quantised index loses candidates, never
digits. Where a filter lets little through, everything that it lets through is scored instead: a search that first finds
and then filters would come back with too little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmkit.errors import ConfigError, MissingExtraError, Problem
from llmkit.vectors._scan import Matches, best_of, scan

EXACT_BELOW = 0.2
"""Share of the vectors that a filter lets through, below which they are all scored."""

GONE = -1
"""The row of a vector that was removed and whose place is still taken."""

_ROWS = "rows.npy"
_LEAST = 64  # candidates; scoring so few takes next to no time

_EXTRA = 1.5  # more candidates than the share that a filter lets through asks for


@dataclass
class Held:
    """The vectors, their rows, and which of them are still there."""

    vectors: Any = None
    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    alive: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    order: NDArray[np.int64] | None = None
    """Places by ascending row; None where they stand so."""

    native: Any = None
    """Whatever the back-end keeps."""

    @property
    def count(self) -> int:
        """How many vectors can be found."""
        return int(self.alive.sum())

    def take(self, vectors: Any, rows: Any) -> None:
        """Hold vectors and their rows."""
        if len(vectors) != len(rows):
            raise ValueError(f"{len(vectors)} vectors have {len(rows)} rows")
        self.vectors = vectors
        self.rows = np.asarray(rows, np.int64)
        self.alive = np.ones(len(self.rows), np.bool_)
        self.order = None if bool((np.diff(self.rows) > 0).all()) else np.argsort(self.rows, kind="stable")

    def places(self, rows: Any) -> NDArray[np.int64]:
        """Return where these rows stand, in ascending order; rows that are not there are left out."""
        wanted = np.asarray(rows, np.int64)
        count = len(self.rows)
        if not count:
            return wanted[:0]
        if self.order is None and self.rows[-1] - self.rows[0] == count - 1:  # one after the other
            found = wanted - self.rows[0]
            found = found[(found >= 0) & (found < count)]
            found = found[self.alive[found]]
            return found if bool((np.diff(found) > 0).all()) else np.unique(found)
        at = np.minimum(np.searchsorted(self.rows, wanted, sorter=self.order), len(self.rows) - 1)
        at = at if self.order is None else self.order[at]
        found = at[(self.rows[at] == wanted) & self.alive[at]]
        return found if bool((np.diff(found) > 0).all()) else np.unique(found)


@dataclass(frozen=True)
class Searched:
    """A vector index over vectors that it holds, or sees through a memory map.

    A subclass writes ``_build(vectors)``, ``_near(queries, count) -> places`` (-1 for none), ``_save``, ``_load``, and,
    where it is ``updatable``, ``_add``; without it, adding builds anew. A removed vector is passed over until then.
    What ``_build``, ``_add`` and ``_load`` return is kept, and found in ``native``.
    """

    exact: ClassVar[bool] = False
    updatable: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""

    _held: Held = field(default_factory=Held, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be: a package that is missing, an argument out of range."""
        if any(find_spec(package) is None for package in self.packages):
            raise MissingExtraError(f"the vector back-end '{type(self).__name__.lower()}'", self.extra)
        problems = [Problem(f"must be at least 1, got {value}", key=key) for key, value in self._counts() if value < 1]
        if problems:
            raise ConfigError(problems=problems)

    def __len__(self) -> int:
        return self._held.count

    @property
    def native(self) -> Any:
        """What the back-end keeps."""
        return self._held.native

    def build(self, vectors: Any, rows: Any) -> None:
        """Take vectors (n, d) float32 of length 1, known from now on by ``rows`` (n,) int64."""
        self._held.take(vectors, rows)
        self._held.native = self._build(vectors) if len(rows) else None

    def load(self, folder: Path, vectors: Any, rows: Any) -> None:
        """Take what `save` wrote, and the vectors that it was built of; further ones may be among them.

        Raises:
            ValueError: vectors that it was built of are missing, or the files are damaged.
        """
        try:
            built = np.load(folder / _ROWS)
        except (OSError, EOFError, ValueError) as error:
            raise ValueError(f"{folder / _ROWS} cannot be read: {error}") from error
        if not np.array_equal(built, np.asarray(rows, np.int64)):
            given = Held()
            given.take(vectors, rows)
            at = given.places(built)
            if len(at) != len(built) or not np.array_equal(given.rows[at], built):
                raise ValueError(f"what lies in {folder} was built of other vectors")
            vectors = vectors[at]
        self._held.take(vectors, built)
        self._held.native = self._load(folder) if len(built) else None

    def save(self, folder: Path) -> None:
        """Write what was built into an empty folder; the vectors are the store's, and are not written again.

        Where some were removed since, it is built anew first.
        """
        held = self._held
        if held.count < len(held.rows):
            self.build(held.vectors[held.alive], held.rows[held.alive])
        np.save(folder / _ROWS, held.rows)
        if len(held.rows):
            self._save(folder)

    def add(self, vectors: Any, rows: Any) -> None:
        """Take more of them; a row that is there already gets the new vector."""
        held, start = self._held, len(self._held.rows)
        if not len(rows):
            return
        if not start:
            self.build(vectors, rows)
            return
        self.remove(rows)
        alive = held.alive
        every = np.concatenate([np.where(alive, held.rows, GONE), np.asarray(rows, np.int64)])
        held.take(np.concatenate([held.vectors, np.asarray(vectors, np.float32)]), every)
        held.alive[: len(alive)] = alive
        held.native = self._add(np.asarray(vectors, np.float32), start)

    def remove(self, rows: Any) -> None:
        """Forget some of them; rows that it does not know are no error."""
        self._held.alive[self._held.places(rows)] = False

    def search(self, queries: Any, k: int, allowed: Any | None = None) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores (q, k) float32 and rows (q, k) int64 of the nearest, best first; -inf and -1 in place of none.

        ``allowed`` (a sorted int64 array) are the only rows that may be found.
        """
        held = self._held
        queries = np.atleast_2d(np.asarray(queries, np.float32))
        count = held.count
        places = None if allowed is None else held.places(allowed)
        if places is None and count < len(held.rows):
            left: NDArray[np.int64] | None = np.flatnonzero(held.alive)
        else:
            left = places
        passing = count if left is None else len(left)
        if self.exact or passing <= max(k, EXACT_BELOW * len(held.rows)):
            found = scan(held.vectors, held.rows, queries, k, left)
        else:
            found = self._approximate(queries, k, left, passing)
        return table(found, k)

    def _counts(self) -> Iterator[tuple[str, int]]:
        """Yield the arguments that are whole numbers; each must be at least 1."""
        for one in fields(self):
            value = getattr(self, one.name)
            if one.init and isinstance(value, int) and not isinstance(value, bool):
                yield one.name, value

    def _approximate(
        self, queries: NDArray[np.float32], k: int, left: NDArray[np.int64] | None, passing: int
    ) -> list[Matches]:
        held = self._held
        total = len(held.rows)
        count = self._candidates(k)
        if left is not None:
            count = int(np.ceil(count * total / passing * _EXTRA))
        near = self._near(queries, min(count, total))
        may = None if left is None else np.zeros(total, np.bool_)
        if may is not None:
            may[left] = True
        found = []
        for query, places in zip(queries, near, strict=True):
            own = np.unique(places[places >= 0])
            own = own if may is None else own[may[own]]
            if len(own) < k:
                found += scan(held.vectors, held.rows, query[None], k, left)
            else:
                found.append(best_of(held.vectors, held.rows, query, own, k))
        return found

    def _candidates(self, k: int) -> int:
        """Return how many candidates are scored for the best ``k``."""
        return max(k * int(getattr(self, "refine", 1)), _LEAST)

    def _build(self, vectors: Any) -> Any:
        return None

    def _add(self, vectors: NDArray[np.float32], start: int) -> Any:
        return self._build(self._held.vectors)

    def _near(self, queries: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        raise TypeError(f"{type(self).__name__} proposes no candidates")

    def _save(self, folder: Path) -> None:
        return None

    def _load(self, folder: Path) -> Any:
        return None


def portions(vectors: Any, size: int = 1 << 16) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield vectors some at a time, in memory and in order, each portion with its first place."""
    for start in range(0, len(vectors), size):
        yield start, np.ascontiguousarray(vectors[start : start + size], np.float32)


def table(found: Sequence[Matches], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return matches as scores and rows of shape (q, k), filled up with -inf and -1."""
    scores = np.full((len(found), k), -np.inf, np.float32)
    rows = np.full((len(found), k), -1, np.int64)
    for i, (own, names) in enumerate(found):
        scores[i, : len(own)] = own
        rows[i, : len(names)] = names
    return scores, rows
