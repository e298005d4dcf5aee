"""Does a passage hold an answer? Words are those of DrQA's and DPR's simple tokenizer."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_WORD, _NOTHING = "LNM", "ZC"


class _Spaced(dict[int, str]):
    """Characters by code point: parts of words stay, separators become a space, any other stands alone."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)[0]
        shown = character if kind in _WORD else " " if kind in _NOTHING else f" {character} "
        self[code] = shown
        return shown


_SPACED = _Spaced()


@lru_cache(maxsize=4096)
def words(text: str) -> str:
    """Return the lower-case words and signs of a text, a space before and after each; empty where there are none.

    A word is a longest run of letters, digits and combining marks of the NFD form; any other visible character is a
    word of its own; white space, separators and control characters are none.
    """
    found = unicodedata.normalize("NFD", text).translate(_SPACED).lower().split()
    return f" {' '.join(found)} " if found else ""
