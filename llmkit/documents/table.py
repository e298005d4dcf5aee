"""A table as a source: each row of a JSONL, CSV or Parquet file, or of a ``datasets`` set, is a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from llmkit.document import Document
from llmkit.documents import loaders
from llmkit.documents.found import Found, LoadError
from llmkit.documents.metadata import Metadata
from llmkit.documents.parsed import FormatError, Parsed
from llmkit.documents.rows import Row, Table, row_at
from llmkit.hashing import canonical_json, digest


@dataclass(frozen=True)
class TableSource:
    """The rows of a table.

    Attributes:
        table: Where the rows are.
        id: The column that names a document; None takes ``id`` where a row has it, else the row's number.
        text: The columns of the text, joined by blank lines; the first may be missing or empty, but not all of them.
        title: The column of the title; None takes ``title`` where a row has it.
        columns: The columns that are metadata; None takes all that are left.
        markup: What the texts are written in.
        max_bytes: A row with more bytes is a failure.
        metadata: The types of fields, and whether the id is a path that has metadata in it.
    """

    table: Table
    id: str | None = None
    text: tuple[str, ...] = ("text",)
    title: str | None = None
    columns: tuple[str, ...] | None = None
    markup: str = "plain"
    max_bytes: int = 20_000_000
    metadata: Metadata = field(default_factory=Metadata)

    @cached_property
    def fingerprint(self) -> str:
        """Loaders' versions and the choice of columns."""
        said = self.metadata
        columns = [self.id, self.text, self.title, self.columns, self.markup]
        return digest([dict(loaders.VERSIONS), columns, list(said.origins), said.path, dict(said.fields)])

    def scan(self) -> Iterator[Found]:
        """Yield the rows. All of the table is read: only its content tells what changed."""
        taken: set[str] = set()
        for row in self.table.rows():
            if isinstance(row.value, str):
                yield Found(self._spare(f"row {row.number}", taken), 0, 0, number=row.number, problem=row.value)
                continue
            size = len(canonical_json(row.value).encode("utf-8", "surrogatepass"))
            path, problem = self._path(row), ""
            if path in taken:
                problem = f"the id '{path}' is given twice; row {row.number} has it again"
                path = self._spare(f"{path} (row {row.number})", taken)
            elif size > self.max_bytes:
                problem = f"the row has {size:,} bytes, more than the {self.max_bytes:,} of source: max_bytes"
            taken.add(path)
            yield Found(path, size, 0, number=row.number, hash=digest(row.value), problem=problem)

    @staticmethod
    def _spare(name: str, taken: set[str]) -> str:
        while name in taken:
            name += "'"
        taken.add(name)
        return name

    def _path(self, row: Row) -> str:
        value = row.value.get(self.id or "id") if isinstance(row.value, Mapping) else None
        return str(row.number) if value is None or value == "" else str(value)

    def digest(self, found: Found) -> str:
        """Return the hash that the scan made of the row."""
        if found.problem:
            raise LoadError(found.path, found.problem)
        return found.hash

    def load(self, found: Found) -> Document:
        """Read a row. Fastest in the order of the scan: a table is read on from the row that was asked for last."""
        if found.problem:
            raise LoadError(found.path, found.problem)
        row = row_at(self.table, found.number)
        if row is None or isinstance(row.value, str) or digest(row.value) != found.hash:
            reason = f"row {found.number} of the table changed after it was looked at"
            raise LoadError(found.path, reason, passing=True)
        try:
            parsed = self._parsed(row.value)
        except FormatError as error:
            raise LoadError(found.path, str(error)) from None
        title, meta, warnings = self.metadata.of(found.path, parsed)
        return Document(found.path, parsed.text, title, meta, parsed.blocks, parsed.pages, warnings)

    def _parsed(self, value: Mapping[str, Any]) -> Parsed:
        texts = [str(value[name]) for name in self.text if value.get(name) not in (None, "")]
        if not texts:
            asked = " and ".join(f"'{name}'" for name in self.text)
            given = "is empty" if any(name in value for name in self.text) else "is missing"
            raise FormatError(f"{asked} {given}; say which columns hold the text under source: text")
        parsed = loaders.parse_text("\n\n".join(texts), self.markup)
        title = self.title or "title"
        used = {*self.text, self.id or "id", title}
        names = self.columns if self.columns is not None else [name for name in value if name not in used]
        values = {**parsed.values, **{name: value[name] for name in names if name in value}}
        if value.get(title):
            values["title"] = str(value[title])
        return Parsed(parsed.text, parsed.blocks, values, parsed.pages, parsed.warnings)
