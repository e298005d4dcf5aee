"""A folder of texts as a source, with faults that a test can put in; a chunker of paragraphs; words as tokens."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from llmkit.document import Chunk, Document
from llmkit.documents.found import Found, LoadError
from llmkit.errors import InfrastructureError
from llmkit.flows.index.parts import Parts
from tests.retrieval.made_index import HashEmbedder


@dataclass(frozen=True)
class TextFolder:
    """Files ending in .txt; one that holds 'BROKEN' cannot be read."""

    root: Path
    fingerprint: str = "texts-1"

    def scan(self) -> Iterator[Found]:
        if not self.root.is_dir():
            raise InfrastructureError(f"the folder {self.root} is not there; is it mounted?")
        for path in sorted(self.root.rglob("*.txt")):
            stat = path.stat()
            yield Found(path.relative_to(self.root).as_posix(), stat.st_size, stat.st_mtime_ns)

    def digest(self, found: Found) -> str:
        return hashlib.blake2b((self.root / found.path).read_bytes(), digest_size=16).hexdigest()

    def load(self, found: Found) -> Document:
        try:
            text = (self.root / found.path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise LoadError(found.path, "it is not valid UTF-8") from error
        if "BROKEN" in text:
            raise LoadError(found.path, "it is broken")
        return Document(found.path, text, title="")


@dataclass(frozen=True)
class Words:
    """Words as tokens."""

    fingerprint: str = "words-1"

    def spans(self, texts: Sequence[str]) -> list[Any]:
        return [np.array([m.span() for m in re.finditer(r"\S+", t)], dtype=np.int64).reshape(-1, 2) for t in texts]


@dataclass(frozen=True)
class Paragraphs:
    """Cuts at blank lines."""

    version: ClassVar[int] = 1

    def cut(self, document: Document, tokenizer: Any) -> list[Chunk]:
        return [Chunk(m.start(), m.end()) for m in re.finditer(r"\S(?:.|\n(?!\n))*", document.text)]


def parts_of(root: Path, folder: Path, embedder: HashEmbedder | None = None, **changes: Any) -> Parts:
    """Return what an index of the texts below ``root`` is made of."""
    made: dict[str, Any] = {
        "name": "texts",
        "folder": folder,
        "source": TextFolder(root),
        "chunker": Paragraphs(),
        "tokenizer": embedder or Words(),
        "embedder": embedder,
        "chunker_spec": "paragraphs",
        "source_words": f"the folder {root}",
    }
    return Parts(**{**made, **changes})
