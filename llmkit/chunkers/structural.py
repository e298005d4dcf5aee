"""Chunks that follow a document's own structure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from llmkit.chunkers import chunker
from llmkit.chunkers._cuts import Cuts, Span
from llmkit.chunkers._cutting import chunks
from llmkit.document import Block, Chunk, Document

if TYPE_CHECKING:
    from llmkit.protocols import Tokenizer


@chunker("structural")
@dataclass(frozen=True)
class Structural:
    """Cuts where the document itself is parted: at headings, then paragraphs, then sentences.

    A chunk holds whole paragraphs, lists, tables and code blocks for as long as they fit. What does not fit alone is
    cut at a lower joint: lists, tables and code between lines, prose between sentences, a sentence between words. A
    section begins a new chunk unless all of it still fits beside what stands before it under the same parent, so that
    a run of short sections makes no crumbs. Each chunk knows the headings that it stands under, and no chunk goes over
    the end of a page.

    Use it: nearly always; it is the default.

    Attributes:
        size: Tokens that a chunk has at most.
    """

    size: int = 128
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size is {self.size}; it must be at least 1")

    def cut(self, document: Document, tokenizer: Tokenizer) -> Sequence[Chunk]:
        """Return the chunks, in order."""
        cuts = Cuts.of(document.text, tokenizer)
        blocks = document.blocks or (Block(0, len(document.text), "paragraph"),)
        return chunks(document, self._spans(cuts, sections(blocks, document.pages)))

    def _spans(self, cuts: Cuts, parts: Iterable[tuple[int, Sequence[Block]]]) -> Iterator[Span]:
        """Pack section after section; what begins with a heading takes at least one sentence along."""
        start = end = -1
        level = page = 0
        for on_page, section in parts:
            own = section[0].level
            joins = own >= level and on_page == page and cuts.count(start, section[-1].end) <= self.size
            if start >= 0 and not joins:
                yield start, end
                start = -1
            level, page = (own, on_page) if start < 0 else (level, page)
            bare = False
            for block in section:
                for piece in self._pieces(cuts, block, start if bare else -1):
                    if start >= 0 and cuts.count(start, piece[1]) > self.size:
                        yield start, end
                        start = -1
                    start, end = (piece[0] if start < 0 else start), piece[1]
                bare = block.kind == "heading"
        if start >= 0:
            yield start, end

    def _pieces(self, cuts: Cuts, block: Block, start: int) -> Iterator[Span]:
        """Yield a block whole where it fits, alone or behind the heading that begins at ``start``; else in parts."""
        span = cuts.stripped(block.start, block.end)
        prose = block.kind in ("paragraph", "heading")
        fits = cuts.count(start if prose and start >= 0 else span[0], span[1]) <= self.size
        if span[0] == span[1]:
            return
        if fits:
            yield (block.start, span[1]) if block.kind == "code" else span
            return
        for first, last in cuts.sentences(*span) if prose else cuts.lines(block.start, span[1]):
            if cuts.count(first, last) <= self.size:
                yield first, last
            elif prose:
                yield from cuts.pieces(first, last, self.size)
            else:
                yield from cuts.fitted(cuts.sentences(first, last), self.size)


def sections(blocks: Sequence[Block], pages: Sequence[int] = ()) -> Iterator[tuple[int, Sequence[Block]]]:
    """Yield the blocks from one heading or page to the next, with the page that they stand on (0 without pages)."""
    start = 0
    page = bisect_right(pages, blocks[0].start) if blocks else 0
    for number, block in enumerate(blocks):
        here = bisect_right(pages, block.start)
        if number > start and (block.kind == "heading" or here != page):
            yield page, blocks[start:number]
            start = number
        page = here
    if start < len(blocks):
        yield page, blocks[start:]
