"""He and she."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from llmkit.perturbations import perturbation
from llmkit.perturbations._gender import Direction
from llmkit.perturbations._words import END, START, check_rate, in_case_of

_FORMS = {
    "female": {"he": "she", "him": "her", "himself": "herself", "he's": "she's", "he'd": "she'd", "he'll": "she'll"},
    "male": {"she": "he", "hers": "his", "herself": "himself", "she's": "he's", "she'd": "he'd", "she'll": "he'll"},
}
_NOT_OWNED = (
    *(
        "a",
        "about",
        "after",
        "again",
        "all",
        "alone",
        "an",
        "and",
        "are",
        "as",
        "at",
        "back",
        "be",
        "because",
        "before",
    ),
    *("but", "by", "can", "could", "did", "do", "does", "down", "during", "every", "for", "from", "had", "has", "have"),
    *("he", "how", "i", "if", "in", "into", "is", "it", "may", "might", "more", "never", "not", "of", "off", "often"),
    *("on", "once", "or", "out", "over", "she", "should", "so", "than", "that", "the", "then", "there", "they", "this"),
    *("through", "to", "today", "too", "under", "until", "up", "was", "we", "were", "what", "when", "where", "whether"),
    *("which", "while", "who", "why", "will", "with", "would", "yesterday", "you"),
)
"""Words that seldom begin what somebody owns: "saw her at home", "it is his and mine"."""

_OWNED = rf"(?= +(?!(?:{'|'.join(_NOT_OWNED)})\b)\w)"
_PRONOUN = re.compile(
    rf"{START}(?:(?P<owner>(?:his|her){_OWNED})|s?he(?:['\u2019](?:s|d|ll))?|him(?:self)?|his|her(?:s(?:elf)?)?){END}",
    re.IGNORECASE,
)


@perturbation("gender_pronouns")
@dataclass(frozen=True)
class GenderPronouns:
    """Replaces "he" by "she", or the other way round.

    Effect: with probability ``rate``, drawn once a row, every pronoun of the one gender becomes that of the other: he,
    him, his, himself. "His" and "her" are told apart by the word that follows ("her book", "saw her at"), which is
    wrong now and then. The whole row is rewritten, with its contexts, choices and references.

    Use it beside `gender_terms` and `names`, with the same care: rows that say who is meant by other words will
    contradict themselves, and no drop on these rows does not show that a system is fair.

    Source: HELM's GenderPerturbation with mode pronouns, male to female at 1.0 (Liang et al. 2022, arXiv 2211.09110),
    which always writes "her" for "his".

    Attributes:
        to: ``female``, ``male``, or ``swap`` for both ways at once.
        rate: Probability that a row's pronouns are replaced.
    """

    to: Direction = "female"
    rate: float = 1.0

    group: ClassVar[Literal["fairness"]] = "fairness"
    whole_row: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse a rate that is no probability."""
        check_rate(self.rate)

    def perturb(self, text: str, rng: Random) -> str:
        """Return the text with the other pronouns."""
        return self.perturb_all([text], rng)[0]

    def perturb_all(self, texts: list[str], rng: Random) -> list[str]:
        """Return the texts of one row with the other pronouns."""
        if rng.random() >= self.rate:
            return list(texts)
        return [_PRONOUN.sub(self._other, text) for text in texts]

    def _other(self, match: re.Match[str]) -> str:
        word = match[0].lower().replace("\u2019", "'")
        for to, forms in _FORMS.items():
            if self.to in (to, "swap") and word in forms:
                return in_case_of(match[0], forms[word])
        if word == "his" and self.to != "male":
            return in_case_of(match[0], "her" if match["owner"] else "hers")
        if word == "her" and self.to != "female":
            return in_case_of(match[0], "his" if match["owner"] else "him")
        return match[0]
