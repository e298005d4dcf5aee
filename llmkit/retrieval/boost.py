"""What is new counts more: scores held back by the age of a document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from llmkit.retrieval.fuse import Ranked, in_order, min_max

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([dwmy])")
_DAYS = {"d": 1.0, "w": 7.0, "m": 30.4375, "y": 365.25}
UNKNOWN = 0.5
"""What a document without a date keeps, as one of the age of one half-life does."""


def days(text: str) -> float:
    """Return a span of time such as ``180d``, ``26w``, ``6m`` or ``2y`` in days.

    Raises:
        ValueError: it is none, or 0.
    """
    match = _SPAN.fullmatch(text.strip().lower())
    found = float(match[1]) * _DAYS[match[2]] if match else 0.0
    if found <= 0:
        raise ValueError(f"'{text}' is no span of time; write 180d, 26w, 6m or 2y")
    return found


def decay(written: str | None, today: date, half_life: float) -> float:
    """Return what age leaves: 1 for today and the future, 1/2 after one half-life (in days), 1/4 after two.

    Args:
        written: A date, ``YYYY-MM-DD`` and whatever follows; None, or what is no date, counts as one half-life old.
        today: The day from which age is counted.
        half_life: In days.
    """
    try:
        age = (today - date.fromisoformat((written or "")[:10])).days
    except ValueError:
        return UNKNOWN
    return float(0.5 ** (max(age, 0) / half_life))


def recency_boost(
    ranking: Ranked, dates: Mapping[int, str | None], *, today: date, half_life: float, weight: float = 0.3
) -> list[tuple[int, float]]:
    """Return the ranking with part of each score held back by age.

    A score counts as its share of the best one's; ``weight`` of it is multiplied with what age leaves (`decay`), the
    rest stays. Of two chunks that fit alike the newer one wins, and what fits far better wins in spite of its age.

    Args:
        ranking: The candidates.
        dates: The date of each chunk's document, where it has one.
        today: From which age is counted.
        half_life: In days.
        weight: From 0 (age is nothing) to 1.
    """
    kept = {
        number: score * (1 - weight + weight * decay(dates.get(number), today, half_life))
        for number, score in _shares(ranking).items()
    }
    return in_order(kept)


def _shares(ranking: Ranked) -> dict[int, float]:
    """Return each score as its share of the best; where some are below 0 (cosines), between the least and the best."""
    scores = [score for _, score in ranking]
    if not scores or min(scores) < 0 or max(scores) <= 0:
        return min_max(ranking)
    best = max(scores)
    return {number: score / best for number, score in ranking}
