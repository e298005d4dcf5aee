"""The random order in which a sequential gate has rows asked."""

from __future__ import annotations

from collections.abc import Sequence

from llmkit.hashing import digest


def order_key(row: str, seed: int) -> str:
    """Return what rows are sorted by to be asked; ``row`` is the digest of one (`llmkit.datasets.row_digest`)."""
    return digest([seed, row])


def asking_order(rows: Sequence[str], seed: int) -> list[int]:
    """Return the places of rows, given by their digests, in the order in which they are asked.

    It is random, the same in every run with that seed, and known again from the rows themselves: so whoever compares
    two runs later looks at the same sequence.
    """
    keys = [order_key(row, seed) for row in rows]
    return sorted(range(len(rows)), key=lambda place: (keys[place], place))
