"""Worked examples for the prompt, picked once: every row is shown the same ones, and prompts share a prefix."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from llmkit.datasets.rows import row_digest
from llmkit.datasets.select import seeded_key
from llmkit.errors import DataError, Problem
from llmkit.hashing import canonical_json, digest
from llmkit.types import Sample

_SPARE = 2
"""A row can displace two examples: the one with its id and the one with its input."""


@dataclass(frozen=True, slots=True)
class FewShot:
    """The picked examples. Called with a row it gives the row its ``n``, itself never among them."""

    n: int
    pool: tuple[Sample, ...]

    def __call__(self, sample: Sample) -> tuple[Sample, ...]:
        """Return the examples to show with ``sample``: none has its id or its input.

        Fewer than ``n`` come back only where the whole set of examples has no more to give.
        """
        sound = (shot for shot in self.pool if shot.id != sample.id and shot.input != sample.input)
        return tuple(islice(sound, self.n))

    @property
    def digest(self) -> str:
        """Return the hex digest of the examples, their order and their number."""
        return digest([self.n, *map(row_digest, self.pool)])


def few_shot(
    samples: Iterable[Sample], *, n: int, pick: Literal["first", "random"] = "first", seed: int = 0, source: str = ""
) -> FewShot:
    """Return ``n`` examples (and two to spare) from ``samples``, each with an input of its own and an answer to show.

    A row of several turns is no example: its answer is that to the last turn.

    Args:
        samples: The set to pick from; read once, and with ``first`` only as far as needed.
        n: How many examples a row is shown.
        pick: The first ones, or drawn by the seed; a draw does not depend on the order of the set.
        seed: Of the draw.
        source: Name of the set, for messages.

    Raises:
        DataError: fewer than ``n`` rows can serve.
    """
    if n <= 0:
        return FewShot(0, ())
    usable = _usable(samples)
    if pick == "first":
        pool = tuple(islice(usable, n + _SPARE))
    else:
        pool = tuple(heapq.nsmallest(n + _SPARE, usable, key=lambda sample: seeded_key(seed, sample.id)))
    if len(pool) < n:
        message = f"few_shot asks for {n} examples, and only {len(pool)} rows have one input of their own and an answer"
        raise DataError(problems=[Problem(message, file=source, hint="lower few_shot.n or pick from another set")])
    return FewShot(n, pool)


def _usable(samples: Iterable[Sample]) -> Iterator[Sample]:
    seen: set[int] = set()
    for sample in samples:
        if not sample.input or sample.turns or not (sample.references or sample.answer is not None):
            continue
        key = hash(canonical_json(sample.input))
        if key not in seen:
            seen.add(key)
            yield sample
