"""A document as it was read, the pieces that it is cut into, and those that were found: records of the ground floor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

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


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that a retriever found."""

    id: str
    text: str
    score: float = 0.0
    meta: Mapping[str, Any] = field(default_factory=dict)


class Ranked(Sequence[Passage]):
    """Passages without text in trec_eval's order, held as two columns: each is made when it is looked at.

    A run file holds a thousand results a question, of which a metric looks at the judged ones.

    Attributes:
        ids: Of the documents, each of them once, best first; those with the same score from the greatest id down.
        scores: One for each id.
    """

    __slots__ = ("ids", "scores")

    def __init__(self, ids: Sequence[str], scores: Sequence[float]) -> None:
        if len(ids) != len(scores):
            raise ValueError(f"{len(ids)} ids have {len(scores)} scores")
        self.ids = ids
        self.scores = scores

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> Passage: ...
    @overload
    def __getitem__(self, place: slice) -> Ranked: ...
    def __getitem__(self, place: int | slice) -> Passage | Ranked:
        if isinstance(place, slice):
            return Ranked(self.ids[place], self.scores[place])
        return Passage(self.ids[place], "", self.scores[place])

    def __iter__(self) -> Iterator[Passage]:
        return (Passage(name, "", score) for name, score in zip(self.ids, self.scores, strict=True))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Ranked):
            return list(self.ids) == list(other.ids) and list(self.scores) == list(other.scores)
        return tuple(self) == tuple(other) if isinstance(other, (tuple, list)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of a record that holds a mapping

    def __repr__(self) -> str:
        return f"Ranked({self.ids!r}, {self.scores!r})"
