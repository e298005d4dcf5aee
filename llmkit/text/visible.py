"""Text of strangers on a screen: what models and eval sets write must not steer the reader's terminal."""

from __future__ import annotations

_KEPT = "\n\t"
_CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in _KEPT}


def visible(text: str) -> str:
    """Return the text with a mark in place of each control character (Unicode category Cc) but line end and tab.

    An escape character would otherwise begin a terminal sequence: colours, cursor moves, a new window title.
    """
    return text.translate(_CONTROLS)
