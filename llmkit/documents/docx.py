"""Word's docx: paragraphs, headings by their style, lists and tables; the standard library's zip and XML.

A file that unpacks to more than it may is refused before and while it is unpacked, whatever its directory claims, and
so is XML with a document type, which no program writes and which can define text that grows without end.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import Any
from xml.parsers import expat

from llmkit.document import Block, BlockKind
from llmkit.documents.parsed import FormatError, Parsed

MOST = 200 * 1024 * 1024
"""Bytes that one part of a file may unpack to."""

_HEADING = re.compile(r"heading\s*([1-9])", re.IGNORECASE)
_STEP = 1 << 16
_BODY_TEXT = 9
"""The outline level of what is no heading."""


def parse(data: bytes, most: int = MOST) -> Parsed:
    """Return the text of a docx: a paragraph a line with blank lines between, tables with ``|``.

    Raises:
        FormatError: encrypted, no docx, broken, without text, or larger than ``most`` when unpacked.
    """
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise FormatError("it is encrypted with a password, or a doc of before 2007; save it as a plain docx")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            styles = _Styles()
            if "word/styles.xml" in file.namelist():
                _feed(file, "word/styles.xml", styles, most)
            body = _Body(styles.levels)
            _feed(file, "word/document.xml", body, most)
            core = _Core()
            if "docProps/core.xml" in file.namelist():
                _feed(file, "docProps/core.xml", core, most)
    except KeyError:
        raise FormatError("it is no docx: word/document.xml is missing") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"it is no docx that can be read: {str(error).rstrip('.') or 'it ends too early'}") from None
    parsed = body.parsed()
    if not parsed.blocks:
        raise FormatError("there is no text in it")
    if body.title:
        core.values.setdefault("title", body.title)
    return Parsed(parsed.text, parsed.blocks, core.values)


def _feed(file: zipfile.ZipFile, name: str, reader: _Reader, most: int) -> None:
    said = file.getinfo(name).file_size
    if said > most:
        raise FormatError(f"it unpacks to {said:,} bytes, more than the {most:,} that are allowed")
    parser = expat.ParserCreate(namespace_separator=None)
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.StartDoctypeDeclHandler = _refuse
    left = most
    try:
        with file.open(name) as part:
            while block := part.read(_STEP):
                left -= len(block)
                if left < 0:
                    raise FormatError(f"it unpacks to more than the {most:,} bytes that are allowed")
                parser.Parse(block, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise FormatError(f"{name} in it is broken: {error}") from None


def _refuse(*_: Any) -> None:
    raise FormatError("its XML has a document type, which no docx has")


class _Reader:
    """What expat calls; tags come with their usual prefixes (``w:p``), which every writer of docx uses."""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take the start of an element."""

    def end(self, tag: str) -> None:
        """Take the end of an element."""

    def data(self, text: str) -> None:
        """Take characters."""


class _Styles(_Reader):
    """Which styles are headings: by their English name, which Word keeps in every language, or their outline level."""

    def __init__(self) -> None:
        self.levels: dict[str, int] = {}
        self._style = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "w:style":
            self._style = attributes.get("w:styleId", "")
        elif tag == "w:name" and self._style:
            name = attributes.get("w:val", "")
            if found := _HEADING.fullmatch(name.strip()):
                self.levels[self._style] = int(found[1])
            elif name.strip().lower() == "title":
                self.levels[self._style] = 0
        elif tag == "w:outlineLvl" and self._style:
            level = attributes.get("w:val", "")
            if level.isdigit() and int(level) < _BODY_TEXT:
                self.levels.setdefault(self._style, int(level) + 1)


class _Core(_Reader):
    """The properties of a document."""

    _KNOWN = {"dc:title": "title", "dc:creator": "author", "dcterms:created": "date", "cp:keywords": "tags"}  # noqa: RUF012 - never written to

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._field = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._field = self._KNOWN.get(tag, "")

    def end(self, tag: str) -> None:
        self._field = ""

    def data(self, text: str) -> None:
        if self._field and text.strip():
            self.values[self._field] = self.values.get(self._field, "") + text


class _Body(_Reader):
    """The text. Deleted text (``w:delText``) and field codes (``w:instrText``) are no ``w:t``, so they stay out."""

    def __init__(self, levels: dict[str, int]) -> None:
        self.title = ""
        self._levels = levels
        self._made: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []
        self._words: list[str] = []
        self._style = ""
        self._item = self._take = False
        self._tables = 0
        self._row: list[list[str]] = []
        self._rows: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "w:t":
            self._take = True
        elif tag in ("w:tab", "w:br", "w:cr"):
            self._words.append("\t" if tag == "w:tab" else "\n")
        elif tag == "w:p":
            self._words, self._style, self._item = [], "", False
        elif tag == "w:pStyle":
            self._style = attributes.get("w:val", "")
        elif tag == "w:numPr":
            self._item = True
        elif tag == "w:tbl":
            self._tables += 1
        elif tag == "w:tc":
            self._row.append([])

    def data(self, text: str) -> None:
        if self._take:
            self._words.append(text)

    def end(self, tag: str) -> None:
        if tag == "w:t":
            self._take = False
        elif tag == "w:p":
            self._paragraph()
        elif tag == "w:tr" and self._tables == 1:
            row = " | ".join(" ".join(" ".join(cell).split()) for cell in self._row)
            self._row = []
            if row.strip(" |"):
                self._rows.append(row)
        elif tag == "w:tbl":
            self._tables -= 1
            if not self._tables and self._rows:
                self._write("\n".join(self._rows), "table")
                self._rows = []

    def _paragraph(self) -> None:
        text = "".join(self._words).strip()
        self._words = []
        if not text:
            return
        if self._tables:
            if self._row:
                self._row[-1].append(text)
            return
        level = self._levels.get(self._style)
        if level == 0 and not self.title:
            self.title = " ".join(text.split())
        if level is not None:
            self._write(" ".join(text.split()), "heading", max(1, level))
        elif self._item:
            self._write("- " + text, "list")
        else:
            self._write(text, "paragraph")

    def _write(self, text: str, kind: BlockKind, level: int = 0) -> None:
        before = self._blocks[-1] if self._blocks else None
        goes_on = kind == "list" and before is not None and before.kind == "list"
        parted = "\n" if goes_on else "\n\n" if before else ""
        start = self._length + len(parted)
        self._made += [parted, text]
        self._length = start + len(text)
        if goes_on and before is not None:
            self._blocks[-1] = Block(before.start, self._length, "list")
        else:
            self._blocks.append(Block(start, self._length, kind, level, text if kind == "heading" else ""))

    def parsed(self) -> Parsed:
        """Return all that was read."""
        return Parsed("".join(self._made), tuple(self._blocks))
