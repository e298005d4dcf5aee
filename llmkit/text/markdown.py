"""Markdown as a reader sees it: blocks under headings, with the markup taken off.

Not a full Markdown parser: it reads what documentation is made of (headings, paragraphs, lists, tables, fenced and
indented code, front matter, HTML comments), and plain text is Markdown too.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["paragraph", "item", "row", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its kind, its text without markup, and the headings it stands under, outermost first.

    ``label`` holds the column names of a table row, which belong to its meaning but not to its text.
    """

    kind: Kind
    text: str
    headings: tuple[str, ...]
    label: str = ""


_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FENCE = re.compile(r"^ *(?P<mark>`{3,}|~{3,})")
_HEADING = re.compile(r"^ {0,3}(?P<level>#{1,6})(?:[ \t]+(?P<text>.*?))?(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r"^ {0,3}(?P<mark>=+|-{2,})[ \t]*$")
_RULE = re.compile(r"^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_ITEM = re.compile(r"^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?(?P<text>.*)$")
_ROW_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$")
_TICK_OR_BAR = re.compile(r"[`|]")

_SET_ASIDE = "\ufdd0"  # a code point that no text may hold
_TICKS = re.compile(r"`+")
_LINK = re.compile(
    r"!?\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\](?:\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+\"[^\"]*\")?\)|\[[^\[\]]*\])"
)
_AUTOLINK = re.compile(r"<(?P<text>https?://[^<>\s]+|[^<>\s@]+@[^<>\s]+)>")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s+\S+.*$")
_STRONG = re.compile(r"(?<![\w*])(?P<mark>\*{1,3})(?=\S)(?P<text>[^*]+?)(?<=\S)(?P=mark)(?![\w*])")
_UNDER = re.compile(r"(?<![\w_])(?P<mark>_{1,3})(?=\S)(?P<text>[^_]+?)(?<=\S)(?P=mark)(?![\w_])")
_STRUCK = re.compile(r"~~(?P<text>[^~]+)~~")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~])")


def strip_inline(text: str) -> str:
    """Return one paragraph's text without inline markup: emphasis, code marks, links, images, tags, escapes."""
    text = text.replace(_SET_ASIDE, "")
    spans = code_spans(text)
    codes = [text[start:end].strip("`").strip() for start, end in spans]
    # Code is set aside meanwhile: what looks like markup in it is none, and a link's text may hold code.
    ends = [0, *(end for _, end in spans)]
    text = _SET_ASIDE.join(
        text[end:start] for end, start in zip(ends, [*(s for s, _ in spans), len(text)], strict=True)
    )
    for pattern in (_LINK, _AUTOLINK):
        text = pattern.sub(lambda match: match["text"], text)
    text = _TAG.sub("", text)
    for pattern in (_STRONG, _STRONG, _UNDER, _STRUCK):
        text = pattern.sub(lambda match: match["text"], text)
    text = html.unescape(_ESCAPE.sub(r"\1", text))
    first, *others = text.split(_SET_ASIDE)
    return " ".join("".join([first, *(code + rest for code, rest in zip(codes, others, strict=False))]).split())


def code_spans(text: str) -> list[tuple[int, int]]:
    """Return where inline code stands, marks included: from a run of backticks to the next run of as many."""
    runs = [match.span() for match in _TICKS.finditer(text)]
    closing: dict[int, int] = {}
    next_of_length: dict[int, int] = {}
    for place in range(len(runs) - 1, -1, -1):
        start, end = runs[place]
        if end - start in next_of_length:
            closing[place] = next_of_length[end - start]
        next_of_length[end - start] = place
    spans: list[tuple[int, int]] = []
    place = 0
    while place < len(runs):
        if place in closing:
            spans.append((runs[place][0], runs[closing[place]][1]))
        place = closing.get(place, place) + 1
    return spans


