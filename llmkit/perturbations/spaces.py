"""Spaces typed more than once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from llmkit.perturbations import perturbation

_BETWEEN = re.compile(r"(?<=\S) +(?=\S)")


@perturbation("spaces")
@dataclass(frozen=True)
class Spaces:
    """Writes between one and several spaces where there is one.

    Effect: each run of spaces between two words becomes ``least`` to ``most`` spaces, drawn evenly. Line breaks, tabs,
    and the indentation of lines stay.

    Use it for texts that were copied or typed with care for nothing but the words. A language model should not mind; a
    program that splits at single spaces will.

    Source: HELM's SpacePerturbation with max_spaces 3, and with ``least: 2, most: 2`` its ExtraSpacePerturbation
    (Liang et al. 2022, arXiv 2211.09110), which touch indentation too.

    Attributes:
        most: Most spaces between two words.
        least: Fewest spaces between two words.
    """

    most: int = 3
    least: int = 1

    group: ClassVar[Literal["robustness"]] = "robustness"

    def __post_init__(self) -> None:
        """Refuse numbers that would join words or make no range."""
        if not 1 <= self.least <= self.most:
            raise ValueError(f"least must be 1 or more, and most no less: not {self.least} to {self.most}")

    def perturb(self, text: str, rng: Random) -> str:
        """Return the text with other spaces."""
        return _BETWEEN.sub(lambda _: " " * rng.randint(self.least, self.most), text)
