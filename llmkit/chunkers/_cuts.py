"""Where a text may be cut: its tokens, its sentences, its lines, and the pieces that fit a size."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmkit.document import Document

if TYPE_CHECKING:
    from llmkit.protocols import Tokenizer

Span = tuple[int, int]
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")


@dataclass(frozen=True, slots=True)
class Cuts:
    """A text and its tokens, which are made once for all questions.

    Attributes:
        text: The text.
        starts: Where each token starts, in order.
        ends: Where each token ends.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, text: str, tokenizer: Tokenizer) -> Cuts:
        """Tokenise a text. Tokens without characters of their own (a model's marks) do not count."""
        spans: Any = tokenizer.spans([text])[0]
        spans = spans[spans[:, 1] > spans[:, 0]]
        return cls(text, spans[:, 0].tolist(), spans[:, 1].tolist())

    def count(self, start: int, end: int) -> int:
        """Return how many tokens have a part in text[start:end]."""
        return max(0, bisect_left(self.starts, end) - bisect_right(self.ends, start))

    def stripped(self, start: int, end: int) -> Span:
        """Return the span without the white space around it; an empty one where it holds nothing else."""
        text = self.text
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        return start, end

    def packed(self, spans: Iterable[Span], size: int) -> Iterator[Span]:
        """Join neighbouring spans for as long as what they span has at most ``size`` tokens."""
        start = end = -1
        for span in spans:
            if start >= 0 and self.count(start, span[1]) <= size:
                end = span[1]
                continue
            if start >= 0:
                yield start, end
            start, end = span
        if start >= 0:
            yield start, end

    def fitted(self, spans: Iterable[Span], size: int) -> Iterator[Span]:
        """Join neighbouring spans as `packed` does; one that is too large itself is cut between words first."""
        return self.packed((part for span in spans for part in self.pieces(*span, size)), size)

    def sentences(self, start: int, end: int) -> Iterator[Span]:
        """Yield the sentences of text[start:end]."""
        from llmkit.text.sentences import sentence_spans  # its rules are compiled where something is cut

        for first, last in sentence_spans(self.text[start:end]):
            yield start + first, start + last

    def lines(self, start: int, end: int) -> Iterator[Span]:
        """Yield the lines of text[start:end] that hold more than white space, their indentation kept."""
        place = start
        for line in self.text[start:end].splitlines(keepends=True):
            stop = place + len(line)
            last = self.stripped(place, stop)[1]
            if last > place:
                yield place, last
            place = stop

    def pieces(self, start: int, end: int, size: int) -> Iterator[Span]:
        """Yield parts of a text that has no better place to cut, each of at most ``size`` tokens.

        A part is cut after white space in its second half, or else between tokens, but not before a combining mark. A
        character is never cut, though some vocabularies make several tokens of one.
        """
        while start < end:
            first = bisect_right(self.ends, start)
            beyond = first + size
            last = beyond >= len(self.starts) or self.starts[beyond] >= end
            stop = end if last else self._cut(start, first, beyond)
            span = self.stripped(start, stop)
            if span[0] < span[1]:
                yield span
            start = stop

    def _cut(self, start: int, first: int, beyond: int) -> int:
        """Return where to cut before token ``beyond``: the last good place of the second half."""
        for token in range(beyond, max(first + (beyond - first) // 2, first + 1), -1):
            place = self.starts[token]
            if self.text[place - 1].isspace():
                return place
        for token in range(beyond, first, -1):
            place = self.starts[token]
            if place > start and not _joins(self.text, place):
                return place
        return next((place for place in self.starts[beyond:] if place > start), len(self.text))


def _joins(text: str, place: int) -> bool:
    """Tell whether the character at ``place`` belongs to the one before."""
    sign, before = text[place], text[place - 1]
    return (
        unicodedata.combining(sign) != 0
        or sign in _JOINERS
        or before == "\u200d"
        or "\U0001f3fb" <= sign <= "\U0001f3ff"
    )


def body(document: Document) -> Span:
    """Return where a document's text begins and ends: front matter stands before its first block."""
    if document.blocks:
        return document.blocks[0].start, document.blocks[-1].end
    return 0, len(document.text)


def page_at(document: Document, place: int) -> int:
    """Return the page that a character stands on, from 1; 0 where there are no pages."""
    return bisect_right(document.pages, place)
