"""Skip-bigrams: pairs of words in the order of the text, with at most so many words between them.

The number of pairs of a text follows from its length; only pairs whose two words both texts have are ever counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]

_SHORT = 50
"""Texts of fewer words together are counted pair by pair: numpy would spend longer on setting out."""

_SPARSE = 16
"""A table with more cells than this for each pair is not made; the pairs are sorted instead."""


def skip_bigrams(length: int, gap: int | None) -> int:
    """Return how many skip-bigrams a text of ``length`` words has, with at most ``gap`` words in between."""
    reach = length - 1 if gap is None else min(gap + 1, length - 1)
    return reach * length - reach * (reach + 1) // 2 if length > 1 else 0


def shared_skip_bigrams(left: Sequence[str], right: Sequence[str], gap: int | None) -> int:
    """Return how many skip-bigrams two texts have in common, a repeated one as often as in the text with fewer of it.

    Args:
        left: Words of a text.
        right: Words of the other.
        gap: The most words between the two of a pair; None for any number.
    """
    common = set(left).intersection(right)
    if not common:
        return 0
    code = dict(zip(common, range(len(common)), strict=True))
    if len(left) + len(right) < _SHORT:
        return _one_by_one(left, right, code, gap)
    return _after_one_another(left, right, code) if gap is None else _within_reach(left, right, code, gap + 1)


def _one_by_one(left: Sequence[str], right: Sequence[str], code: Mapping[str, int], gap: int | None) -> int:
    reach = len(left) + len(right) if gap is None else gap + 1
    counts: dict[int, int] = {}
    get = counts.get
    for pair in _pairs(left, code, reach):
        counts[pair] = get(pair, 0) + 1
    shared = 0
    for pair in _pairs(right, code, reach):
        count = get(pair, 0)
        if count:
            counts[pair] = count - 1
            shared += 1
    return shared


def _pairs(words: Sequence[str], code: Mapping[str, int], reach: int) -> Iterator[int]:
    known = [(place, code[word]) for place, word in enumerate(words) if word in code]
    size = len(code)
    for number, (place, first) in enumerate(known, 1):
        last = place + reach
        base = first * size
        for other, second in known[number : number + reach]:
            if other > last:
                break
            yield base + second


def _within_reach(left: Sequence[str], right: Sequence[str], code: Mapping[str, int], reach: int) -> int:
    """Count with one table of (word, later word) for each text, filled from all windows at once."""
    import numpy as np

    reach = min(reach, max(len(left), len(right)))
    # Two codes that no pair of the other text has, for words (and the space behind the text) that count for nothing.
    alone, alone_too = len(code), len(code) + 1
    size = len(code) + 2
    every = [*map(code.get, left, repeat(alone)), *[alone] * reach]
    every += map(code.get, right, repeat(alone_too))
    every += [alone_too] * reach
    codes = np.array(every, dtype=np.int64)
    step = codes.itemsize
    windows: Ints = np.ndarray((len(every) - reach, reach), np.int64, codes, step, (step, step))
    pairs = codes[: len(windows), None] * size + windows
    of_left, of_right = pairs[: len(left)].ravel(), pairs[len(left) + reach :].ravel()
    if size * size > _SPARSE * pairs.size:
        return _sorted(of_left, of_right)
    return int(np.minimum(*(np.bincount(part, minlength=size * size) for part in (of_left, of_right))).sum())


def _sorted(left: Ints, right: Ints) -> int:
    import numpy as np

    (pairs, counts), (right_pairs, right_counts) = (np.unique(part, return_counts=True) for part in (left, right))
    _, at, right_at = np.intersect1d(pairs, right_pairs, assume_unique=True, return_indices=True)
    return int(np.minimum(counts[at], right_counts[right_at]).sum())


def _after_one_another(left: Sequence[str], right: Sequence[str], code: Mapping[str, int]) -> int:
    """Count from the end: each word is followed by all the words seen so far."""
    import numpy as np

    tables: list[Any] = []
    for words in (left, right):
        table = np.zeros((len(code), len(code)), dtype=np.int64)
        behind = np.zeros(len(code), dtype=np.int64)
        for at in reversed([code[word] for word in words if word in code]):
            table[at] += behind
            behind[at] += 1
        tables.append(table)
    return int(np.minimum(*tables).sum())
