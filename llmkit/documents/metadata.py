"""What is known of a document beside its text: from its front matter or properties, and from its path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from llmkit.document import Block
from llmkit.documents.fields import path_pattern, typed
from llmkit.documents.parsed import Parsed

_pattern = lru_cache(maxsize=16)(path_pattern)


@dataclass(frozen=True)
class Metadata:
    """The ``metadata:`` of a config.

    Attributes:
        origins: ``front_matter`` and ``path``; what stands first wins where both know a field.
        path: The pattern of a path, ``{lang}/{year}/...``; None takes the names of the parent folders as ``folders``.
        fields: Field -> its type, a key of `fields.TYPES`.
    """

    origins: Sequence[str] = ("front_matter",)
    path: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)

    def of(self, path: str, parsed: Parsed) -> tuple[str, dict[str, Any], tuple[str, ...]]:
        """Return a document's title, its typed metadata, and a sentence for each value that does not fit.

        The title is metadata too where ``fields`` names it.
        """
        raw: dict[str, Any] = {}
        for origin in reversed(self.origins):
            raw |= parsed.values if origin == "front_matter" else self._of_path(path)
        if "title" not in self.fields:
            raw.pop("title", None)
        values, warnings = typed(raw, self.fields)
        title = parsed.values.get("title")
        if not isinstance(title, str) or not title.strip():
            title = first_heading(parsed.blocks) or PurePosixPath(path).stem
        return " ".join(title.split()), values, (*parsed.warnings, *warnings)

    def _of_path(self, path: str) -> dict[str, Any]:
        if self.path is None:
            folders = path.split("/")[:-1]
            return {"folders": folders} if folders else {}
        found = _pattern(self.path).fullmatch(path)
        return found.groupdict() if found else {}


def first_heading(blocks: Sequence[Block]) -> str:
    """Return the first heading of the highest level: what a reader would call the title."""
    headings = [block for block in blocks if block.kind == "heading" and block.label.strip()]
    return min(headings, key=lambda block: block.level).label if headings else ""
