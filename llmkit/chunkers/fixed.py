"""Windows of a fixed number of tokens."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from llmkit.chunkers import chunker
from llmkit.chunkers._cuts import Cuts, Span, body
from llmkit.chunkers._cutting import chunks
from llmkit.document import Chunk, Document

if TYPE_CHECKING:
    from llmkit.protocols import Tokenizer


def windows(cuts: Cuts, span: Span, size: int, overlap: int) -> Iterator[Span]:
    """Yield windows of ``size`` tokens over a span, each beginning ``overlap`` tokens before the last one ends.

    Where a character has several tokens, as an emoji has in byte-level vocabularies, a window ends before it. What
    would add white space only is no window.
    """
    start, end = cuts.stripped(*span)
    starts = cuts.starts[bisect_left(cuts.starts, start) : bisect_left(cuts.starts, end)]
    first, begin, seen = 0, start, start
    while begin < end:
        last = _edge(starts, first, first + size)
        until = starts[last] if last < len(starts) else end
        window = cuts.stripped(begin, until)
        if window[1] > max(window[0], seen):
            seen = window[1]
            yield window
        if until == end:
            return
        first = _edge(starts, first, last - overlap)
        begin = starts[first]


def _edge(starts: Sequence[int], first: int, wanted: int) -> int:
    """Return the last token behind ``first`` and up to ``wanted`` that begins a character, else the next that does."""
    for token in range(min(wanted, len(starts)), first, -1):
        if token == len(starts) or starts[token] > starts[token - 1]:
            return token
    return next(
        (token for token in range(max(wanted, first + 1), len(starts)) if starts[token] > starts[first]), len(starts)
    )


@chunker("fixed")
@dataclass(frozen=True)
class Fixed:
    """Cuts a text every so many tokens, wherever that is.

    Use it: as the plain baseline that others are measured against, and for text without any structure.

    Attributes:
        size: Tokens of a chunk.
        overlap: Tokens at the start of a chunk that are the last of the one before; less than ``size``.
    """

    size: int = 128
    overlap: int = 0
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size is {self.size}; it must be at least 1")
        if not 0 <= self.overlap < self.size:
            raise ValueError(f"overlap is {self.overlap}; it must be at least 0 and less than size ({self.size})")

    def cut(self, document: Document, tokenizer: Tokenizer) -> Sequence[Chunk]:
        """Return the chunks, in order."""
        cuts = Cuts.of(document.text, tokenizer)
        return chunks(document, windows(cuts, body(document), self.size, self.overlap))
