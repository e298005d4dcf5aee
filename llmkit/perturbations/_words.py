"""What perturbations of words share: where a word begins and ends, and whose case its replacement takes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

WORD = re.compile(r"(?<!\w)[^\W\d_]++(?:['\u2019][^\W\d_]++)*+(?!\w)")
"""Letters, with apostrophes inside; no part of a word with digits."""

_POSSESSIVE = 2
"""Letters of "'s"."""

START, END = r"(?<![\w-])(?<!\w['\u2019])", r"(?![\w-]|['\u2019]\w)"
"""Where a whole phrase begins and ends: "well" is no word of "well-known", and "he" none of "he's"."""


def check_rate(rate: float) -> None:
    """Raise ValueError where ``rate`` is no probability."""
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must be between 0 and 1, not {rate:g}")


def in_case_of(source: str, word: str) -> str:
    """Return ``word`` written as ``source`` is: in capitals, with a capital, or as it stands.

    A single capital is no word in capitals: ``I am`` becomes ``I'm``, and ``A`` becomes ``An``.
    """
    letters = [letter for letter in source if letter.isalpha()]
    if len(letters) > 1 and all(letter.isupper() for letter in letters):
        return word.upper()
    if not source[:1].isupper():
        return word
    first = next((place for place, letter in enumerate(word) if letter.isalpha()), 0)
    return word[:first] + word[first : first + 1].upper() + word[first + 1 :]


def map_words(text: str, other: Callable[[str], str | None]) -> str:
    """Return ``text`` with each word replaced by what ``other`` gives for it, in the case of what stood there.

    ``other`` is called with the word as it is written, without a possessive "'s", which stays; None keeps the word.
    """

    def mapped(match: re.Match[str]) -> str:
        word = match[0]
        stem = word[:-_POSSESSIVE] if word[-_POSSESSIVE:].lower() in ("'s", "\u2019s") else word
        found = other(stem)
        return word if found is None else in_case_of(stem, found) + word[len(stem) :]

    return WORD.sub(mapped, text)


def swap_words(text: str, table: Mapping[str, Sequence[str]], rate: float, rng: Random) -> str:
    """Return ``text`` with each word of ``table`` replaced, with probability ``rate``, by one of its replacements.

    ``table`` is written in lower case; a text's case is kept.
    """

    def other(word: str) -> str | None:
        options = table.get(word.lower())
        return None if options is None or rng.random() >= rate else rng.choice(options)

    return map_words(text, other)


def phrases(table: Mapping[str, Any], *, ahead: str = "") -> re.Pattern[str]:
    """Return the pattern of the phrases of ``table``, in any case, longest first, each a whole phrase.

    Args:
        table: Phrases in lower case; a space stands for any run of spaces, an apostrophe for either form of it.
        ahead: A pattern of what must follow.
    """
    longest_first = sorted(table, key=lambda phrase: (-len(phrase), phrase))
    written = "|".join(re.escape(p).replace(r"\ ", " +").replace("'", r"['\u2019]") for p in longest_first)
    return re.compile(rf"{START}(?:{written}){END}{ahead}", re.IGNORECASE)


def plain(phrase: str) -> str:
    """Return a phrase as it stands in a table: lower case, single spaces, straight apostrophes."""
    return " ".join(phrase.lower().replace("\u2019", "'").split())


def swap_phrases(
    text: str, pattern: re.Pattern[str], replacement: Callable[[str], str], rate: float, rng: Random
) -> str:
    """Return ``text`` with what ``pattern`` finds replaced, with probability ``rate``, in the case of what stood there.

    ``replacement`` is called with the phrase as `plain` writes it. At a rate of 1 nothing is drawn here.
    """

    def swapped(match: re.Match[str]) -> str:
        if rate < 1 and rng.random() >= rate:
            return match[0]
        return in_case_of(match[0], replacement(plain(match[0])))

    return pattern.sub(swapped, text)


def read_json(path: Path, what: str) -> Any:
    """Return the content of a user's JSON file.

    Raises:
        ValueError: it cannot be read or is no JSON; ``what`` says what it should hold.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path} is no JSON file with {what}: {error}") from error


def read_table(path: Path) -> dict[str, tuple[str, ...]]:
    """Return a user's replacements, from a JSON object of words or phrases to one text or a list of texts.

    Raises:
        ValueError: the file holds something else.
    """
    what = 'words and their replacements, as {"word": ["other", ...]}'
    found = read_json(path, what)
    if not isinstance(found, dict) or not found:
        raise ValueError(f"{path} is no JSON object with {what}")
    table: dict[str, tuple[str, ...]] = {}
    for word, options in found.items():
        texts = [options] if isinstance(options, str) else options
        if not word.strip() or not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
            raise ValueError(f"{path} must map each word to a text or a list of texts; '{word}' is not so")
        table[plain(word)] = tuple(texts)
    return table
