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
        level: 1 or more for a heading, 0 for anything else.
        label: A heading's words, without its markup; empty for anything else.
    """

    start: int
    end: int
    kind: BlockKind
    level: int = 0
    label: str = ""


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
        pages: Where each page starts in ``text``, for a format that has pages; empty for the others.
        warnings: What could not be taken as it stood though the document could be read: a date that is none...; one
            sentence each.
    """

    path: str
    text: str
    title: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()
    pages: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document: document.text[start:end].

    Attributes:
        start: First character.
        end: One behind the last.
        headings: The headings that all of it stands under, outermost first; one that the chunk itself begins with is
            the last of them.
        page: The page that it starts on, from 1; 0 where the document has no pages.
    """

    start: int
    end: int
    headings: tuple[str, ...] = ()
    page: int = 0