def slug(heading: str) -> str:
    """Return the anchor of a heading as GitHub makes it: lower case, spaces as hyphens, no other signs."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a document in order; headings are not blocks but stand with each."""
    text = _FRONT_MATTER.sub("", text.replace("\r\n", "\n").removeprefix("\ufeff"))
    # Behind the last end of a comment no comment ends, so that nothing is searched there.
    commented, end, rest = text.rpartition("-->")
    yield from _Reader((_COMMENT.sub("", commented + end) + rest).split("\n")).blocks()


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0
        self._headings: list[tuple[int, str]] = []
        self._open: list[str] = []
        self._kind: Kind = "paragraph"

    def blocks(self) -> Iterator[Block]:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if fence := _FENCE.match(line):
                yield from self._close()
                yield from self._code(fence["mark"])
            elif not self._open and line.startswith(("    ", "\t")) and line.strip() and not _ITEM.match(line):
                yield from self._indented()
            elif self._is_table():
                yield from self._close()
                yield from self._table()
            else:
                yield from self._line(line)
                self._at += 1
        yield from self._close()

    def _line(self, line: str) -> Iterator[Block]:
        underline = _UNDERLINE.match(line)
        if heading := _HEADING.match(line):
            yield from self._close()
            self._enter(len(heading["level"]), heading["text"] or "")
        elif underline and self._open and self._kind == "paragraph":
            title = " ".join(self._open)
            self._open = []
            self._enter(1 if underline["mark"][0] == "=" else 2, title)
        elif not line.strip() or _RULE.match(line) or _DEFINITION.match(line):
            yield from self._close()
        elif item := _ITEM.match(line):
            yield from self._close()
            self._kind = "item"
            self._open = [item["text"]]
        else:
            self._open.append(re.sub(r"^[ \t]*(?:>[ \t]?)*", "", line))

    def _enter(self, level: int, title: str) -> None:
        self._headings = [pair for pair in self._headings if pair[0] < level]
        self._headings.append((level, strip_inline(title)))

    def _close(self) -> Iterator[Block]:
        text = strip_inline(" ".join(self._open))
        kind, self._open, self._kind = self._kind, [], "paragraph"
        if text:
            yield self._block(kind, text)

    def _block(self, kind: Kind, text: str, label: str = "") -> Block:
        return Block(kind, text, tuple(title for _, title in self._headings), label)

    def _code(self, mark: str) -> Iterator[Block]:
        self._at += 1
        start = self._at
        while self._at < len(self._lines) and not self._lines[self._at].strip().startswith(mark):
            self._at += 1
        yield from self._code_block(self._lines[start : self._at])
        self._at += 1

    def _indented(self) -> Iterator[Block]:
        start = self._at
        while self._at < len(self._lines) and (
            self._lines[self._at].startswith(("    ", "\t")) or not self._lines[self._at].strip()
        ):
            self._at += 1
        yield from self._code_block(self._lines[start : self._at])

    def _code_block(self, lines: list[str]) -> Iterator[Block]:
        margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        text = "\n".join(line[margin:].rstrip() for line in lines).strip("\n")
        if text:
            yield self._block("code", text)

    def _is_table(self) -> bool:
        following = self._lines[self._at + 1] if self._at + 1 < len(self._lines) else ""
        return "|" in self._lines[self._at] and "|" in following and bool(_ROW_RULE.match(following))

    def _table(self) -> Iterator[Block]:
        label = " ".join(_cells(self._lines[self._at]))
        self._at += 2
        while self._at < len(self._lines) and "|" in self._lines[self._at]:
            first, *others = [cell for cell in _cells(self._lines[self._at]) if cell] or [""]
            if first:
                yield self._block("row", f"{first}: {'; '.join(others)}" if others else first, label)
            self._at += 1


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    cells: list[str] = []
    ticks, end = 0, len(inner)
    for match in reversed(list(_TICK_OR_BAR.finditer(inner))):
        place = match.start()
        if match[0] == "`":
            ticks += 1
        elif ticks % 2 == 0 and inner[place - 1 : place] != "\\":
            cells.append(inner[place + 1 : end])
            end = place
    return [strip_inline(cell) for cell in reversed([*cells, inner[:end]])]
