"""Probabilities of labels, from the log-probabilities of the tokens of an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from llmkit.metrics._labels import LONGEST
from llmkit.text.normalise import Normalise
from llmkit.types import Skipped, TokenLogprob

NO_TOKENS = Skipped("the response has no token log-probabilities: let the target ask for logprobs and top_logprobs")
NO_ALTERNATIVES = Skipped("the label's token has no alternatives: let the target ask for top_logprobs")
NO_LABEL = Skipped("no known label stands in the answer's tokens")
ALIKE = Skipped("the first tokens of the labels do not tell them apart")


def label_probabilities(
    tokens: Sequence[TokenLogprob], known: Mapping[str, str], plain: Normalise
) -> dict[str, float] | Skipped:
    """Return the probability of each known label at the place where the answer names one.

    The place is the token with which the first known label of the answer begins. The probabilities of that token and of
    its alternatives are added up by the label they begin (" A", "A" and "a" are one), and renormalised over the labels;
    what belongs to no label is left out, and a label that is not among the alternatives has 0. A token begins a
    label when it is the whole label, or at least two characters that no other label begins with.

    Args:
        tokens: Of the answer, with their alternatives.
        known: Name of each label by its normalised spelling; not empty.
        plain: The normalisation.
    """
    if not tokens:
        return NO_TOKENS
    start = _first_label(tokens, known, plain)
    if start is None:
        return NO_LABEL
    token = tokens[start]
    if not token.top:
        return NO_ALTERNATIVES
    if _begun(plain(token.token), known) is None:
        return ALIKE
    mass = dict.fromkeys(known.values(), 0.0)
    said = [] if any(text == token.token for text, _ in token.top) else [(token.token, token.logprob)]
    for text, logprob in [*token.top, *said]:
        name = _begun(plain(text), known)
        if name is not None:
            mass[name] += math.exp(logprob)
    total = sum(mass.values())
    return {name: share / total for name, share in mass.items()} if total > 0 else NO_LABEL


def _first_label(tokens: Sequence[TokenLogprob], known: Mapping[str, str], plain: Normalise) -> int | None:
    text = "".join(token.token for token in tokens)
    offset = 0
    for place, token in enumerate(tokens):
        inside_a_word = 0 < offset < len(text) and _in_word(text[offset - 1]) and _in_word(text[offset])
        if plain(token.token) and not inside_a_word:
            rest = text[offset : offset + LONGEST]
            shown = plain(rest)
            if any(_stands_first(label, shown, rest, whole=not text[:offset].strip()) for label in known):
                return place
        offset += len(token.token)
    return None


def _stands_first(label: str, shown: str, rest: str, *, whole: bool) -> bool:
    """Tell whether a text begins with a label as a word. A small letter inside an answer is a word, not a choice."""
    if not label or not shown.startswith(label) or (len(shown) > len(label) and _in_word(shown[len(label)])):
        return False
    return whole or len(label) > 1 or not next((char for char in rest if _in_word(char)), "").islower()


def _begun(piece: str, known: Mapping[str, str]) -> str | None:
    """Return the one label that a token begins, or None."""
    if piece in known:
        return known[piece]
    names = {name for label, name in known.items() if label.startswith(piece)} if len(piece) > 1 else set()
    return names.pop() if len(names) == 1 else None


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_"
