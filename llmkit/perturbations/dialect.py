"""Words of African American Vernacular English for those of Standard American English."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from llmkit.perturbations import perturbation
from llmkit.perturbations._own_list import WordList

AAVE = {
    **dict.fromkeys(("am not", "is not", "are not", "isn't", "aren't"), ("ain't",)),
    **dict.fromkeys(("has not", "have not", "hasn't", "haven't"), ("ain't",)),
    "i am going to": ("i'ma", "i'm gon'"),
    "i'm going to": ("i'ma", "i'm gon'"),
    "going to": ("gon'", "gonna"),
    "about to": ("finna", "'bout to"),
    "trying to": ("tryna",),
    "want to": ("wanna",),
    "have to": ("gotta",),
    "got to": ("gotta",),
    "should have": ("shoulda",),
    "would have": ("woulda",),
    "could have": ("coulda",),
    "you all": ("y'all",),
    "all of you": ("all y'all",),
    "let me": ("lemme",),
    "give me": ("gimme",),
    "because": ("'cause", "cuz"),
    "about": ("'bout",),
    "them": ("'em",),
    "until": ("'til",),
    "all right": ("aight",),
    "alright": ("aight",),
    "a lot of": ("a lotta",),
    "kind of": ("kinda",),
    "out of": ("outta",),
    **{
        f"{verb}ing": (f"{verb}in'",)
        for verb in (
            *(
                "ask",
                "be",
                "buy",
                "call",
                "com",
                "cook",
                "do",
                "eat",
                "feel",
                "get",
                "giv",
                "go",
                "hav",
                "help",
                "keep",
            ),
            *("know", "learn", "leav", "liv", "look", "mak", "mean", "mov", "pay", "play", "put", "read", "runn"),
            *("say", "see", "sell", "sitt", "stay", "tak", "talk", "teach", "tell", "think", "try", "us", "wait"),
            *("walk", "watch", "work", "writ", "noth", "someth", "anyth", "everyth"),
        )
    },
}
"""Words and phrases -> how they are often written in AAVE; a modest list of our own."""


@perturbation("dialect")
@dataclass(frozen=True)
class Dialect(WordList):
    """Writes some words as African American Vernacular English has them.

    Effect: each of some 80 words and phrases that the list knows ("is not", "going to", "because"), with probability
    ``rate``, becomes one that speakers of AAVE often write ("ain't", "gon'", "'cause"); case is kept.

    Use it to see whether a system serves people worse who write so. A drop says that these spellings cost them
    something. No drop proves little: a dialect is a grammar (habitual "be", an absent copula) and not a list of words,
    many Americans of every background write these forms, and only people who speak a dialect can say whether a system
    serves them. Bring a list made with such people, as the source did.

    Source: HELM's DialectPerturbation, SAE to AAVE at 1.0 (Liang et al. 2022, arXiv 2211.09110), whose list comes from
    Ziems et al. 2022 (arXiv 2204.03031); the list here is our own and much smaller, and references stay as they are.
    """

    group: ClassVar[Literal["fairness"]] = "fairness"
    words = AAVE
