"""Character n-grams that two texts have in common, of every length at once: an n-gram is a number, and numbers sort.

A character takes 8 bits where both texts are Latin-1, else as many as their different characters need. A number holds
the n-gram's length above its characters, and as its lowest bit the side it is from; so after sorting, what both sides
have stands side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]

_BITS = 62
"""Of a number, without its sign."""


def shared_ngrams(left: str, right: str, longest: int) -> list[int] | None:
    """Return for n = 1 to ``longest`` how many n-grams two texts share, a repeated one as often as in both.

    None where the n-grams do not fit into 64 bits: very long ones, or texts of very many different characters.
    """
    import numpy as np

    if not left or not right:
        return [0] * longest
    sides, width = _characters(left, right)
    if width * longest + longest.bit_length() + 1 > _BITS:
        return None
    found: list[Ints] = []
    for side, characters in enumerate(sides):
        grams = characters
        for n in range(1, longest + 1):
            if n > 1:
                grams = (grams[:-1] << width) | characters[n - 1 :]
            found.append((grams | (n << (width * longest))) << 1 | side)
    every = np.concatenate(found)
    every.sort()
    starts = np.flatnonzero(every[1:] != every[:-1]) + 1
    starts = np.concatenate(([0], starts, [len(every)]))
    counts = np.diff(starts)
    runs = every[starts[:-1]]
    both = np.flatnonzero((runs[:-1] ^ runs[1:]) == 1)  # they differ in the side alone
    lengths = runs[both] >> (width * longest + 1)
    shared = np.bincount(lengths, np.minimum(counts[both], counts[both + 1]), longest + 1)
    return [int(count) for count in shared[1:]]


def _characters(left: str, right: str) -> tuple[tuple[Ints, Ints], int]:
    import numpy as np

    try:
        one, other = left.encode("latin-1"), right.encode("latin-1")
    except UnicodeEncodeError:
        points = np.frombuffer((left + right).encode("utf-32-le", "surrogatepass"), np.uint32)
        different, numbers = np.unique(points, return_inverse=True)
        numbers = numbers.astype(np.int64)
        return (numbers[: len(left)], numbers[len(left) :]), max(1, (len(different) - 1).bit_length())
    return (np.frombuffer(one, np.uint8).astype(np.int64), np.frombuffer(other, np.uint8).astype(np.int64)), 8
