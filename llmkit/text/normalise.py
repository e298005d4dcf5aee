"""Named normalisations of a text, applied before texts are compared.

A normalisation is a pure function from text to text. They compose: ``("first_line", "squad")`` takes the first
line and normalises it as SQuAD does. Every one is idempotent, and so is every composition that a single name gives.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TypeAlias

from llmkit.errors import ConfigError, Problem

Normalise: TypeAlias = Callable[[str], str]

_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]+")
_PUNCTUATION_BYTES = string.punctuation.encode("ascii")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_ARTICLE_WORDS = frozenset({"a", "an", "the"})
_NOT_ALNUM = re.compile(r"[\W_]+")
_EDGES = " \t\r\n.,:;!?*_`~|'\"()[]{}<>\u00ab\u00bb\u2018\u2019\u201c\u201d\u3002\uff0c\uff01\uff1f"


def none(text: str) -> str:
    """Return the text as it is."""
    return text


def strip(text: str) -> str:
    """Remove white space at both ends."""
    return text.strip()


def lower(text: str) -> str:
    """Lower-case."""
    return text.lower()


def punctuation(text: str) -> str:
    """Delete ASCII punctuation; nothing takes its place, so ``well-known`` becomes ``wellknown``."""
    return _PUNCTUATION.sub("", text)


def articles(text: str) -> str:
    """Delete the lower-case English words a, an and the."""
    return _ARTICLES.sub(" ", text)


def spaces(text: str) -> str:
    """Collapse white space to single spaces and strip both ends."""
    return " ".join(text.split())


def squad(text: str) -> str:
    """Lower-case, delete ASCII punctuation, delete English articles, collapse white space.

    Source: ``normalize_answer`` of the SQuAD evaluation script (Rajpurkar et al. 2016, arXiv 1606.05250), in its order.
    """
    if text.isascii():
        words = text.lower().encode("ascii").translate(None, _PUNCTUATION_BYTES).decode("ascii").split()
        plain = " ".join([word for word in words if word not in _ARTICLE_WORDS])
        if plain.isprintable():  # then white space alone parts the words, as the expressions below would have it
            return plain
    return " ".join(_ARTICLES.sub(" ", _PUNCTUATION.sub("", text.lower())).split())


def helm(text: str) -> str:
    """Do what HELM does for its quasi-exact match and F1; its ``normalize_text`` has the steps and order of `squad`."""
    return squad(text)


def alnum(text: str) -> str:
    """Lower-case; every run of characters that are no letter or digit of any script becomes one space."""
    return _NOT_ALNUM.sub(" ", text.lower()).strip()


def accents(text: str) -> str:
    """Remove accents: decompose (NFKD), drop combining marks, compose again (NFKC)."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return unicodedata.normalize("NFKC", bare)


def nfkc(text: str) -> str:
    """Apply Unicode NFKC: full-width and other compatibility forms become the plain ones."""
    return unicodedata.normalize("NFKC", text)


def first_line(text: str) -> str:
    """Keep the first line that is not blank, stripped."""
    return text.strip().partition("\n")[0].rstrip()


def last_line(text: str) -> str:
    """Keep the last line that is not blank, stripped."""
    return text.strip().rpartition("\n")[2].lstrip()


def label(text: str) -> str:
    """Make class labels comparable: case-fold, collapse white space, drop quotes, brackets and marks at both ends.

    A sign, a percent or a hash stays (``-1``, ``c#``); a label that is nothing but marks stays as it is.
    """
    plain = " ".join(text.split()).casefold()
    return plain.strip(_EDGES) or plain


_ALL: tuple[Normalise, ...] = (none, strip, lower, punctuation, articles, spaces, squad, helm, alnum, accents, nfkc)
_ALL += (first_line, last_line, label)

NORMALISATIONS: Mapping[str, Normalise] = {f.__name__: f for f in _ALL}
"""Every normalisation by its name."""


def normaliser(names: str | Sequence[str]) -> Normalise:
    """Return the composition of the named normalisations, the first applied first.

    Raises:
        ConfigError: names that do not exist, all of them, with suggestions.
    """
    return _compose((names,) if isinstance(names, str) else tuple(names))


@cache
def _compose(names: tuple[str, ...]) -> Normalise:
    problems = [_unknown(name) for name in names if name not in NORMALISATIONS]
    if problems:
        raise ConfigError(problems=problems)
    steps = tuple(NORMALISATIONS[name] for name in names if name != "none")
    if not steps:
        return none
    if len(steps) == 1:
        return steps[0]

    def chain(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return chain


def _unknown(name: str) -> Problem:
    import difflib

    near = difflib.get_close_matches(name, NORMALISATIONS, n=1, cutoff=0.6)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(NORMALISATIONS)}"
    return Problem(f"unknown normalisation '{name}'", hint=hint)
