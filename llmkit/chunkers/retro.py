"""RETRO's chunks: short, and read together with what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from llmkit.chunkers import chunker
from llmkit.chunkers._cuts import Cuts, body
from llmkit.chunkers._cutting import chunks
from llmkit.chunkers.fixed import windows
from llmkit.document import Chunk, Document

if TYPE_CHECKING:
    from llmkit.protocols import Tokenizer


@chunker("retro")
@dataclass(frozen=True)
class Retro:
    """Cuts a text into chunks of 64 tokens without overlap; each is found alone and returned with its continuation.

    The neighbour that RETRO reads is a chunk *and* the chunk after it in the same document. Search returns the
    continuation where the config says ``retrieve: {expand: {after: 1}}``.

    Use it: long prose where the answer stands just behind the words that the question shares.

    Source: Borgeaud et al. 2022, "Improving language models by retrieving from trillions of tokens", section 2.1.

    Attributes:
        size: Tokens of a chunk.
    """

    size: int = 64
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size is {self.size}; it must be at least 1")

    def cut(self, document: Document, tokenizer: Tokenizer) -> Sequence[Chunk]:
        """Return the chunks, in order."""
        return chunks(document, windows(Cuts.of(document.text, tokenizer), body(document), self.size, 0))
