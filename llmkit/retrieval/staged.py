"""What a build hands to the store: a document that was read and cut, and what is known of those that are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple


class Known(NamedTuple):
    """A document as the index has it; ``mtime_ns`` -1 means that only its hash can tell whether it changed."""

    id: int
    size: int
    mtime_ns: int
    hash: str
    fingerprint: str


class Failed(NamedTuple):
    """A document that could not be read, the last time that it was tried."""

    hash: str
    fingerprint: str
    error: str
    attempts: int


class Stat(NamedTuple):
    """What a scan saw of a document."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class StagedChunk:
    """A chunk on its way into the index.

    Attributes:
        start: First character in the document.
        end: One behind the last.
        headings: What it stands under.
        text: Its characters.
        lead: Title and headings, which are searched with it, and stand in front of it for the embedder if so set.
        key: Names its vector; None without an embedder.
        page: The page that it starts on, from 1; 0 without pages.
    """

    start: int
    end: int
    headings: tuple[str, ...]
    text: str
    lead: str
    key: bytes | None
    page: int = 0


@dataclass(frozen=True, slots=True)
class StagedDocument:
    """A document on its way into the index."""

    path: str
    hash: str
    title: str
    meta: dict[str, Any]
    chunks: tuple[StagedChunk, ...] = field(default=())


def vector_key(embed_fingerprint: str, text: str) -> bytes:
    """Return what a vector is known by: who embeds, and the final text that is embedded."""
    content = f"{embed_fingerprint}\0{text}".encode("utf-8", "surrogatepass")
    return blake2b(content, digest_size=16).digest()


def embedded_text(lead: str, text: str, *, title_prefix: bool) -> str:
    """Return the text of a chunk as the embedder is handed it."""
    return f"{lead}\n\n{text}" if title_prefix and lead else text
