"""Words as they are often misspelt."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from llmkit.perturbations import perturbation
from llmkit.perturbations._misspellings import MISSPELLINGS
from llmkit.perturbations._words import check_rate, swap_words


@perturbation("misspellings")
@dataclass(frozen=True)
class Misspellings:
    """Replaces words by common misspellings of them.

    Effect: each word that the list knows, with probability ``rate``, becomes one of its misspellings; case is kept.

    Use it for written questions in English: unlike `typos` it errs as people err, and every word stays readable. The
    list is short and everyday, so a text without its words stays as it is; the report says how many rows changed.

    Source: HELM's MisspellingPerturbation (Liang et al. 2022, arXiv 2211.09110; its runs take 0.05, 0.2 and 0.5); the
    list here is our own, and capitals are known.

    Attributes:
        rate: Probability that a word of the list is misspelt.
    """

    rate: float = 0.2

    group: ClassVar[Literal["robustness"]] = "robustness"

    def __post_init__(self) -> None:
        """Refuse a rate that is no probability."""
        check_rate(self.rate)

    def perturb(self, text: str, rng: Random) -> str:
        """Return the text with misspellings."""
        return swap_words(text, MISSPELLINGS, self.rate, rng)
