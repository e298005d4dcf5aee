"""Every document as one chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from llmkit.chunkers import chunker
from llmkit.chunkers._cuts import Cuts, body
from llmkit.chunkers._cutting import chunks
from llmkit.document import Chunk, Document

if TYPE_CHECKING:
    from llmkit.protocols import Tokenizer


@chunker("whole")
@dataclass(frozen=True)
class Whole:
    """Leaves every document whole: one chunk, without the white space and the front matter around it.

    Use it: documents that are short already, such as questions with answers, abstracts or rows of a table. What is
    beyond the embedder's greatest number of tokens is not seen by it; the build counts such chunks.
    """

    version: ClassVar[int] = 1

    def cut(self, document: Document, tokenizer: Tokenizer) -> Sequence[Chunk]:
        """Return the document as a chunk; none where there is no text."""
        start, end = Cuts(document.text, (), ()).stripped(*body(document))
        return chunks(document, [(start, end)] if start < end else [])
