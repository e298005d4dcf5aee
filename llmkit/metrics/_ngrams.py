"""How many n-grams a text shares with others, counted so that a repeat needs a repeat on the other side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise


def ngrams(tokens: Sequence[str], n: int) -> Iterable[object]:
    """Return the n-grams in order, each hashable: the tokens themselves for ``n`` = 1, else tuples."""
    if n == 1:
        return tokens
    return pairwise(tokens) if n == 2 else zip(*(tokens[i:] for i in range(n)), strict=False)  # noqa: PLR2004 - a pair


def overlap(given: Sequence[str], others: Sequence[Sequence[str]], n: int) -> int:
    """Return how many n-grams of ``given`` another text has too.

    An n-gram counts as often as it stands in ``given``, but not oftener than in the one text that has most of it.
    """
    left: dict[object, int] = dict(Counter(ngrams(others[0], n)))
    for other in others[1:]:
        for gram, count in Counter(ngrams(other, n)).items():
            if count > left.get(gram, 0):
                left[gram] = count
    get = left.get
    shared = 0
    for gram in ngrams(given, n):
        count = get(gram, 0)
        if count:
            left[gram] = count - 1
            shared += 1
    return shared


def in_common(left: Counter[object], right: Counter[object]) -> int:
    """Return the sum, over what both hold, of the smaller of the two counts."""
    common = left.keys() & right.keys()
    return sum(map(min, map(left.__getitem__, common), map(right.__getitem__, common)))
