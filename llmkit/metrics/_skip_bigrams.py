"""Skip-bigrams: pairs of words in the order of the text, with at most so many words between them.

The number of pairs of a text follows from its length; only pairs whose two words both texts have are ever counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, repeat
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]

_SHORT = 32
"""Texts of fewer words together are counted pair by pair: numpy would spend longer on setting out."""

_SPARSE = 16
"""A table with more cells than this for each pair is not made; the pairs are sorted instead."""


def skip_bigrams(length: int, gap: int | None, *, single: bool = False) -> int:
    """Return how many skip-bigrams a text of ``length`` words has; the arguments are `shared_skip_bigrams`'s."""
    if length < 2:  # noqa: PLR2004 - a pair
        return 0
    reach = length - 1 if gap is None else min(gap + 1, length - 1)
    return reach * length - reach * (reach + 1) // 2 + (length - 1 if single else 0)


def shared_skip_bigrams(left: Sequence[str], right: Sequence[str], gap: int | None, *, single: bool = False) -> int:
    """Return how many skip-bigrams two texts have in common, a repeated one as often as in the text with fewer of it.

    Args:
        left: Words of a text.
        right: Words of the other.
        gap: The most words between the two of a pair; None for any number.
        single: Count every word but the last by itself, too.
    """
    common = set(left)
    common.intersection_update(right)
    if not common:
        return 0
    code = dict(zip(common, count(), strict=False))
    if len(left) + len(right) < _SHORT:
        reach = len(left) + len(right) if gap is None else gap + 1
        return _one_by_one(_pairs(left, code, reach, single=single), _pairs(right, code, reach, single=single))
    if gap is None:
        return _after_one_another(left, right, code, single=single)
    return _within_reach(left, right, code, min(gap + 1, max(len(left), len(right))), single=single)


def _one_by_one(left: Iterator[int], right: Iterator[int]) -> int:
    counts: dict[int, int] = {}
    get = counts.get
    for pair in left:
        counts[pair] = get(pair, 0) + 1
    shared = 0
    for pair in right:
        times = get(pair, 0)
        if times:
            counts[pair] = times - 1
            shared += 1
    return shared


def _pairs(words: Sequence[str], code: Mapping[str, int], reach: int, *, single: bool) -> Iterator[int]:
    known = [(place, code[word]) for place, word in enumerate(words) if word in code]
    size = len(code)
    for number, (place, first) in enumerate(known, 1):
        if single and place < len(words) - 1:
            yield -1 - first
        last = place + reach
        base = first * size
        for other, second in known[number : number + reach]:
            if other > last:
                break
            yield base + second


def _within_reach(
    left: Sequence[str], right: Sequence[str], code: Mapping[str, int], reach: int, *, single: bool
) -> int:
    """Count with one table of (word, later word) for each text, filled from all windows at once."""
    import numpy as np

    # Two codes that no pair of the other text has, for words (and the space behind the text) that count for nothing.
    alone, alone_too = len(code), len(code) + 1
    size = len(code) + 2
    get = code.get
    every = [*map(get, left, repeat(alone)), *[alone] * reach]
    start = len(every)
    every += map(get, right, repeat(alone_too))
    every += [alone_too] * reach
    codes = np.array(every, dtype=np.int64)
    step = codes.itemsize
    windows: Ints = np.ndarray((len(every) - reach, reach), np.int64, codes, step, (step, step))
    pairs = codes[: len(windows), None] * size + windows
    shared = _in_common(pairs[: len(left)].ravel(), pairs[start:].ravel(), size * size)
    if single:
        shared += _in_common(codes[: len(left) - 1], codes[start : start + len(right) - 1], size)
    return shared


def _in_common(left: Ints, right: Ints, size: int) -> int:
    """Return how many numbers below ``size`` two arrays have in common, repeats counted as often as in both."""
    import numpy as np

    if size > _SPARSE * (len(left) + len(right) + 1):
        (left, counts), (right, right_counts) = (np.unique(part, return_counts=True) for part in (left, right))
        _, at, right_at = np.intersect1d(left, right, assume_unique=True, return_indices=True)
        return int(np.minimum(counts[at], right_counts[right_at]).sum())
    table = np.bincount(left, minlength=size)
    np.minimum(table, np.bincount(right, minlength=size), out=table)
    return int(table.sum())


def _after_one_another(left: Sequence[str], right: Sequence[str], code: Mapping[str, int], *, single: bool) -> int:
    """Count from the end: each word is followed by all the words seen so far."""
    import numpy as np

    tables: list[Ints] = []
    for words in (left, right):
        table = np.zeros((len(code), len(code)), dtype=np.int64)
        behind = np.zeros(len(code), dtype=np.int64)
        for at in reversed([code[word] for word in words if word in code]):
            table[at] += behind
            behind[at] += 1
        tables.append(table)
    shared = int(np.minimum(tables[0], tables[1]).sum())
    if single:
        known = ([code[word] for word in words[:-1] if word in code] for words in (left, right))
        one, other = (np.array(codes, dtype=np.int64) for codes in known)
        shared += _in_common(one, other, len(code))
    return shared
