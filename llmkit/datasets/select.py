"""Which rows of a file belong to the set: ``where`` first, then ``limit``, then ``sample``.

``limit`` keeps the first rows that pass ``where``, and reading stops there. ``sample`` draws from what is then left:
each row gets a number from the seed and its content, and the ``n`` smallest stay, in their order. So the draw does
not depend on the order of the rows, and a row added to the file displaces at most one other.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any

from llmkit.datasets.readers import Numbered
from llmkit.datasets.where import Where
from llmkit.errors import Problem
from llmkit.hashing import canonical_json


def keep_where(rows: Iterable[Numbered], where: Where, file: str) -> Iterator[Numbered]:
    """Yield the rows that pass; a row whose values cannot be compared becomes a problem."""
    test = where.test
    for line, row in rows:
        if type(row) is not dict:
            yield line, row
            continue
        try:
            kept = test(row)
        except ValueError as error:
            yield line, Problem(str(error), file=file, line=line)
            continue
        if kept:
            yield line, row


def keep_first(rows: Iterable[Numbered], limit: int) -> Iterator[Numbered]:
    """Yield rows until ``limit`` of them are not problems."""
    left = limit
    for line, row in rows:
        yield line, row
        left -= type(row) is not Problem
        if left <= 0:
            return


def seeded_key(seed: int, content: Any) -> bytes:
    """Return 16 bytes that order things at random, the same for the same seed and content on any machine."""
    text = canonical_json(content).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16, key=str(seed).encode()[:64]).digest()


def _itself(row: Any) -> Any:
    return row


def draw(rows: Iterable[Numbered], n: int, seed: int, *, content: Callable[[Any], Any] = _itself) -> frozenset[int]:
    """Return the positions (from 0, problems not counted) of the ``n`` rows that the seed draws.

    ``content`` returns what of a row its number is made from.
    """
    sound = (content(row) for _, row in rows if type(row) is not Problem)
    keyed = ((seeded_key(seed, row), position) for position, row in enumerate(sound))
    return frozenset(position for _, position in heapq.nsmallest(n, keyed))


def keep_drawn(rows: Iterable[Numbered], drawn: Callable[[], frozenset[int]]) -> Iterator[Numbered]:
    """Yield the drawn rows, and every problem."""
    positions = drawn()
    position = 0
    for line, row in rows:
        if type(row) is Problem:
            yield line, row
            continue
        if position in positions:
            yield line, row
        position += 1
