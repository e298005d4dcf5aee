"""What a source finds before it reads: the contract between sources and whoever keeps an index in step with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from llmkit.document import Document


@dataclass(frozen=True, slots=True)
class Found:
    """One document as a look at its source shows it; nothing of it has been read.

    Attributes:
        path: What it is known by: a path with ``/`` below the source's root, or a row's id.
        size: Bytes of a file; of a row, bytes of its JSON.
        mtime_ns: When the file was last changed, in nanoseconds: the later of the times of its content and its entry. A
            text that takes the place of another, of the same size and time, moves only the second. 0 for a row, of
            which only `hash` tells a change.
        number: A row's number in its table, from 1; 0 for a file.
        hash: A digest of a row's content, as `Source.digest` returns; empty for a file that has not been read. `load`
            refuses a document of another digest.
        problem: Why it cannot be read, where the look already showed it: too large, a link that leads nowhere. `load`
            raises it.
        folder: Whether it is a whole folder that could not be looked into, its path ending with ``/``: documents known
            below it are not gone, they are unreadable.
    """

    path: str
    size: int
    mtime_ns: int
    number: int = 0
    hash: str = ""
    problem: str = ""
    folder: bool = False


class LoadError(Exception):
    """A document cannot be read: a failure to record, never a reason to stop.

    Attributes:
        path: The document.
        reason: One plain sentence: what is wrong with it and what to do.
        passing: Whether the same content may be readable next time: it changed while it was read, or could not be
            opened.
    """

    def __init__(self, path: str, reason: str, *, passing: bool = False) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason
        self.passing = passing

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class Source(Protocol):
    """Where documents come from. Can be pickled: documents are loaded in other processes."""

    @property
    def fingerprint(self) -> str:
        """What makes it read a document as it does (loaders, settings): another one, everything is read again."""
        ...

    def scan(self) -> Iterator[Found]:
        """Yield what is there, each path once, always in the same order; cheap.

        Raises:
            InfrastructureError: the whole source is not there, such as a folder that is not mounted.
            DataError: a table that cannot be opened.
        """
        ...

    def digest(self, found: Found) -> str:
        """Return a hash of the document's content.

        Raises:
            LoadError: it cannot be read.
        """
        ...

    def load(self, found: Found) -> Document:
        """Read the document.

        Raises:
            LoadError: it cannot be read, or there is nothing in it.
        """
        ...
