"""Plain text: paragraphs, which blank lines part."""

from __future__ import annotations

from llmkit.documents.parsed import Parsed, paragraphs


def parse(text: str) -> Parsed:
    """Return the text as it is, in paragraphs."""
    return Parsed(text, tuple(paragraphs(text, 0, len(text))))
