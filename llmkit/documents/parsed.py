"""What a loader makes of a file: text, structure, and the values that the format itself carries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmkit.document import Block


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file as its loader read it; see `Document` for ``text``, ``blocks`` and ``pages``.

    Attributes:
        values: Front matter, or the properties that the format keeps: title, author, date.
        warnings: What was odd, one sentence each.
    """

    text: str
    blocks: tuple[Block, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    pages: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


class FormatError(ValueError):
    """A file is not what its name promises, or cannot be opened; the message is a plain sentence."""


_PARAGRAPH = re.compile(r"\S(?:[^\r\n]++|(?:\r\n?|\n)(?![ \t]*(?:[\r\n]|\Z)))*+")


def paragraphs(text: str, start: int, end: int) -> Iterator[Block]:
    """Yield the paragraphs between two places: what blank lines part, white space around it left out."""
    for found in _PARAGRAPH.finditer(text, start, end):
        last = found.end()
        while text[last - 1].isspace():
            last -= 1
        yield Block(found.start(), last, "paragraph")


def without_gaps(text: str, blocks: Iterable[Block], start: int) -> tuple[Block, ...]:
    """Return the blocks with paragraphs for what stands between them, so that from ``start`` on no word is in none."""
    made: list[Block] = []
    place = start
    for block in blocks:
        if block.start > place:
            made += paragraphs(text, place, block.start)
        made.append(block)
        place = block.end
    made += paragraphs(text, place, len(text))
    return tuple(made)
