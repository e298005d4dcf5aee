"""An index of documents in memory, for tests: no source, no chunker, no model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from llmkit.retrieval.index import Index
from llmkit.retrieval.publish import Changes, publish
from llmkit.retrieval.records import IndexMeta
from llmkit.retrieval.staged import StagedChunk, StagedDocument, Stat, embedded_text, vector_key
from llmkit.retrieval.store import IndexStore


@dataclass(frozen=True)
class HashEmbedder:
    """Bags of hashed words: texts that share words are near each other, the same text has always the same vector."""

    width: int = 64
    max_tokens: int | None = None
    version: str = "1"
    calls: list[list[str]] = field(default_factory=list, compare=False)

    @property
    def fingerprint(self) -> str:
        return f"hash-{self.width}-{self.version}"

    @property
    def dimensions(self) -> int:
        return self.width

    def spans(self, texts: Sequence[str]) -> list[Any]:
        found = []
        for text in texts:
            spans, at = [], 0
            for word in text.split():
                start = text.index(word, at)
                at = start + len(word)
                spans.append((start, at))
            found.append(np.array(spans, dtype=np.int64).reshape(-1, 2))
        return found

    def embed(self, texts: Sequence[str], role: str) -> NDArray[float32]:
        self.calls.append(list(texts))
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        for place, text in enumerate(texts):
            for word in text.lower().split():
                seed = int.from_bytes(hashlib.blake2b(f"{self.version}{word}".encode(), digest_size=8).digest())
                vectors[place, seed % self.width] += 1 if seed & 1 << 40 else -1
            vectors[place, 0] += 1e-3
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / norms, dtype=np.float32)


def make_index(
    folder: Path,
    texts: Mapping[str, str | Sequence[str]],
    *,
    embedder: HashEmbedder | None = None,
    meta: Mapping[str, Mapping[str, Any]] | None = None,
    titles: Mapping[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
    headings: Mapping[str, tuple[str, ...]] | None = None,
    lexical: str | None = "porter",
    name: str = "made",
) -> Index:
    """Return an open index of documents: path -> its text, or the texts of its chunks (joined by blank lines)."""
    fingerprint = None if embedder is None else embedder.fingerprint
    documents = []
    for path, written in texts.items():
        title = (titles or {}).get(path, "")
        above = (headings or {}).get(path, ())
        chunks: list[StagedChunk] = []
        at = 0
        for text in [written] if isinstance(written, str) else written:
            lead = "\n".join(part for part in (title, *above) if part)
            key = None if fingerprint is None else vector_key(fingerprint, embedded_text(lead, text, title_prefix=True))
            chunks.append(StagedChunk(at, at + len(text), above, text, lead, key, gap="\n\n" if chunks else ""))
            at += len(text) + 2
        documents.append(
            StagedDocument(path, f"hash of {path}", title, dict((meta or {}).get(path, {})), tuple(chunks))
        )
    with IndexStore(folder) as store:
        store.begin(fingerprint)
        store.stage(documents, fingerprint="made", stage="made")
        for window in store.missing(title_prefix=True) if embedder is not None else ():
            assert embedder is not None
            wanted = [text for _, text in window]
            counts = [len(spans) for spans in embedder.spans(wanted)]
            store.append([key for key, _ in window], embedder.embed(wanted, "passage"), counts)
        made = IndexMeta(
            name, 0, "", embed_fingerprint=fingerprint, chunk_fingerprint="made", fields=dict(fields or {})
        )
        seen = {document.path: Stat(1, 1) for document in documents}
        publish(
            store,
            made,
            Changes(removed=sorted(store.documents().keys() - texts.keys()), seen=seen),
            lexical=lexical,
            max_tokens=None if embedder is None else embedder.max_tokens,
        )
    return Index.open(folder)
