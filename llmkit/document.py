"""A document as it was read and the pieces that it is cut into: records, standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

BlockKind = Literal["heading", "paragraph", "list", "table", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a document's text that is best kept whole: text[start:end].

    Attributes:
        start: First character.
        end: One behind the last.
        kind: What it is.
        level: 1 to 6 for a heading, 0 for anything else.
    """

    start: int
    end: int
    kind: BlockKind
    level: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """One document as it was read, before it is cut.

    Attributes:
        path: What it is known by, unique in its source: a path with ``/`` below the source's root, or a row's id.
        text: The characters that offsets count: a text file's own (decoded, front matter included), or those that were
            extracted.
        title: A heading, a title of its metadata, or nothing.
        meta: Typed metadata: texts, numbers, booleans, dates as ``YYYY-MM-DD`` texts, lists of texts.
        blocks: The text's structure, in order and without overlap; what lies between (front matter, blank lines) is in
            none.
    """

    path: str
    text: str
    title: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document: document.text[start:end], under the headings that it stands under."""

    start: int
    end: int
    headings: tuple[str, ...] = ()
