"""Texts packed into batches by their tokens, for models that pad a batch to its longest text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def packed(order: Sequence[int], lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield batches of texts, longest first, whose padded size is at most ``budget`` tokens (or a single text)."""
    batch: list[int] = []
    for i in order:
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
