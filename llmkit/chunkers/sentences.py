"""Paragraphs of so many sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from llmkit.chunkers import chunker
from llmkit.chunkers._cuts import Cuts, Span, body
from llmkit.chunkers._cutting import chunks
from llmkit.document import Chunk, Document

if TYPE_CHECKING:
    from llmkit.protocols import Tokenizer


@chunker("sentences")
@dataclass(frozen=True)
class Sentences:
    """Cuts a text into groups of six sentences, whatever its paragraphs are.

    A group that has more than ``size`` tokens is cut again between its sentences, a sentence that has more between
    words.

    Use it: to repeat work that retrieves paragraphs of six sentences, and for prose whose paragraphs are no guide.

    Source: Lazaridou et al. 2022, "Internet-augmented language models through few-shot prompting", section 3.1.

    Attributes:
        count: Sentences of a chunk.
        size: Tokens that a chunk has at most.
    """

    count: int = 6
    size: int = 256
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.count < 1 or self.size < 1:
            raise ValueError(f"count is {self.count} and size is {self.size}; both must be at least 1")

    def cut(self, document: Document, tokenizer: Tokenizer) -> Sequence[Chunk]:
        """Return the chunks, in order."""
        return chunks(document, self._spans(Cuts.of(document.text, tokenizer), body(document)))

    def _spans(self, cuts: Cuts, span: Span) -> Iterator[Span]:
        sentences = cuts.sentences(*span)
        while group := list(islice(sentences, self.count)):
            yield from cuts.fitted(group, self.size)
