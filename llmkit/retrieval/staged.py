"""What a build hands to the store: a document that was read and cut, and what is known of those that are there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, NamedTuple
from zlib import crc32

CHUNK_COLUMNS: Final = 'ordinal, start, "end", headings, lead, text, page, key, gap, crc'
"""What is kept of a chunk; ``crc`` is the checksum of the others but ``key``, which is a checksum itself."""


class Known(NamedTuple):
    """A document as the index has it; ``mtime_ns`` -1 means that only its hash can tell whether it changed."""

    id: int
    size: int
    mtime_ns: int
    hash: str
    fingerprint: str


class Failed(NamedTuple):
    """A document that could not be read, the last time that it was tried.

    ``holds`` names documents that vanished and may be this one's last good version: they stay until it can be read.
    """

    hash: str
    fingerprint: str
    error: str
    attempts: int
    holds: tuple[str, ...] = ()


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
        gap: The characters between the end of the chunk before and its start; None where nobody knows.
    """

    start: int
    end: int
    headings: tuple[str, ...]
    text: str
    lead: str
    key: bytes | None
    page: int = 0
    gap: str | None = None


@dataclass(frozen=True, slots=True)
class StagedDocument:
    """A document on its way into the index."""

    path: str
    hash: str
    title: str
    meta: dict[str, Any]
    chunks: tuple[StagedChunk, ...] = field(default=())

    @property
    def row(self) -> tuple[Any, ...]:
        """What the index stores of it: path, hash, title, metadata as JSON, and the checksum of these."""
        meta = json.dumps(self.meta, ensure_ascii=False, sort_keys=True, default=str)
        values = (self.path, self.hash, self.title, meta)
        return (*values, checksum(*values))

    def chunk_rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield what the index stores of each chunk; see `CHUNK_COLUMNS`."""
        for ordinal, one in enumerate(self.chunks):
            headings = json.dumps(one.headings, ensure_ascii=False)
            values = (ordinal, one.start, one.end, headings, one.lead, one.text, one.page)
            yield (*values, one.key, one.gap, checksum(*values, one.gap))


def vector_key(embed_fingerprint: str, text: str) -> bytes:
    """Return what a vector is known by: who embeds, and the final text that is embedded."""
    content = f"{embed_fingerprint}\0{text}".encode("utf-8", "surrogatepass")
    return blake2b(content, digest_size=16).digest()


def checksum(*values: Any) -> int:
    """Return the CRC-32 of a row's values, by which damage to it is found."""
    return crc32("\0".join(map(str, values)).encode("utf-8", "surrogatepass"))


def embedded_text(lead: str, text: str, *, title_prefix: bool) -> str:
    """Return the text of a chunk as the embedder is handed it."""
    return f"{lead}\n\n{text}" if title_prefix and lead else text
