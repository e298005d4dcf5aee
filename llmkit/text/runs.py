"""Words as they stand in a text, with the marks that belong to their letters; and grams of what has no spaces."""

from __future__ import annotations

import re
import unicodedata

_UNSPACED = re.compile(
    "([\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]+)"
    "|([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]+)"
)
_EAST_ASIAN, _SOUTH_EAST_ASIAN = 2, 3


def word_spans(text: str, *, names: bool = False) -> list[tuple[int, int]]:
    """Return where the words of a text stand, text[start:end]; a combining mark belongs to the letter before it.

    Args:
        text: Any text, composed or not.
        names: Whether ``max_cost`` is one word.
    """
    letter = r"\w" if names else r"[^\W_]"
    marks = "" if text.isascii() else "".join(sorted(filter(_is_mark, set(text))))
    more = rf"(?:[{re.escape(marks)}]+{letter}*)*" if marks else ""
    return [match.span() for match in re.finditer(rf"{letter}+{more}", text)]


def gram_spans(word: str) -> list[tuple[int, int]]:
    """Return the parts of a word that it may be found by, word[start:end]: the word itself where it is spaced writing.

    Chinese, Japanese and Korean runs are cut into overlapping pairs of characters, as Lucene's CJKBigramFilter cuts
    them; Thai, Lao, Khmer and Burmese ones into overlapping threes. A shorter run stays whole.
    """
    if word.isascii():
        return [(0, len(word))] if word else []
    found: list[tuple[int, int]] = []
    last = 0
    for run in _UNSPACED.finditer(word):
        start, end = run.span()
        if start > last:
            found.append((last, start))
        size = _EAST_ASIAN if run.group(1) else _SOUTH_EAST_ASIAN
        found += [(at, min(end, at + size)) for at in range(start, max(start + 1, end - size + 1))]
        last = end
    if last < len(word):
        found.append((last, len(word)))
    return found


def grams(word: str) -> list[str]:
    """Return the texts of `gram_spans`."""
    return [word[start:end] for start, end in gram_spans(word)]


def is_unspaced(text: str) -> bool:
    """Return whether the text begins in a writing that puts no spaces between words, or too few."""
    return _UNSPACED.match(text) is not None


def writing_without_spaces(text: str) -> int:
    """Return how long the grams are by which a text is looked up, 2 or 3; 0 where most of its letters are spaced."""
    if text.isascii():
        return 0
    runs = [run for run in _UNSPACED.finditer(text) if text[run.start()].isalpha()]
    unspaced = sum(len(run.group()) for run in runs)
    if unspaced * 2 <= sum(char.isalnum() or _is_mark(char) for char in text):
        return 0
    of_pairs = sum(len(run.group()) for run in runs if run.group(1))
    return _EAST_ASIAN if of_pairs * 2 >= unspaced else _SOUTH_EAST_ASIAN


def _is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")
