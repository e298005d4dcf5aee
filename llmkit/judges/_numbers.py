"""The distribution over a scale that a model's log-probabilities tell of."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmkit.types import TokenLogprob

_LEAD = re.compile(r"[\s*_`\"'(\[]*(?:score[\s*_`]*[:=][\s*_`\"'(\[]*)?", re.IGNORECASE)
"""What may stand before the number; in ``Out of 5: 3`` and ``-3`` the first digits are not the score."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """Probabilities of the whole numbers of a scale.

    Attributes:
        shares: The probability of each number on the scale, as the model gave it; they sum to ``mass``.
        ambiguous: The probability of tokens of which cannot be said which number they begin.
    """

    shares: dict[int, float]
    ambiguous: float

    @property
    def mass(self) -> float:
        """How much of the model's probability lies on the scale."""
        return sum(self.shares.values())

    @property
    def mean(self) -> float:
        """The expected number, given that it is on the scale."""
        return sum(number * share for number, share in self.shares.items()) / self.mass


def weighed(tokens: Sequence[TokenLogprob], low: int, high: int) -> Weighed | None:
    """Return the distribution over ``low`` to ``high`` at the number that the answer begins with; None without one.

    Tokens that are no number, and numbers off the scale, are left out: the mass says how much they hold. A number may
    be written in several tokens (``1``, ``0``): where the sampled answer goes that way, the continuation's own
    probabilities split ``1`` from ``10``; where it does not, and the alternatives show no token of several digits
    (from which follows that a lone ``1`` is a 1), what ``1`` begins is unknown, and counted as ambiguous.
    """
    start = next((at for at, token in enumerate(tokens) if _digits(token.token)), None)
    if start is None or not _LEAD.fullmatch("".join(token.token for token in tokens[:start])):
        return None
    shares = dict.fromkeys(range(low, high + 1), 0.0)
    merged = any(len(_digits(text)) > 1 for token in tokens[start:] for text, _ in _alternatives(token))
    ambiguous = 0.0
    for text, probability in _alternatives(tokens[start]):
        digits = _digits(text)
        if not digits:
            continue
        if merged or not _begins_longer(digits, low, high):
            _add(shares, digits, probability)
        elif text == tokens[start].token:
            ambiguous += _split(shares, digits, probability, tokens[start + 1 :])
        else:
            ambiguous += probability
    return Weighed(shares, ambiguous)


def _split(shares: dict[int, float], digits: str, probability: float, rest: Sequence[TokenLogprob]) -> float:
    """Share out the probability of the sampled digits among the numbers they begin; return what stays unknown."""
    if not rest:  # the answer ended here, as its likeliest continuation
        _add(shares, digits, probability)
        return 0.0
    low, high = min(shares), max(shares)
    ambiguous = 0.0
    for text, share in _alternatives(rest[0]):
        more = _digits(text) if text[:1].isdecimal() else ""
        if not more:
            _add(shares, digits, probability * share)
        elif not _begins_longer(digits + more, low, high):
            _add(shares, digits + more, probability * share)
        elif text == rest[0].token:
            ambiguous += _split(shares, digits + more, probability * share, rest[1:])
        else:
            ambiguous += probability * share
    return ambiguous


def _alternatives(token: TokenLogprob) -> list[tuple[str, float]]:
    """Return the likely tokens at a place with their probabilities, the sampled one among them, each once."""
    found = {text: math.exp(logprob) for text, logprob in token.top}
    found.setdefault(token.token, math.exp(token.logprob))
    return list(found.items())


def _digits(text: str) -> str:
    plain = text.strip()
    return plain if plain.isdecimal() else ""


def _begins_longer(digits: str, low: int, high: int) -> bool:
    """Whether a longer number of the scale begins with these digits."""
    number = int(digits)
    if number == 0 or len(digits) >= len(str(high)):
        return False
    longer = ((number * 10**more, (number + 1) * 10**more - 1) for more in range(1, len(str(high)) - len(digits) + 1))
    return any(first <= high and last >= low for first, last in longer)


def _add(shares: dict[int, float], digits: str, probability: float) -> None:
    number = int(digits)
    if number in shares:
        shares[number] += probability
