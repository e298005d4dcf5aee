"""What an index says of itself and of its chunks: records, standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as it is found: ``text`` is the document's text[start:end].

    Attributes:
        number: What the index knows it by, in this generation.
        path: Its document.
        title: The document's title.
        headings: The headings that it stands under, outermost first.
        start: First character in the document.
        end: One behind the last.
        text: Its characters.
        meta: The document's metadata.
        ordinal: Its place among the document's chunks, from 0.
        page: The page that it starts on, from 1; 0 where the document has no pages.
        gap: The characters between the end of the chunk before and its start; None in an index of an older version.
    """

    number: int
    path: str
    title: str
    headings: tuple[str, ...]
    start: int
    end: int
    text: str
    meta: Mapping[str, Any]
    ordinal: int
    page: int = 0
    gap: str | None = None


@dataclass(frozen=True, slots=True)
class IndexMeta:
    """What an index is made of.

    Attributes:
        name: Of the config.
        generation: Counts the times that something was published; what readers see is of one generation.
        built: When that was, in UTC, as ISO 8601.
        config: The config that it was built with, every default written out.
        source: The file that the config was read from.
        embed_fingerprint: What made the vectors; None where there are none (lexical only).
        chunk_fingerprint: What read and cut the documents.
        dimensions: How long a vector is; 0 without vectors.
        documents: How many there are.
        chunks: How many they were cut into.
        truncated: Chunks of which the embedder's limit cut off the end.
        fields: The type of each metadata field, as the config declares it.
        oldest: The earliest date among the documents' dates (``YYYY-MM-DD``), None without dates.
        newest: The latest.
        tuned: What `llmkit index tune` found, None before.
        calibrated: What `llmkit index calibrate` found, with the generation and embedder it was found for; None before.
    """

    name: str
    generation: int
    built: str
    config: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    embed_fingerprint: str | None = None
    chunk_fingerprint: str = ""
    dimensions: int = 0
    documents: int = 0
    chunks: int = 0
    truncated: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)
    oldest: str | None = None
    newest: str | None = None
    tuned: Mapping[str, Any] | None = None
    calibrated: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Derived:
    """An approximate index that was built of this generation's vectors.

    Attributes:
        spec: Its plug-in spec (kind ``vectors``).
        folder: Where its files lie.
    """

    spec: Any
    folder: Path
