"""How many n-grams a text shares with others, counted so that a repeat needs a repeat on the other side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import repeat

from llmkit.metrics._sequences import positions

_LONG = 4096
"""Tokens from which places are too many to keep as bits of one integer a word."""


def shared_ngrams(given: Sequence[str], others: Sequence[Sequence[str]], longest: int) -> list[int]:
    """Return for n = 1 to ``longest`` how many n-grams of ``given`` another text has too.

    An n-gram counts as often as it stands in ``given``, but not oftener than in the one text that has most of it.

    Every word is an integer whose bits are its places in the other texts. Then the places where an n-gram ends are
    one shift and one "and" away from those of its first n - 1 words, zero where there are none, and equal for equal
    n-grams: nothing is hashed but what is found.
    """
    if sum(map(len, others)) > _LONG:
        return [_by_counting(given, others, n) for n in range(1, longest + 1)]
    places, spans = (positions(others[0]), [-1]) if len(others) == 1 else _joint_positions(others)
    words = [*map(places.get, given, repeat(0))]
    counts = []
    ends = words
    for n in range(1, longest + 1):
        if n > 1:
            ends = [before << 1 & here for before, here in zip(ends, words[n - 1 :], strict=False)]
        found = [*filter(None, ends)]
        if not found:
            break  # a longer match would hold a shorter one
        counts.append(len(found) if len(set(found)) == len(found) else _clipped(found, spans))
    return counts + [0] * (longest - len(counts))


def _clipped(found: Iterable[int], spans: Sequence[int]) -> int:
    counts = Counter(found)
    if len(spans) == 1:
        return sum(map(min, counts.values(), map(int.bit_count, counts)))
    return sum(min(count, max((ends & span).bit_count() for span in spans)) for ends, count in counts.items())


def _joint_positions(texts: Sequence[Sequence[str]]) -> tuple[dict[object, int], list[int]]:
    """Return the places of each word in all texts, one after the other with a gap, and which bits are whose."""
    places: dict[object, int] = {}
    spans = []
    start = 0
    for text in texts:
        for word, bits in positions(text).items():
            places[word] = places.get(word, 0) | bits << start
        spans.append(((1 << len(text)) - 1) << start)
        start += len(text) + 1
    return places, spans


def _by_counting(given: Sequence[str], others: Sequence[Sequence[str]], n: int) -> int:
    most: Counter[object] = Counter()
    for other in others:
        most |= Counter(ngrams(other, n))
    return in_common(Counter(ngrams(given, n)), most)


def ngrams(tokens: Sequence[str], n: int) -> Iterable[tuple[str, ...]]:
    """Return the n-grams in order."""
    return zip(*(tokens[i:] for i in range(n)), strict=False)


def in_common(left: Counter[object], right: Counter[object]) -> int:
    """Return the sum, over what both hold, of the smaller of the two counts."""
    common = left.keys() & right.keys()
    return sum(map(min, map(left.__getitem__, common), map(right.__getitem__, common)))
