"""reStructuredText: sections, literal and code blocks, lists and tables, where they stand in the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmkit.document import Block, BlockKind
from llmkit.documents.parsed import Parsed

_LINES = re.compile(r"[^\r\n]*(?:\r\n?|\n|\Z)")
_ADORNED = re.compile(r"([!-/:-@\[-`{-~])\1*\s*")
_CODE = re.compile(
    r"\s*\.\. (?:code-block|code|sourcecode|parsed-literal|highlight|literalinclude|math|doctest|testcode)::"
)
_TABLE = re.compile(r"\s*\.\. (?:table|list-table|csv-table)::")
_GRID = re.compile(r"\s*\+[-=+]+\+\s*")
_SIMPLE = re.compile(r"\s*=+(?:\s+=+)+\s*")
_ITEM = re.compile(r"\s*(?:[-*+\u2022]|#\.|\(?(?:\d{1,4}|[A-Za-z])[.)])\s+\S")
_FIELD = re.compile(r":([A-Za-z][\w -]*):(?:\s+(.*))?")
_ROLE = re.compile(r":[\w:.+-]+:`([^`<>]*?)(?:\s*<[^`<>]*>)?`|`([^`<>]*?)\s*<[^`<>]*>`_+")


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: where it stands, its text without the line end, and by how much it is indented."""

    start: int
    text: str
    indent: int

    @property
    def blank(self) -> bool:
        return not self.text

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def _lines(text: str) -> list[_Line]:
    made = []
    for found in _LINES.finditer(text):
        if found.start() < found.end():
            line = found.group().rstrip()
            made.append(_Line(found.start(), line, len(line) - len(line.lstrip())))
    return made


def parse(text: str) -> Parsed:
    """Return the text as it is, its blocks, and the field list that it may start with."""
    lines = _lines(text)
    at, values = _docinfo(lines)
    blocks: list[Block] = []
    levels: list[str] = []
    while at < len(lines):
        if lines[at].blank:
            at += 1
        elif heading := _heading(lines, at, levels):
            block, at = heading
            blocks.append(block)
        else:
            stop, kind = _body(lines, at)
            first, last = lines[at], lines[stop - 1]
            start = first.start if kind == "code" else first.start + first.indent
            blocks.append(Block(start, last.end, kind))
            at = stop
    if "title" not in values and (label := next((b.label for b in blocks if b.kind == "heading"), "")):
        values["title"] = label
    return Parsed(text, tuple(blocks), values)


def _docinfo(lines: Sequence[_Line]) -> tuple[int, dict[str, str]]:
    """Return where the text begins after a field list at the top (``:date: 2023-01-31``), and its fields."""
    at, values = 0, {}
    while at < len(lines) and (lines[at].blank or (found := _FIELD.fullmatch(lines[at].text))):
        if not lines[at].blank and found:
            values[found[1].strip().lower()] = (found[2] or "").strip()
        at += 1
    return (at, values) if values else (0, {})


def _heading(lines: Sequence[_Line], at: int, levels: list[str]) -> tuple[Block, int] | None:
    """Return the heading that begins at a line, and the line after it; adornments rank in the order they are met in."""
    over = _ADORNED.fullmatch(lines[at].text)
    title = at + 1 if over else at
    under = title + 1
    if under >= len(lines) or lines[title].blank or _ADORNED.fullmatch(lines[title].text):
        return None
    mark = _ADORNED.fullmatch(lines[under].text)
    if mark is None or (over and over[1] != mark[1]) or (lines[title].indent and not over):
        return None
    if len(lines[under].text) < min(len(lines[title].text.strip()), 4):
        return None
    style = mark[1] * (2 if over else 1)
    if style not in levels:
        levels.append(style)
    label = " ".join(_ROLE.sub(lambda found: found[1] or found[2] or "", lines[title].text).replace("``", "").split())
    block = Block(lines[at].start, lines[under].end, "heading", levels.index(style) + 1, label)
    return block, under + 1


def _body(lines: Sequence[_Line], at: int) -> tuple[int, BlockKind]:  # noqa: PLR0911 - one line a kind
    """Return the line behind the block that begins at ``at``, and what it is."""
    line = lines[at]
    if _CODE.match(line.text) or line.text.strip() == "::":
        return _indented(lines, at + 1, line.indent), "code"
    if _TABLE.match(line.text):
        return _indented(lines, at + 1, line.indent), "table"
    if _GRID.fullmatch(line.text):
        return _run(lines, at), "table"
    if _SIMPLE.fullmatch(line.text):
        return _simple_table(lines, at), "table"
    if _ITEM.match(line.text):
        return _items(lines, at), "list"
    stop = _run(lines, at)
    if lines[stop - 1].text.endswith("::") and not lines[stop - 1].text.lstrip().startswith(".. "):
        after = _indented(lines, stop, line.indent)
        return (after, "code") if after > stop else (stop, "paragraph")
    return stop, "paragraph"


def _run(lines: Sequence[_Line], at: int) -> int:
    while at < len(lines) and not lines[at].blank:
        at += 1
    return at


def _indented(lines: Sequence[_Line], at: int, indent: int) -> int:
    """Return the line behind what is indented more than ``indent``, blank lines within it included."""
    stop = at
    while at < len(lines) and (lines[at].blank or lines[at].indent > indent):
        at += 1
        if not lines[at - 1].blank:
            stop = at
    return stop


def _simple_table(lines: Sequence[_Line], at: int) -> int:
    """Return the line behind a simple table: its last rule is one that a blank line follows."""
    stop = at + 1
    while stop < len(lines):
        if _SIMPLE.fullmatch(lines[stop].text) and (stop + 1 == len(lines) or lines[stop + 1].blank):
            return stop + 1
        stop += 1
    return _run(lines, at)


def _items(lines: Sequence[_Line], at: int) -> int:
    """Return the line behind a list: items, what is indented below them, and blank lines between."""
    indent = lines[at].indent
    stop = at + 1
    while stop < len(lines):
        line = lines[stop]
        if line.blank:
            after = next((n for n in range(stop, min(stop + 8, len(lines))) if not lines[n].blank), None)
            if after is None or not (lines[after].indent > indent or _same_list(lines[after], indent)):
                return stop
            stop = after
        else:
            stop += 1
    return stop


def _same_list(line: _Line, indent: int) -> bool:
    return line.indent == indent and _ITEM.match(line.text) is not None
