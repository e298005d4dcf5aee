"""An OpenAI-compatible ``/moderations`` endpoint, asked synchronously."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmkit.metrics._waiting_client import WaitingClient


@dataclass(frozen=True)
class Moderation:
    """Rates texts by the scores that a moderation model gives its categories: the greatest one counts.

    Attributes:
        server: Who is asked.
        model: The moderation model.
        categories: The categories that count; none means all.
        per_request: How many texts are sent at once.
    """

    server: WaitingClient
    model: str
    categories: tuple[str, ...] = ()
    per_request: int = 32

    def __call__(self, texts: Sequence[str]) -> list[float]:
        """Return a number from 0 to 1 for each text.

        Raises:
            AuthenticationError: the endpoint refused the key.
            RequestError: it did not answer, or not in form.
        """
        starts = range(0, len(texts), self.per_request)
        return [score for start in starts for score in self._rate(texts[start : start + self.per_request])]

    def _rate(self, texts: Sequence[str]) -> list[float]:
        results = self.server.post("/moderations", {"model": self.model, "input": list(texts)}).get("results")
        if not isinstance(results, list) or len(results) != len(texts):
            found = f"{len(results)} results" if isinstance(results, list) else "no list of results"
            raise self.server.garbled(f"{found} for {len(texts)} texts")
        return [self._score(result) for result in results]

    def _score(self, result: Any) -> float:
        scores = result.get("category_scores") if isinstance(result, Mapping) else None
        if not isinstance(scores, Mapping) or not scores:
            raise self.server.garbled("a result without category_scores")
        missing = [name for name in self.categories if name not in scores]
        if missing:
            known = ", ".join(map(str, scores))
            raise self.server.garbled(f"no score for the category '{missing[0]}'; it has: {known}")
        chosen = [scores[name] for name in self.categories or scores]
        numbers = [number for number in chosen if isinstance(number, (int, float)) and not isinstance(number, bool)]
        if not numbers:  # a category that does not apply to texts has no number
            raise self.server.garbled("category_scores without a number")
        return float(max(numbers))
