"""Text without capitals."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from llmkit.perturbations import perturbation


@perturbation("lowercase")
@dataclass(frozen=True)
class Lowercase:
    """Writes everything in small letters.

    Effect: every letter in its lower case; nothing is drawn.

    Use it for questions that people type in a hurry. It shows whether a system leans on capitals, for names and
    abbreviations above all; where case carries meaning (code, "US" and "us") a wrong answer may be a fair one.

    Source: HELM's LowerCasePerturbation (Liang et al. 2022, arXiv 2211.09110); the same.
    """

    group: ClassVar[Literal["robustness"]] = "robustness"

    def perturb(self, text: str, rng: Random) -> str:
        """Return the text in lower case."""
        return text.lower()
