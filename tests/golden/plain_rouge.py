"""ROUGE-S, SU and W written down as they are defined (Lin 2004), with no thought of speed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def units(words: Sequence[str], gap: int | None, *, unigrams: bool) -> Counter[tuple[str, ...]]:
    """Count skip-bigrams; for SU, also the words but the last, as ROUGE-1.5.5 does."""
    found: Counter[tuple[str, ...]] = Counter()
    for i in range(len(words)):
        for j in range(i + 1, len(words)):
            if gap is None or j - i - 1 <= gap:
                found[words[i], words[j]] += 1
        if unigrams and i < len(words) - 1:
            found[words[i],] += 1
    return found


def rouge_s(reference: Sequence[str], output: Sequence[str], gap: int | None, *, unigrams: bool) -> list[float]:
    """Return precision, recall and f."""
    expected, given = (units(words, gap, unigrams=unigrams) for words in (reference, output))
    hits = sum(min(count, given[unit]) for unit, count in expected.items())
    return _measures(hits / max(given.total(), 1), hits / max(expected.total(), 1))


def rouge_w(reference: Sequence[str], output: Sequence[str], weight: float) -> list[float]:
    """Return precision, recall and f: the paper's table of scores c and lengths of matches w."""
    c = [[0.0] * (len(output) + 1) for _ in range(len(reference) + 1)]
    w = [[0] * (len(output) + 1) for _ in range(len(reference) + 1)]
    for i, one in enumerate(reference, 1):
        for j, other in enumerate(output, 1):
            if one == other:
                k = w[i - 1][j - 1]
                c[i][j] = c[i - 1][j - 1] + (k + 1) ** weight - k**weight
                w[i][j] = k + 1
            elif c[i - 1][j] > c[i][j - 1]:
                c[i][j] = c[i - 1][j]
            else:
                c[i][j] = c[i][j - 1]
    score = c[-1][-1]
    return _measures(*((score / max(len(words), 1) ** weight) ** (1 / weight) for words in (output, reference)))


def _measures(precision: float, recall: float) -> list[float]:
    both = precision + recall
    return [precision, recall, 2 * precision * recall / both if both else 0.0]
