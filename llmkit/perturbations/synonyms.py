"""Other words for the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from llmkit.perturbations import perturbation
from llmkit.perturbations._own_list import WordList
from llmkit.perturbations._synonyms import SYNONYMS


@perturbation("synonyms")
@dataclass(frozen=True)
class Synonyms(WordList):
    """Replaces words by others that mean the same.

    Effect: each word that the list knows, with probability ``rate``, becomes one of its synonyms in the same form
    ("started", "began"); case is kept.

    Use it to see whether a system leans on the very words of its documents or examples. The list is small, and of words
    that can stand for each other almost everywhere; bring your own for the words of your field.

    Source: HELM's SynonymPerturbation (Liang et al. 2022, arXiv 2211.09110; its runs take 0.5), which draws from all of
    WordNet and so also writes "dependable movie" for "good movie"; the list here is our own.
    """

    rate: float = 0.5

    group: ClassVar[Literal["robustness"]] = "robustness"
    words = SYNONYMS
