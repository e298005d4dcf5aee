"""Porter's stemmer with the changes that NLTK made, because that is the stemmer rouge-score uses.

Sources: M. F. Porter 1980, "An algorithm for suffix stripping", Program 14(3); the NLTK changes (irregular
words, short ``-ies`` and ``-ied``, ``-y`` after a consonant only, ``-alli`` first, ``-bli``, ``-fulli``, ``-logi``,
two-letter stems that keep their ``e``) as of NLTK 3.10, mode ``NLTK_EXTENSIONS``. Tests compare the two word by word.

Words are lower-case ASCII letters and digits. A digit counts as a consonant.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

_SHORT = 3
_IRREGULAR = {
    "skies": "sky",
    "sky": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "news": "news",
    "innings": "inning",
    "inning": "inning",
    "outings": "outing",
    "outing": "outing",
    "cannings": "canning",
    "canning": "canning",
    "howe": "howe",
    "proceed": "proceed",
    "exceed": "exceed",
    "succeed": "succeed",
}
# Suffix and replacement, tried in this order; the first suffix that fits decides, whether its condition holds or not.
_STEP_2 = (
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),
)
_STEP_3 = (
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
)
_STEP_4 = tuple(
    (suffix, "")
    for suffix in (
        *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment"),
        *("ent", "ion", "ou", "ism", "ate", "iti", "ous", "ive", "ize"),
    )
)
_ENDS_2, _ENDS_3, _ENDS_4 = (tuple(suffix for suffix, _ in rules) for rules in (_STEP_2, _STEP_3, _STEP_4))
_KINDS = str.maketrans(dict.fromkeys("aeiou", "v") | dict.fromkeys("bcdfghjklmnpqrstvwxz0123456789", "c"))


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Return the stem of a word; words of three letters or fewer stay as they are, as in rouge-score."""
    if len(word) <= _SHORT:
        return word
    irregular = _IRREGULAR.get(word)
    if irregular is not None:
        return irregular
    word = _y_to_i(_past_and_gerund(_plural(word)))
    word = _derivation(word)
    if word.endswith(_ENDS_3):
        word = _strip(word, _STEP_3, above=0)
    if word.endswith(_ENDS_4):
        word = _strip(word, _STEP_4, above=1)
    return _double_l(_final_e(word))


def _shape(word: str) -> str:
    """Return the word with ``v`` for each vowel and ``c`` for each consonant; y is a vowel after a consonant."""
    shape = word.translate(_KINDS)
    if "y" not in shape:
        return shape
    kinds = list(shape)
    for i, kind in enumerate(kinds):
        if kind == "y":
            kinds[i] = "v" if i and kinds[i - 1] == "c" else "c"
    return "".join(kinds)


def _measure(word: str) -> int:
    """Return Porter's m: how often a consonant follows a vowel."""
    return _shape(word).count("vc")


def _ends_short(word: str) -> bool:
    """Say whether it ends consonant, vowel, consonant (not w, x, y), or is a vowel and a consonant alone."""
    shape = _shape(word)
    return shape == "vc" or (shape.endswith("cvc") and word[-1] not in "wxy")


def _plural(word: str) -> str:
    if word.endswith("ies"):
        return word[:-1] if len(word) == len("dies") else word[:-2]
    if word.endswith("sses"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past_and_gerund(word: str) -> str:
    if word.endswith("ied"):
        return word[:-1] if len(word) == len("died") else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    if not word.endswith(("ed", "ing")):
        return word
    rest = word[: -len("ed") if word.endswith("ed") else -len("ing")]
    return _mend(rest) if "v" in _shape(rest) else word


def _mend(word: str) -> str:
    """Give back the e that ``-ed`` and ``-ing`` took, or take one letter of a doubled consonant."""
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if word[-2:-1] == word[-1] and _shape(word)[-1] == "c":
        return word if word[-1] in "lsz" else word[:-1]
    return word + "e" if _measure(word) == 1 and _ends_short(word) else word


def _y_to_i(word: str) -> str:
    if not word.endswith("y"):
        return word
    rest = word[:-1]
    return rest + "i" if len(rest) > 1 and _shape(rest)[-1] == "c" else word


def _derivation(word: str) -> str:
    while word.endswith("alli") and _measure(word[:-4]) > 0:
        word = word[:-2]
    # Of -logi the l is measured with the stem, so that geologi and archaeologi are treated alike.
    if word.endswith("logi"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    return _strip(word, _STEP_2, above=0) if word.endswith(_ENDS_2) else word


def _strip(word: str, rules: Iterable[tuple[str, str]], *, above: int) -> str:
    """Replace the first suffix that fits where the rest's measure is ``above``; ``-ion`` goes only after s or t."""
    for suffix, replacement in rules:
        if word.endswith(suffix):
            rest = word[: -len(suffix)]
            allowed = _measure(rest) > above and (suffix != "ion" or rest[-1] in "st")
            return rest + replacement if allowed else word
    return word


def _final_e(word: str) -> str:
    if not word.endswith("e"):
        return word
    rest = word[:-1]
    measure = _measure(rest)
    return rest if measure > 1 or (measure == 1 and not _ends_short(rest)) else word


def _double_l(word: str) -> str:
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word
