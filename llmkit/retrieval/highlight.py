"""Where a passage holds the words of a question."""

from __future__ import annotations

import re

from llmkit.text.bm25 import STOP_WORDS, stem

_WORD = re.compile(r"[^\W_]+")


def highlights(text: str, query: str) -> list[tuple[int, int]]:
    """Return where words of the query stand in the text, text[start:end], in order; other inflections count.

    Function words count only where the query has no other.
    """
    words = [match.group().lower() for match in _WORD.finditer(query)]
    wanted = {stem(word) for word in words if word not in STOP_WORDS} or {stem(word) for word in words}
    return [match.span() for match in _WORD.finditer(text) if stem(match.group().lower()) in wanted]


def snippet(text: str, query: str, size: int) -> tuple[int, int]:
    """Return the stretch of at most ``size`` characters that holds the most words of the query, cut at white space.

    Of stretches with as many different words the earliest counts.
    """
    if len(text) <= size:
        return 0, len(text)
    marks = highlights(text, query)
    best, start = 0, 0
    for at, (first, _) in enumerate(marks):
        inside = {stem(text[a:b].lower()) for a, b in marks[at:] if b <= first + size}
        if len(inside) > best:
            best, start = len(inside), first
    start = max(0, min(start - size // 8, len(text) - size))
    while 0 < start < len(text) and not text[start - 1].isspace():
        start -= 1
    end = min(len(text), start + size)
    while start + size // 2 < end < len(text) and not text[end].isspace():
        end -= 1
    return start, end
