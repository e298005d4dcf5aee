"""Letters hit beside the one that was meant."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from llmkit.perturbations import perturbation
from llmkit.perturbations._words import check_rate

_ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
"""Letters of a QWERTY keyboard, and how far each row is set off, in widths of a key."""


def _neighbours() -> dict[str, str]:
    """Return the keys that touch each key: the next ones in its row, and those less than a width aside a row off."""
    places = {key: (x + offset, y) for y, (row, offset) in enumerate(_ROWS) for x, key in enumerate(row)}
    return {
        key: "".join(
            other
            for other, (x, y) in places.items()
            if other != key and abs(y - own_y) <= 1 and abs(x - own_x) <= (1 if y == own_y else 0.99)
        )
        for key, (own_x, own_y) in places.items()
    }


NEIGHBOURS = _neighbours()


@perturbation("typos")
@dataclass(frozen=True)
class Typos:
    """Replaces letters by neighbours on a QWERTY keyboard.

    Effect: each of the letters a to z, with probability ``rate``, becomes one of the keys that touch its own; case is
    kept, and so is everything else.

    Use it for typed questions. At the default rate of 0.1 about every third word is hit, more than people leave
    standing; 0.02 is nearer to life. Names and numbers in letters are hit too, so that at high rates no reader could
    answer.

    Source: HELM's TyposPerturbation (Liang et al. 2022, arXiv 2211.09110; its runs take 0.1, 0.3 and 0.5). Keys are
    neighbours here where they touch; HELM's table also takes d for w, and so on along the top row.

    Attributes:
        rate: Probability that a letter is hit.
    """

    rate: float = 0.1

    group: ClassVar[Literal["robustness"]] = "robustness"

    def __post_init__(self) -> None:
        """Refuse a rate that is no probability."""
        check_rate(self.rate)

    def perturb(self, text: str, rng: Random) -> str:
        """Return the text with typos."""
        return "".join(self._typed(letter, rng) for letter in text)

    def _typed(self, letter: str, rng: Random) -> str:
        near = NEIGHBOURS.get(letter.lower())
        if near is None or rng.random() >= self.rate:
            return letter
        hit = rng.choice(near)
        return hit.upper() if letter.isupper() else hit
