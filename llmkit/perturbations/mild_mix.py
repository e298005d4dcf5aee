"""Several mild perturbations, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from llmkit.perturbations import perturbation
from llmkit.perturbations.contractions import Contractions
from llmkit.perturbations.lowercase import Lowercase
from llmkit.perturbations.misspellings import Misspellings
from llmkit.perturbations.spaces import Spaces

_STEPS = (Lowercase(), Contractions("contract"), Misspellings(rate=0.1), Spaces(most=3))


@perturbation("mild_mix")
@dataclass(frozen=True)
class MildMix:
    """Small letters, short forms, a few misspellings and uneven spaces, all at once.

    Effect: `lowercase`, then `contractions`, then `misspellings` at a rate of 0.1, then `spaces` of 1 to 3.

    Use it as the one perturbation of an evaluation that has room for one: every row changes, and every row still reads
    as a person in a hurry would write it. It does not say which of the four did the harm.

    Source: HELM's MildMixPerturbation, its canonical robustness perturbation (Liang et al. 2022, arXiv 2211.09110);
    the same four steps in the same order.
    """

    group: ClassVar[Literal["robustness"]] = "robustness"

    def perturb(self, text: str, rng: Random) -> str:
        """Return the text after all four steps."""
        for step in _STEPS:
            text = step.perturb(text, rng)
        return text
