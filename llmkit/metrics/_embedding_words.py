"""How much a token weighs: rare ones more than those of every text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmkit.metrics._embedding_model import Tokens

NO_WEIGHT = "no token has a weight under idf: all of them are in every text"


class InverseFrequency:
    """idf(token) = ln((texts + 1) / (texts with the token + 1)), over the texts it is made of (bert-score, MoverScore).

    A token of no text weighs ln(texts + 1); one of every text weighs 0, and so do the model's special tokens.
    """

    def __init__(self, texts: Iterable[Tokens]) -> None:
        self.texts = 0
        self._counts: Counter[int] = Counter()
        for tokens in texts:
            self.texts += 1
            self._counts.update(set(tokens.ids))

    def weights(self, tokens: Tokens) -> list[float]:
        """Return the weight of each token."""
        return [math.log((self.texts + 1) / (self._counts[number] + 1)) for number in tokens.ids]
