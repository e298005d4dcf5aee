"""A folder of files as a source: what is there, in the same order every time, and each file as a document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from llmkit.document import Document
from llmkit.documents import loaders
from llmkit.documents.decoding import DecodingError
from llmkit.documents.found import Found, LoadError
from llmkit.documents.globs import matcher, pruner
from llmkit.documents.metadata import Metadata
from llmkit.documents.parsed import FormatError
from llmkit.documents.walk import Walk
from llmkit.errors import MissingExtraError
from llmkit.hashing import digest

MAX_BYTES = 20_000_000
INCLUDE = ("*{" + ",".join(sorted(loaders.SUFFIXES)) + "}",)


@dataclass(frozen=True)
class FolderSource:
    """The files below a folder.

    Attributes:
        root: The folder.
        include: Patterns of the files that are meant; see `globs.translate`.
        exclude: Patterns of those that are not, and of folders that nobody looks into.
        follow_symlinks: Follow links to files and folders; without it they are passed over.
        hidden: Read files and folders whose names begin with a dot too.
        max_bytes: A larger file is a failure.
        encoding: What files are in that are not UTF-8 and say nothing themselves; None makes them failures.
        metadata: Where metadata comes from.
    """

    root: Path
    include: tuple[str, ...] = INCLUDE
    exclude: tuple[str, ...] = ()
    follow_symlinks: bool = False
    hidden: bool = False
    max_bytes: int = MAX_BYTES
    encoding: str | None = None
    metadata: Metadata = field(default_factory=Metadata)

    @cached_property
    def fingerprint(self) -> str:
        """Loaders' versions and what changes a document's text or metadata; not which files are meant."""
        said = self.metadata
        return digest([dict(loaders.VERSIONS), self.encoding, list(said.origins), said.path, dict(said.fields)])

    def scan(self) -> Iterator[Found]:
        """Yield the files, by folder and name; one look at each, no file is opened."""
        return Walk(
            self.root,
            meant=matcher(self.include),
            excluded=matcher(self.exclude),
            closed=pruner(self.exclude),
            follow_symlinks=self.follow_symlinks,
            hidden=self.hidden,
            max_bytes=self.max_bytes,
        ).found()

    def digest(self, found: Found) -> str:
        """Return a hash of the file's bytes."""
        return _digest(self._read(found))

    def load(self, found: Found) -> Document:
        """Read a file. What is wrong with it is a `LoadError`, whatever it is."""
        data = self._read(found)
        if found.hash and _digest(data) != found.hash:
            raise LoadError(found.path, "the file changed while the index was built; build again", passing=True)
        try:
            parsed = loaders.parse_bytes(data, loaders.loader_of(found.path), self.encoding)
        except (FormatError, DecodingError, MissingExtraError) as error:
            raise LoadError(found.path, str(error)) from None
        title, meta, warnings = self.metadata.of(found.path, parsed)
        return Document(found.path, parsed.text, title, meta, parsed.blocks, parsed.pages, warnings)

    def _read(self, found: Found) -> bytes:
        if found.problem:
            raise LoadError(found.path, found.problem)
        try:
            with (self.root / found.path).open("rb") as file:
                data = file.read(self.max_bytes + 1)
        except FileNotFoundError:
            raise LoadError(found.path, "the file went away after the folder was looked at", passing=True) from None
        except OSError as error:
            reason = f"the file cannot be read: {(error.strerror or str(error)).lower()}"
            raise LoadError(found.path, reason, passing=True) from None
        if len(data) > self.max_bytes:
            raise LoadError(found.path, f"the file grew beyond the {self.max_bytes:,} bytes of source: max_bytes")
        return data


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()
