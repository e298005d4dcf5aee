"""Tables whose columns white space parts, as in TREC's files, split by blocks of lines instead of line by line."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import compress, pairwise
from operator import ne


def split_columns(block: bytes, width: int, wanted: Sequence[int]) -> list[list[bytes]] | None:
    """Return columns of whole lines; None unless every line has exactly ``width`` of them, and none is a comment.

    All lines are split at once. A sign that stands nowhere else is put at their ends, and so shows after the splitting
    that every line has as many columns as it should. Lines that begin with ``#`` are comments.
    """
    if b"\0" in block or block.startswith(b"#") or b"\n#" in block:
        return None
    parts = block.removesuffix(b"\n").replace(b"\n", b" \0 ").split()
    parts.append(b"\0")
    ends = parts[width :: width + 1]
    if len(ends) * (width + 1) != len(parts) or ends.count(b"\0") != len(ends):
        return None
    return [parts[column :: width + 1] for column in wanted]


def stretches(items: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Yield where each run of equal neighbours begins and ends."""
    start, count = 0, len(items)
    while start < count:
        item = items[start]
        # Equal items mostly stand together: then the end is found by halving, and counting shows that it is one.
        end = bisect_left(range(count), True, start, key=lambda place: items[place] != item)
        if items[start:end].count(item) < end - start:
            yield from pairwise(
                [start, *compress(range(start + 1, count), map(ne, items[start:], items[start + 1 :])), count]
            )
            return
        yield start, end
        start = end
