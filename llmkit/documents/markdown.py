"""Markdown: CommonMark's blocks and GFM's tables, where they stand in the file's own characters."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from llmkit.document import Block, BlockKind
from llmkit.documents.front_matter import split
from llmkit.documents.parsed import Parsed, without_gaps

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_KINDS: dict[str, BlockKind] = {
    "heading_open": "heading",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "fence": "code",
    "code_block": "code",
    "table_open": "table",
}
_LINE = re.compile(r"\r\n?|\n")
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])")
_ANCHOR = re.compile(r"\s*(?:\{[#.][^{}]*\}|<a\b[^<>]*>\s*</a>)\s*")
_MARKS = re.compile(r"\\([!-/:-@\[-`{-~])|(\*\*|__|``?|~~|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w))")


@cache
def _parser() -> MarkdownIt:
    """Return a parser that looks for blocks alone: what stands inside them is text to us."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def parse(text: str) -> Parsed:
    """Return the text as it is, its blocks, and its front matter, which is in none of them."""
    front = split(text)
    body = text[front.end :]
    lines = [front.end, *(front.end + found.end() for found in _LINE.finditer(body))]
    if lines[-1] < len(text):
        lines.append(len(text))
    blocks = []
    parsed = _parser().parse(body)
    for number, token in enumerate(parsed):
        if token.level or token.map is None or token.type not in _KINDS:
            continue
        start, end = lines[token.map[0]], lines[min(token.map[1], len(lines) - 1)]
        while end > start and text[end - 1].isspace():
            end -= 1
        if token.type != "code_block":
            while start < end and text[start].isspace():
                start += 1
        if start < end:
            kind = _KINDS[token.type]
            heading = kind == "heading"
            level, label = (int(token.tag[1]), plain(parsed[number + 1].content)) if heading else (0, "")
            blocks.append(Block(start, end, kind, level, label))
    return Parsed(text, without_gaps(text, blocks, front.end), front.values, warnings=_told(front.warning))


def _told(warning: str) -> tuple[str, ...]:
    return (warning,) if warning else ()


def plain(label: str) -> str:
    """Return a heading's words: the text of links, without marks of emphasis and code and without anchors."""
    text = _LINK.sub(r"\1", _ANCHOR.sub(" ", label))
    return " ".join(_MARKS.sub(lambda found: found[1] or "", text).split())
