"""Work of a CPU side by side: each piece on one thread, as many pieces at once as there are threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import starmap
from typing import Any, TypeVar

import torch

S = TypeVar("S")
T = TypeVar("T")

_PIECE = 32


def side_by_side(work: Callable[[S], T], items: Sequence[S]) -> Iterator[T]:
    """Yield what ``work`` makes of each item, in order.

    Threads that share a computation wait for one another at every step, and burn their time while they wait, the more
    the busier the machine and the smaller the step. Threads that compute apart do not wait.
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(items) < 2:  # noqa: PLR2004 - one item has no other beside it
        yield from map(work, items)
        return
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(work, items)
    finally:
        torch.set_num_threads(threads)


def each(work: Callable[..., T], items: Sequence[tuple[Any, ...]]) -> list[T]:
    """Return what ``work`` makes of each item's arguments, for work so small that a thread takes many at a time."""
    pieces = [items[start : start + _PIECE] for start in range(0, len(items), _PIECE)]
    return [made for piece in side_by_side(lambda piece: list(starmap(work, piece)), pieces) for made in piece]
