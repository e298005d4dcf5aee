"""Two ratings of the same rows, as a table of the pairs of labels that occur.

Every statistic of agreement is a function of how often each pair occurs, so a resample is one weight a pair, however
many rows there are: fifty thousand verdicts on a scale of five are twenty-five cells. Scores without steps make as
many cells as rows; the same code serves them, in memory of a fixed size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.concordance import Concordance

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"
Labels: TypeAlias = "Sequence[Any] | Array"

_SHOWN = 5

FEW_LABELS = 32
"""Up to so many, sums over labels are products with a table of zeros and ones."""


class Cells:
    """The distinct pairs (x, y) of two ratings, in order of x, then y.

    Attributes:
        x: Shape (C,): the code of the first rating's label (the judge's) in each cell.
        y: Shape (C,): the second's (the human's).
        labels: Shape (K,): what the codes stand for; codes are in order where the labels have one.
        values: Shape (K,): the labels as numbers (of text on a scale, the places), or None for text without an order.
        positions: Shape (K,): each label's place on the scale; without one, among the labels that occur.
        categories: How many labels there could be.
    """

    def __init__(
        self, x: Array, y: Array, labels: Array, *, values: Array | None, positions: Array, categories: int
    ) -> None:
        self.x, self.y = x, y
        self.labels, self.values, self.positions = labels, values, positions
        self.categories = categories

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def sides(self) -> tuple[Side, Side]:
        """The labels that either side gives."""
        return Side(self.x), Side(self.y)

    @cached_property
    def concordance(self) -> Concordance:
        """What counts concordant pairs of rows."""
        return Concordance(self.x, self.y)


class Side:
    """The labels that one side gives, and which of them each cell has.

    Attributes:
        codes: Shape (k,): the codes of its labels, in order.
        own: Shape (C,): the place of each cell's label among them.
    """

    def __init__(self, codes: Array) -> None:
        import numpy as np

        self.codes, self.own = np.unique(codes, return_inverse=True)
        self._order = np.argsort(self.own, kind="stable")
        self._starts = np.searchsorted(self.own[self._order], np.arange(len(self.codes)))
        self._sorted = bool((self._order == np.arange(len(codes))).all())

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def one_hot(self) -> Array | None:
        """Which cells have each label, (C, k); None for many labels."""
        import numpy as np

        return None if len(self) > FEW_LABELS else np.eye(len(self))[self.own]

    def sums(self, weights: Array) -> Array:
        """Return the total of weights over the cells of each label: (m, C) -> (m, k)."""
        import numpy as np

        if self.one_hot is not None:
            return np.asarray(weights @ self.one_hot)
        ordered = weights if self._sorted else weights[:, self._order]
        if len(self) == len(self.own):
            return ordered
        return np.add.reduceat(ordered, self._starts, axis=1)

    def at_cells(self, values: Array) -> Array:
        """Return a value of each label at the cells that have it: (m, k) -> (m, C)."""
        return values if self._sorted and len(self) == len(self.own) else values[:, self.own]


def pair_up(first: Labels, second: Labels, scale: Labels | None = None) -> tuple[Cells, Array]:
    """Return the cells of two ratings and each row's cell, shape (n,).

    Args:
        first: Labels of n >= 1 rows, all numbers (or booleans) or all text.
        second: Likewise, of the same rows and the same kind.
        scale: Every label there could be, lowest first; None for those that occur.

    Raises ValueError with a sentence where rows are missing, kinds are mixed, a number is not finite, or a label is not
    on the scale.
    """
    import numpy as np

    one, two = label_array(first, "first"), label_array(second, "second")
    if len(one) != len(two):
        raise ValueError(f"the two ratings must be of the same rows, but there are {len(one)} and {len(two)}")
    if not len(one):
        raise ValueError("agreement needs at least one row that both have rated")
    if one.dtype.kind != two.dtype.kind:
        raise ValueError("one rating is text and the other numbers; give both as the same kind")
    codes, frame = coded(np.concatenate([one, two]), scale)
    x, y = codes[: len(one)], codes[len(one) :]
    distinct, rows = np.unique(x * len(frame.labels) + y, return_inverse=True)
    return frame.cells(distinct // len(frame.labels), distinct % len(frame.labels)), rows


class Frame:
    """What codes stand for: the labels, their values and places, before any two are paired."""

    def __init__(self, labels: Array, values: Array | None, positions: Array, categories: int) -> None:
        self.labels, self.values, self.positions, self.categories = labels, values, positions, categories

    def cells(self, x: Array, y: Array) -> Cells:
        """Return cells with these codes."""
        return Cells(x, y, self.labels, values=self.values, positions=self.positions, categories=self.categories)


def coded(labels: Array, scale: Labels | None) -> tuple[Array, Frame]:
    """Return labels of shape (n,) as codes, and what the codes stand for."""
    import numpy as np

    text = labels.dtype.kind == "U"
    if scale is None:
        found, codes = np.unique(labels, return_inverse=True)
        places = np.arange(len(found), dtype=np.float64)
        return codes, Frame(found, None if text else found, places, len(found))
    steps = label_array(scale, "scale")
    if steps.dtype.kind != labels.dtype.kind:
        raise ValueError("the scale and the ratings must be of one kind: all text or all numbers")
    order = np.argsort(steps, kind="stable")
    ordered = steps[order]
    if (ordered[1:] == ordered[:-1]).any():
        raise ValueError("the scale names a label twice")
    places = np.minimum(np.searchsorted(ordered, labels), len(ordered) - 1)
    if (ordered[places] != labels).any():
        odd = [str(label) for label in np.unique(labels[ordered[places] != labels])]
        more = f" and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else ""
        raise ValueError(f"not on the scale: {', '.join(odd[:_SHOWN])}{more}")
    numbers = np.arange(len(steps), dtype=np.float64)
    if not text and not (np.diff(steps) > 0).all():
        raise ValueError("a scale of numbers runs from the lowest to the highest")
    return order[places], Frame(steps, numbers if text else steps, numbers, len(steps))


def label_array(labels: Labels, what: str) -> Array:
    """Return labels as an array of text or of finite floats; ValueError says what is wrong, and in which row."""
    import numpy as np

    if not isinstance(labels, np.ndarray) or labels.dtype.kind == "O":
        labels = list(labels)
        kinds = {_kind(label) for label in labels}
        if "" in kinds:
            row = next(i for i, label in enumerate(labels) if not _kind(label))
            raise ValueError(f"row {row + 1} of the {what} rating is {labels[row]!r}, neither text nor a number")
        if len(kinds) > 1:
            raise ValueError(f"the {what} rating mixes text and numbers; give all labels as the same kind")
        labels = np.array(labels, dtype=None if kinds == {"text"} else np.float64)
    if labels.ndim != 1:
        raise ValueError(f"the {what} rating must be one label a row, not of shape {labels.shape}")
    if labels.dtype.kind == "U":
        return labels
    if labels.dtype.kind not in "iufb":
        raise ValueError(f"the {what} rating must be text or numbers, not {labels.dtype}")
    numbers = labels.astype(np.float64)
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise ValueError(f"row {row + 1} of the {what} rating is {numbers[row]}; leave out rows that were not rated")
    return numbers + 0.0  # -0.0 and 0.0 are one label


def _kind(label: Any) -> str:
    from numbers import Real

    if isinstance(label, str):
        return "text"
    return "number" if isinstance(label, Real) or type(label).__name__ == "bool" else ""
