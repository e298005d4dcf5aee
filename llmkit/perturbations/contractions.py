"""Short forms: "do not" and "don't"."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from llmkit.perturbations import perturbation
from llmkit.perturbations._words import phrases, swap_phrases

_SUBJECTS = {
    "am": ("'m", "i"),
    "are": ("'re", "you we they"),
    "is": ("'s", "he she it that there here what who where when why how"),
    "will": ("'ll", "i you he she it we they that there what who"),
    "would": ("'d", "i you he she it we they that there who"),
    "have": ("'ve", "i you we they could should would might must"),
}
"""Verb -> its short form, and the words that take it. "has" and "had" are left alone: their forms mean "is" and
"would" as often."""

_NEGATED = {
    **{verb: verb for verb in ("is", "are", "was", "were", "do", "does", "did", "has", "have", "had")},
    **{verb: verb for verb in ("could", "should", "would", "might", "must", "need")},
    "can": "ca",
    "will": "wo",
    "shall": "sha",
}
"""Verb -> how it is written before "n't"."""

_NO_END = r"(?= +(?!(?:and|or|but|because|if|than|when|though)\b)[\w\"'(])"
"""A short form does not stand at the end: "who he is", "as it is and was"."""


def _short_forms() -> dict[str, str]:
    forms = {
        f"{subject} {verb}": f"{subject}{short}"
        for verb, (short, subjects) in _SUBJECTS.items()
        for subject in subjects.split()
    }
    forms |= {f"{verb} not": f"{stem}n't" for verb, stem in _NEGATED.items()}
    forms["cannot"] = forms.pop("can not")
    return forms


SHORT = _short_forms()
LONG = {short: long for long, short in SHORT.items()} | {"let's": "let us"}
_TO_SHORT = phrases(SHORT, ahead=_NO_END)
_TO_LONG = phrases(LONG)


@perturbation("contractions")
@dataclass(frozen=True)
class Contractions:
    """Writes "do not" as "don't", or the other way round.

    Effect: ``contract`` makes every short form that can be made, but none at the end of a clause ("that is who he
    is."); ``expand`` writes every short form out. Nothing is drawn.

    Use it to see whether the tone of a question matters. Both forms say the same, with few exceptions: "he's gone"
    becomes "he is gone".

    Source: HELM's ContractionPerturbation and ExpansionPerturbation (Liang et al. 2022, arXiv 2211.09110); the forms
    here are made of 6 verbs and 19 negations, and typographic apostrophes are known.

    Attributes:
        direction: ``contract`` or ``expand``.
    """

    direction: Literal["contract", "expand"] = "contract"

    group: ClassVar[Literal["robustness"]] = "robustness"

    def perturb(self, text: str, rng: Random) -> str:
        """Return the text with the other forms."""
        if self.direction == "contract":
            return swap_phrases(text, _TO_SHORT, SHORT.__getitem__, 1, rng)
        return swap_phrases(text, _TO_LONG, LONG.__getitem__, 1, rng)
