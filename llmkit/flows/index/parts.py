"""What an index is built of, as objects: the flows below take these, however a config spells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llmkit.document import Document
from llmkit.hashing import digest

if TYPE_CHECKING:
    from llmkit.protocols import Chunker, Embedder, Tokenizer


class Found(Protocol):
    """A document as a scan sees it (`llmkit.documents.found.Found`)."""

    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def mtime_ns(self) -> int: ...  # noqa: D102
    @property
    def hash(self) -> str: ...  # noqa: D102
    @property
    def problem(self) -> str: ...  # noqa: D102
    @property
    def folder(self) -> bool: ...  # noqa: D102


class Source(Protocol):
    """Where documents come from (`llmkit.documents.found.Source`). Can be pickled."""

    @property
    def fingerprint(self) -> str: ...  # noqa: D102
    def scan(self) -> Iterator[Any]: ...  # noqa: D102
    def digest(self, found: Any) -> str: ...  # noqa: D102
    def load(self, found: Any) -> Document: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Safety:
    """What a build refuses to do unasked.

    Attributes:
        max_delete_ratio: Greatest share of the known documents that may vanish at once.
        max_failures: Greatest share of the documents that may be unreadable. Five may be whatever the share, unless
            they are all there are, or it is 0.
    """

    max_delete_ratio: float = 0.3
    max_failures: float = 0.02


@dataclass(frozen=True)
class Parts:
    """Everything that makes an index.

    Attributes:
        name: Of the index.
        folder: Where it lies.
        source: Where documents come from.
        chunker: Cuts them.
        tokenizer: Counts for the chunker: the embedder, or words.
        embedder: Makes vectors; None for a lexical index.
        chunker_spec: The chunker with every argument, canonically; part of the fingerprint.
        title_prefix: Whether title and headings stand in front of a chunk's text for the embedder.
        lexical: Tokenizer of the lexical index (`llmkit.retrieval.match.LEXICAL`); None for none.
        lexical_engine: Who finds words: ``fts5``, or ``tantivy``, whose files are derived.
        vector: Spec of the approximate index (kind ``vectors``), or ``auto``, or ``exact``.
        fields: Types of metadata fields.
        safety: What is refused.
        config: The whole config as plain data; kept in the index.
        config_file: The file that it was read from.
        source_words: The source, as a sentence names it.
        shards: Who embeds: ``local``, or ``ray`` over its workers.
        base: Folder that relative paths of the config start from.
    """

    name: str
    folder: Path
    source: Source
    chunker: Chunker
    tokenizer: Tokenizer
    embedder: Embedder | None = None
    chunker_spec: str = ""
    title_prefix: bool = True
    lexical: str | None = "porter"
    lexical_engine: str = "fts5"
    vector: Any = "auto"
    fields: Mapping[str, str] = field(default_factory=dict)
    safety: Safety = field(default_factory=Safety)
    config: Mapping[str, Any] = field(default_factory=dict)
    config_file: str = ""
    source_words: str = "the source"
    shards: str = "local"
    base: Path = Path()

    @property
    def chunk_fingerprint(self) -> str:
        """Names how documents are read and cut: another one, every document is read again."""
        return digest(
            [self.source.fingerprint, self.chunker_spec, type(self.chunker).version, self.tokenizer.fingerprint]
        )

    @property
    def embed_fingerprint(self) -> str | None:
        """Names who makes the vectors; None for nobody."""
        return None if self.embedder is None else self.embedder.fingerprint

    @property
    def stage(self) -> str:
        """Names everything that staged documents depend on."""
        return digest([self.chunk_fingerprint, self.embed_fingerprint, self.title_prefix])
