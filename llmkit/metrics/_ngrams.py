"""How many n-grams two token lists share, counted so that a repeat needs a repeat on the other side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise


def ngrams(tokens: Sequence[str], n: int) -> Iterable[object]:
    """Return the n-grams in order, each hashable: the tokens themselves for ``n`` = 1, else tuples."""
    if n == 1:
        return tokens
    if n == 2:  # noqa: PLR2004 - bigrams are the common case, and this is the shortest way to them
        return pairwise(tokens)
    return zip(*(tokens[i:] for i in range(n)), strict=False)


def overlap(left: Sequence[str], right: Sequence[str], n: int) -> int:
    """Return the clipped number of n-grams in both: the sum of the smaller of the two counts.

    Where the n-grams of the left are all different, clipping changes nothing and the size of a set
    intersection is the answer; that is nearly always so for ``n`` > 1, and it is what makes this fast.
    """
    count = len(left) - n + 1
    if count <= 0 or len(right) < n:
        return 0
    distinct = set(ngrams(left, n))
    if len(distinct) == count:
        return len(distinct.intersection(ngrams(right, n)))
    return clipped(Counter(ngrams(left, n)), Counter(ngrams(right, n)))


def overlap_any(left: Sequence[str], rights: Sequence[Sequence[str]], n: int) -> int:
    """Return the clipped overlap with several texts, each n-gram counted as in the text that has most of it."""
    if len(rights) == 1:
        return overlap(left, rights[0], n)
    count = len(left) - n + 1
    if count <= 0:
        return 0
    distinct = set(ngrams(left, n))
    if len(distinct) == count:
        return len(distinct.intersection(chain.from_iterable(ngrams(right, n) for right in rights)))
    most: Counter[object] = Counter()
    for right in rights:
        most |= Counter(ngrams(right, n))
    return clipped(Counter(ngrams(left, n)), most)


def clipped(left: Counter[object], right: Counter[object]) -> int:
    """Return the sum over n-grams of the smaller of the two counts."""
    common = left.keys() & right.keys()
    return sum(map(min, map(left.__getitem__, common), map(right.__getitem__, common)))
