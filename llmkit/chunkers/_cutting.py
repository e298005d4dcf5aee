"""From spans to chunks: each with its headings and its page."""

from __future__ import annotations

from collections.abc import Iterable

from llmkit.chunkers._cuts import Span, page_at
from llmkit.chunkers._headings import Outline
from llmkit.document import Chunk, Document


def chunks(document: Document, spans: Iterable[Span]) -> list[Chunk]:
    """Return the chunks for spans of a document."""
    outline = Outline.of(document)
    return [Chunk(start, end, outline.over(start, end), page_at(document, start)) for start, end in spans]
