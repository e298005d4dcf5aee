"""A walk through a folder: every file that is meant, by folder and name, with links followed or passed over."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from llmkit.documents.found import Found
from llmkit.errors import InfrastructureError

Identity = tuple[int, int]
"""A folder's device and inode."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to look into: where it is, its path below the root with a ``/`` at the end, the folders it stands in."""

    place: str
    path: str
    inside: tuple[Identity, ...]


@dataclass(frozen=True)
class Walk:
    """One walk; see `FolderSource` for its settings.

    A folder that links lead to twice is read once, under the path that comes first. One that leads back to a folder
    that it stands in is a problem, and so is a link that leads nowhere.
    """

    root: Path
    meant: Callable[[str], bool]
    excluded: Callable[[str], bool]
    closed: Callable[[str], bool]
    follow_symlinks: bool
    hidden: bool
    max_bytes: int
    _seen: set[Identity] = field(default_factory=set)

    def found(self) -> Iterator[Found]:
        """Yield what is there; folders wait on a stack, not on Python's, so no depth is too deep.

        Raises:
            InfrastructureError: there is no such folder.
        """
        if not self.root.is_dir():
            reason = "is not a folder" if self.root.exists() else "is not there; is its disk mounted?"
            raise InfrastructureError(f"{self.root}: the folder of the documents {reason}")
        at = self.root.stat()
        stack = [self._look(_Folder(str(self.root), "", ((at.st_dev, at.st_ino),)))]
        while stack:
            item = next(stack[-1], None)
            if item is None:
                stack.pop()
            elif isinstance(item, Found):
                yield item
            else:
                stack.append(self._look(item))

    def _look(self, folder: _Folder) -> Iterator[Found | _Folder]:
        try:
            with os.scandir(folder.place) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            reason = f"the folder cannot be looked into: {_reason(error)}"
            yield Found(_shown(folder.path) or "/", 0, 0, problem=reason, folder=True)
            return
        for entry in entries:
            if entry.name[0] == "." and not self.hidden:
                continue
            if entry.is_symlink() and not self.follow_symlinks:
                continue
            if (item := self._entry(entry, folder)) is not None:
                yield item

    def _entry(self, entry: os.DirEntry[str], folder: _Folder) -> Found | _Folder | None:
        path = folder.path + entry.name
        try:
            if entry.is_dir():
                return None if self.closed(path) else self._below(entry, path, folder)
            if not self.meant(path) or self.excluded(path):
                return None
            stat = entry.stat()
            return self._file(path, stat) if entry.is_file() else None
        except OSError as error:
            if not self.meant(path) or self.excluded(path):
                return None
            reason = f"the file cannot be looked at: {_reason(error)}"
            if entry.is_symlink():
                reason = "the link leads " + ("in a circle" if error.errno == errno.ELOOP else "nowhere")
            return Found(_shown(path), 0, 0, problem=reason)

    def _below(self, entry: os.DirEntry[str], path: str, folder: _Folder) -> Found | _Folder | None:
        if not self.follow_symlinks:
            return _Folder(entry.path, path + "/", ())
        stat = entry.stat()
        identity = (stat.st_dev, stat.st_ino)
        if identity in folder.inside:
            reason = "the link leads back to a folder that it stands in"
            return Found(_shown(path) + "/", 0, 0, problem=reason, folder=True)
        if identity in self._seen:
            return None
        self._seen.add(identity)
        return _Folder(entry.path, path + "/", (*folder.inside, identity))

    def _file(self, path: str, stat: os.stat_result) -> Found:
        problem = ""
        if stat.st_size > self.max_bytes:
            problem = (
                f"the file has {stat.st_size:,} bytes, more than the {self.max_bytes:,} of source: max_bytes; "
                "split it, exclude it or allow more"
            )
        shown = _shown(path)
        if shown != path:
            problem = "the file's name is not UTF-8; rename it"
        return Found(shown, stat.st_size, max(stat.st_mtime_ns, stat.st_ctime_ns), problem=problem)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _shown(path: str) -> str:
    """Return the path, or how it is shown where its bytes are no UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return path
