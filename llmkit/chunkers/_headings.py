"""The headings that each place of a document stands under."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from llmkit.document import Document

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """The headings of a document in order: where each begins, and the path that holds from there on."""

    starts: tuple[int, ...]
    paths: tuple[Path, ...]

    @classmethod
    def of(cls, document: Document) -> Outline:
        """Read the outline off the document's blocks."""
        starts, paths = [], []
        open_levels: list[tuple[int, str]] = []
        for block in document.blocks:
            if block.kind != "heading":
                continue
            while open_levels and open_levels[-1][0] >= block.level:
                open_levels.pop()
            open_levels.append((block.level, block.label))
            starts.append(block.start)
            paths.append(tuple(label for _, label in open_levels))
        return cls(tuple(starts), tuple(paths))

    def over(self, start: int, end: int) -> Path:
        """Return the headings that all of text[start:end] stands under; white space before a heading does not count."""
        first = bisect_right(self.starts, start) - 1
        last = bisect_right(self.starts, end - 1) - 1
        path = self.paths[first] if first >= 0 else ()
        for number in range(first + 1, last + 1):
            path = _shared(path, self.paths[number])
        return path


def _shared(one: Path, other: Path) -> Path:
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return one[:length]
