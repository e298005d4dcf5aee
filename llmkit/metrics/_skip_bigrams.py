"""Skip-bigrams: pairs of words in the order of the text, with at most so many words between them.

The number of pairs of a text follows from its length; only pairs whose two words both texts have are ever counted.
How they are counted depends on the length: short texts by lists or by one long integer, since numpy would spend more
time on setting out; long ones by numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count, repeat
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]

_SHORT = 60
"""Texts of at most so many words together are counted without numpy."""

_SPARSE = 16
"""A table with more cells than this for each pair is not made; the pairs are sorted instead."""

_LANE = 16
"""Bits of one count in a long integer: with its highest bit free it holds all the pairs of two short texts."""

_BYTE = 256


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
    common = set(left).intersection(right)
    if not common:
        return 0
    most = max(len(left), len(right)) - 1
    reach = most if gap is None else min(gap + 1, most)
    short = len(left) + len(right) <= _SHORT
    if short and 2 * reach < most:
        return _in_windows(left, right, common, reach, single=single)
    code = dict(zip(common, count()))
    if reach == most:
        return (_in_lanes if short else _after_one_another)(left, right, code, single=single)
    return _within_reach(left, right, code, reach, single=single)


def _in_windows(left: Sequence[str], right: Sequence[str], common: set[str], reach: int, *, single: bool) -> int:
    """Count by lists of the words that follow each common word on the left; what the right text finds, it strikes."""
    following: dict[str, list[str]] = {}
    for place, word in enumerate(left, 1):
        if word in common:
            if word in following:
                following[word] += left[place : place + reach]
            else:
                following[word] = list(left[place : place + reach])
    shared = 0
    for place, word in enumerate(right, 1):
        if word in common:
            rest = following[word]
            for other in right[place : place + reach]:
                if other in rest:
                    rest.remove(other)
                    shared += 1
    return shared + (_singles(left, right, common) if single else 0)


def _singles(left: Sequence[str], right: Sequence[str], common: set[str]) -> int:
    rest = [word for word in left[:-1] if word in common]
    shared = 0
    for word in right[:-1]:
        if word in rest:
            rest.remove(word)
            shared += 1
    return shared


def _in_lanes(left: Sequence[str], right: Sequence[str], code: Mapping[str, int], *, single: bool) -> int:
    """Count in one integer a text, with a lane of bits for each (word, earlier word), and compare all lanes at once."""
    lanes = (len(code) + single) * len(code)
    one, other = (_lanes(words, code, single=single) for words in (left, right))
    high = int.from_bytes(b"\x00\x80" * lanes, "little")
    # With the highest bit of each lane set in one, no lane borrows from its neighbour; where it stays, one >= other.
    kept = ((one | high) - other) & high
    smaller = one ^ ((one ^ other) & (kept - (kept >> (_LANE - 1))))
    return smaller % ((1 << _LANE) - 1)  # the sum of the lanes, as the sum of digits is the rest by 9


def _lanes(words: Sequence[str], code: Mapping[str, int], *, single: bool) -> int:
    total = before = 0
    row = _LANE * len(code)
    at = [code[word] for word in words if word in code]
    for place in at:
        total += before << place * row
        before += 1 << place * _LANE
    if not single:
        return total
    last = code.get(words[-1])
    return total + ((before - (0 if last is None else 1 << last * _LANE)) << row * len(code))


def _within_reach(
    left: Sequence[str], right: Sequence[str], code: Mapping[str, int], reach: int, *, single: bool
) -> int:
    """Count with one table of (word, later word) for each text, filled from all windows at once."""
    import numpy as np

    # Two codes that no pair of the other text has, for words (and the space behind the text) that count for nothing.
    alone, alone_too = len(code), len(code) + 1
    size = len(code) + 2
    get = code.get
    if size <= _BYTE:
        one = bytes(map(get, left, repeat(alone))) + bytes([alone]) * reach
        other = bytes(map(get, right, repeat(alone_too))) + bytes([alone_too]) * reach
        codes = np.frombuffer(one + other, np.uint8).astype(np.int64)
    else:
        ones = [*map(get, left, repeat(alone)), *[alone] * reach]
        codes = np.array([*ones, *map(get, right, repeat(alone_too)), *[alone_too] * reach], np.int64)
    start, count = len(left) + reach, len(codes) - reach
    cells = size * size
    first = codes[:count] * size
    first[start:] += cells
    step = codes.itemsize
    windows: Ints = np.ndarray((reach, count), np.int64, codes, step, (step, step))
    pairs = (windows + first).ravel()
    if cells > _SPARSE * len(pairs):
        shared = _in_common(pairs[pairs < cells], pairs[pairs >= cells] - cells)
    else:
        table = np.bincount(pairs, minlength=2 * cells)
        shared = int(np.minimum(table[:cells], table[cells:]).sum())
    if single:
        table = np.bincount(codes[: len(left) - 1], minlength=size)
        np.minimum(table, np.bincount(codes[start : start + len(right) - 1], minlength=size), out=table)
        shared += int(table.sum())
    return shared


def _in_common(left: Ints, right: Ints) -> int:
    """Return how many numbers two arrays have in common, repeats counted as often as in both."""
    import numpy as np

    (left, counts), (right, right_counts) = (np.unique(part, return_counts=True) for part in (left, right))
    _, at, right_at = np.intersect1d(left, right, assume_unique=True, return_indices=True)
    return int(np.minimum(counts[at], right_counts[right_at]).sum())


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
        one, other = (np.bincount(np.array(codes, dtype=np.int64), minlength=len(code)) for codes in known)
        shared += int(np.minimum(one, other).sum())
    return shared
