"""HTML: the text that a reader sees, with headings, lists, tables and preformatted code; no navigation, no scripts.

The parser is the standard library's: it builds no tree, so a page of 100,000 nested tags is as flat as any other, and
every machine extracts the same characters.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from llmkit.document import Block, BlockKind
from llmkit.documents.parsed import Parsed

_DROPPED = frozenset("script style noscript template nav svg iframe object select button".split())  # noqa: SIM905  # a word list reads better so
_LEFT_OUT = frozenset({"footer", "aside"})
"""Left out outside of ``main`` and ``article`` only: in there they are the text's own."""
_BREAKING = frozenset(
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer h1 h2 h3 h4 "  # noqa: SIM905  # same
    "h5 h6 header hr html li main menu ol p pre section summary table tbody tfoot thead title tr ul caption".split()
)
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_SPACE = re.compile(r"[ \t\r\n\f]+")
_PROPERTIES = {
    "author": "author",
    "date": "date",
    "dc.date": "date",
    "dcterms.date": "date",
    "article:published_time": "date",
    "keywords": "tags",
    "description": "description",
    "dc.creator": "author",
}


def parse(text: str) -> Parsed:
    """Return the text of a page, its blocks, and what its head says: title, author, date, tags, lang."""
    reader = _Reader()
    reader.feed(_closable(text))
    reader.close()
    return reader.parsed()


def _closable(text: str) -> str:
    """Return the page with what no ``>`` closes any more as text.

    The parser looks for the end of each tag anew, so a page of tags that never end would take the square of its length.
    """
    last = text.rfind("-->") + len("-->") if "-->" in text else 0
    text = text[:last] + text[last:].replace("<!--", "&lt;!--")
    last = text.rfind(">") + 1
    return text[:last] + text[last:].replace("<", "&lt;")


class _Reader(HTMLParser):
    """Collects blocks as the tags go by."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.values: dict[str, Any] = {}
        self._made: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []
        self._line: list[str] = []
        self._mark = ""
        self._dropped: list[str] = []
        self._content = 0
        self._heading = 0
        self._pre = 0
        self._lists: list[int] = []
        self._tables = 0
        self._whole: tuple[BlockKind, int] | None = None
        self._cells = 0
        self._title: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._dropped:
            if tag == self._dropped[0]:
                self._dropped.append(tag)
            return
        given = dict(attrs)
        if tag in _DROPPED or (tag in _LEFT_OUT and not self._content) or self._hidden(tag, given):
            self._flush()
            self._dropped.append(tag)
        elif tag in _BREAKING:
            self._begin(tag, given)
        elif tag == "br":
            self._line.append("\n" if self._pre or self._whole is None else " ")
        elif tag in ("td", "th"):
            self._cell()
        elif tag == "meta":
            self._meta(given)

    @staticmethod
    def _hidden(tag: str, given: dict[str, str | None]) -> bool:
        return tag in ("div", "section", "span", "ul") and (
            "hidden" in given or given.get("role") == "navigation" or given.get("aria-hidden") == "true"
        )

    def _begin(self, tag: str, given: dict[str, str | None]) -> None:
        self._flush()
        if tag in ("main", "article"):
            self._content += 1
        elif tag == "html" and given.get("lang"):
            self.values["lang"] = str(given["lang"])
        elif tag == "title" and "title" not in self.values:
            self._title = []
        elif tag in ("ul", "ol", "menu", "dl"):
            self._open("list")
            self._lists.append(0 if tag == "ol" else -1)
        elif tag == "table":
            self._open("table")
            self._tables += 1
        elif tag == "pre":
            self._pre += 1
        elif tag == "tr":
            self._cells = 0
        elif tag == "li":
            self._item()
        elif tag in _HEADINGS:
            self._heading = int(tag[1])

    def _item(self) -> None:
        depth = max(len(self._lists) - 1, 0)
        mark = "- "
        if self._lists and self._lists[-1] >= 0:
            self._lists[-1] += 1
            mark = f"{self._lists[-1]}. "
        self._mark = "  " * min(depth, 8) + mark

    def _open(self, kind: BlockKind) -> None:
        """Begin a block that is kept whole, unless one is open: a list in a table is a part of the table."""
        if self._whole is None:
            self._whole = (kind, len(self._blocks))

    def _close_whole(self) -> None:
        """Join the lines of a list or table, which were collected as blocks, into one."""
        if self._whole is None or self._lists or self._tables:
            return
        kind, first = self._whole
        self._whole = None
        parts = self._blocks[first:]
        if parts:
            self._blocks[first:] = [Block(parts[0].start, parts[-1].end, kind)]

    def handle_endtag(self, tag: str) -> None:
        if self._dropped:
            if tag == self._dropped[-1]:
                self._dropped.pop()
            return
        if tag == "title" and self._title is not None:
            self.values["title"] = " ".join("".join(self._title).split())
            self._title = None
        if tag not in _BREAKING:
            return
        self._flush()
        if tag in ("main", "article"):
            self._content = max(0, self._content - 1)
        elif tag == "pre":
            self._pre = max(0, self._pre - 1)
        elif tag in ("ul", "ol", "menu", "dl") and self._lists:
            self._lists.pop()
            self._close_whole()
        elif tag == "table" and self._tables:
            self._tables -= 1
            self._close_whole()
        elif tag in _HEADINGS:
            self._heading = 0

    def handle_data(self, data: str) -> None:
        if self._title is not None:
            self._title.append(data)
        elif not self._dropped:
            self._line.append(data if self._pre else _SPACE.sub(" ", data))

    def _cell(self) -> None:
        if self._cells:
            self._line.append(" | ")
        self._cells += 1

    def _meta(self, given: dict[str, str | None]) -> None:
        name = str(given.get("name") or given.get("property") or "").lower()
        if (field := _PROPERTIES.get(name)) and given.get("content"):
            self.values.setdefault(field, given["content"])

    def _flush(self) -> None:
        """End the line that is being written: one block, or one line of a list or table."""
        line, self._line = "".join(self._line), []
        if self._pre:
            line = line.replace("\r\n", "\n").strip("\n").rstrip()
        else:
            line = "\n".join(re.sub(" {2,}", " ", part).strip(" ") for part in line.split("\n")).strip()
        if line.strip(" |\n"):
            line, self._mark = self._mark + line, ""
            self._write(line)

    def _write(self, line: str) -> None:
        inside = self._whole is not None and len(self._blocks) > self._whole[1]
        parted = "" if not self._made else "\n" if inside else "\n\n"
        start = self._length + len(parted)
        self._made += [parted, line]
        self._length = start + len(line)
        kind: BlockKind = "heading" if self._heading and self._whole is None else "code" if self._pre else "paragraph"
        label = " ".join(line.split()) if kind == "heading" else ""
        self._blocks.append(Block(start, self._length, kind, self._heading if kind == "heading" else 0, label))

    def parsed(self) -> Parsed:
        """Return all that was read."""
        self._flush()
        self._lists, self._tables = [], 0
        self._close_whole()
        return Parsed("".join(self._made), tuple(self._blocks), self.values)
