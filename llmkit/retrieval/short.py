"""BM25 of texts too short for a trigram index, by looking through every chunk."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence

_K1, _B = 1.2, 0.75
_LEAST_RARITY = 1e-6


def short_scores(texts: Iterable[tuple[int, str]], wanted: Sequence[str]) -> dict[int, float]:
    """Return the score of every text that holds one of ``wanted``, as FTS5's ``bm25`` weighs words (k1 1.2, b 0.75).

    Args:
        texts: A number and a text each; lengths are counted in characters.
        wanted: What is looked for, in lower case, each once.
    """
    counts: list[tuple[int, int, list[int]]] = []
    lengths = array("q")
    frequencies = [0] * len(wanted)
    for number, text in texts:
        lowered = text.lower()
        lengths.append(len(lowered))
        found = [lowered.count(part) for part in wanted]
        if any(found):
            counts.append((number, len(lowered), found))
            frequencies = [before + (count > 0) for before, count in zip(frequencies, found, strict=True)]
    average = sum(lengths) / len(lengths) if lengths else 0.0
    rarity = [max(_LEAST_RARITY, math.log((len(lengths) - n + 0.5) / (n + 0.5))) for n in frequencies]
    return {
        number: sum(
            weight * n * (_K1 + 1) / (n + _K1 * (1 - _B + _B * length / average))
            for weight, n in zip(rarity, found, strict=True)
        )
        for number, length, found in counts
    }
