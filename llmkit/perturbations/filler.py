"""Words that say nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from llmkit.perturbations import perturbation
from llmkit.perturbations._words import check_rate

FILLERS = (
    *("um", "uh", "er", "hmm", "well", "like", "so", "you know", "I mean", "you see", "let me think", "okay"),
    *("actually", "basically", "honestly", "literally", "as it were", "sort of"),
)
_BEFORE = re.compile(r"(?:(?<=^)|(?<= ))(?=\S)", re.MULTILINE)


@perturbation("filler")
@dataclass(frozen=True)
class Filler:
    """Puts words that say nothing between the others.

    Effect: before each word, with probability ``rate``, one of 18 words and phrases of hesitation ("um", "you know").

    Use it for systems that read transcribed speech. Inside quotations, names and code the words do change what is
    said, so a drop at high rates may be fair.

    Source: HELM's FillerWordsPerturbation (Liang et al. 2022, arXiv 2211.09110; its runs take 0.3); the list here is
    our own, and leaves out words of doubt such as "maybe", which do say something.

    Attributes:
        rate: Probability that a word has a filler before it.
    """

    rate: float = 0.3

    group: ClassVar[Literal["robustness"]] = "robustness"

    def __post_init__(self) -> None:
        """Refuse a rate that is no probability."""
        check_rate(self.rate)

    def perturb(self, text: str, rng: Random) -> str:
        """Return the text with fillers."""
        return _BEFORE.sub(lambda _: f"{rng.choice(FILLERS)} " if rng.random() < self.rate else "", text)
