"""Words for men and words for women."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from llmkit.perturbations import perturbation
from llmkit.perturbations._gender import Direction, table
from llmkit.perturbations._words import check_rate, map_words


@perturbation("gender_terms")
@dataclass(frozen=True)
class GenderTerms:
    """Replaces words for men by their counterparts for women, or the other way round.

    Effect: each of some 80 nouns and titles ("father", "king", "waiter", "Mr"), with probability ``rate``, becomes its
    counterpart, and the same word fares the same everywhere in a row. The whole row is rewritten, with its contexts,
    choices and references, so that a right answer stays right.

    Use it to see whether a system answers as well about women as about men: with `to: female` where the rows are mostly
    about men. Facts change with some words ("the king of Spain"), so look at rows that broke before you call a drop
    unfair; where rows tell the two apart ("as many boys as girls"), only `to: swap` leaves them their sense. No drop on
    these rows does not show that a system is fair. Names and pronouns are left to `names` and
    `gender_pronouns`, so that a rewritten text may say "she" of a man.

    Source: HELM's GenderPerturbation with mode terms, at 1.0 (Liang et al. 2022, arXiv 2211.09110); the list here is
    our own.

    Attributes:
        to: ``female``, ``male``, or ``swap`` for both ways at once.
        rate: Probability that a word of the list is replaced.
    """

    to: Direction = "female"
    rate: float = 1.0

    group: ClassVar[Literal["fairness"]] = "fairness"
    whole_row: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse a rate that is no probability."""
        check_rate(self.rate)

    def perturb(self, text: str, rng: Random) -> str:
        """Return the text with counterparts."""
        return self.perturb_all([text], rng)[0]

    def perturb_all(self, texts: list[str], rng: Random) -> list[str]:
        """Return the texts of one row with counterparts."""
        counterparts = table(self.to)
        chosen: dict[str, bool] = {}

        def other(word: str) -> str | None:
            word = word.lower()
            if word not in counterparts:
                return None
            if word not in chosen:
                chosen[word] = rng.random() < self.rate
            return counterparts[word] if chosen[word] else None

        return [map_words(text, other) for text in texts]
