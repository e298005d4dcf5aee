"""Where a passage holds the words of a question."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator

from llmkit.text.bm25 import STOP_WORDS, stem
from llmkit.text.runs import gram_spans, word_spans


def highlights(text: str, query: str) -> list[tuple[int, int]]:
    """Return where words of the query stand in the text, text[start:end], in order; other inflections count.

    Function words count only where the query has no other. Where a writing has no spaces, what the query and the text
    have in common is marked (`llmkit.text.runs.gram_spans`).
    """
    found: list[tuple[int, int]] = []
    for start, end, _ in _marks(text, query):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def snippet(text: str, query: str, size: int) -> tuple[int, int]:
    """Return the stretch of at most ``size`` characters that holds the most words of the query, cut at white space.

    Of stretches with as many different words the earliest counts. Where there is no white space near, it is cut
    elsewhere; what it was chosen for is never cut off.
    """
    if len(text) <= size:
        return 0, len(text)
    first, last = _densest(_marks(text, query), size)
    start = max(0, min(max(first - size // 8, last - size), len(text) - size))
    least = max(0, start - size // 8, last - size)
    at = start
    while at > least and not text[at - 1].isspace():
        at -= 1
    start = at if at == 0 or text[at - 1].isspace() else start
    end = min(len(text), start + size)
    at = end
    most = max(start + size // 2, last)
    while most < at < len(text) and not text[at].isspace():
        at -= 1
    return start, at if at == len(text) or text[at].isspace() else end


def _densest(marks: list[tuple[int, int, str]], size: int) -> tuple[int, int]:
    """Return from where to where the stretch of ``size`` with the most different words has its marks; (0, 0) if none.

    A window slides over the marks, so that every mark enters and leaves once.
    """
    inside: Counter[str] = Counter()
    best, found, behind = 0, (0, 0), 0
    for at, (first, first_end, word) in enumerate(marks):
        while behind < len(marks) and marks[behind][1] <= first + size:
            inside[marks[behind][2]] += 1
            behind += 1
        if len(inside) > best:
            best, found = len(inside), (first, max(first_end, marks[behind - 1][1]))
        if behind <= at:
            behind = at + 1
            continue
        inside[word] -= 1
        if not inside[word]:
            del inside[word]
    return found


def _marks(text: str, query: str) -> list[tuple[int, int, str]]:
    """Return where words of the query stand in the text, with their stems; each word is stemmed once."""
    stems: dict[str, str] = {}
    asked = [(query[start:end].lower(), root) for start, end, root in _parts(query, stems)]
    wanted = {root for word, root in asked if word not in STOP_WORDS} or {root for _, root in asked}
    return [part for part in _parts(text, stems) if part[2] in wanted]


def _parts(text: str, stems: dict[str, str]) -> Iterator[tuple[int, int, str]]:
    for first, last in word_spans(text):
        for start, end in gram_spans(text[first:last]):
            word = text[first + start : first + end]
            found = stems.get(word)
            if found is None:
                found = stems[word] = stem(unicodedata.normalize("NFC", word).lower())
            yield first + start, first + end, found
