"""A report as a list of sections, written three times: as Markdown, on a terminal, and as a page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmkit.report._words import short
from llmkit.report.markdown import escaped
from llmkit.text.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

_PAGE = Path(__file__).parent / "page"
_SHOWN = 5
"""Items of a section on a terminal; the reports have all."""
_WIDE = 40
"""A cell of more characters is a sentence, not a number."""


@dataclass
class Section:
    """A part of a report.

    Attributes:
        title: Its heading; the first section's is the report's own.
        lines: Sentences; one that begins with ``! `` is a warning.
        tables: Heads and rows; the first column names the row.
        items: Each with lines of its own.
        figures: Inline SVG of our own making, for the page alone.
    """

    title: str
    lines: list[str] = field(default_factory=list)
    tables: list[tuple[Sequence[str], list[list[str]]]] = field(default_factory=list)
    items: list[tuple[str, list[str]]] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)


def sections_markdown(sections: Sequence[Section]) -> str:
    """Return a report in Markdown."""
    lines: list[str] = []
    for number, section in enumerate(sections):
        if section.title:
            lines += [f"{'#' if not number else '##'} {escaped(section.title)}", ""]
        for line in section.lines:
            lines += [f"> **{escaped(line[2:])}**" if line.startswith("! ") else escaped(line), ""]
        for heads, rows in section.tables:
            lines.append(f"| {' | '.join(map(escaped, heads))} |")
            lines.append(f"|{'|'.join(['---', *('---:' for _ in heads[1:])])}|")
            lines += [f"| {' | '.join(map(escaped, row))} |" for row in rows]
            lines.append("")
        for head, inner in section.items:
            lines += [f"- **{escaped(head)}**", *(f"  - {escaped(line)}" for line in inner)]
        if section.items:
            lines.append("")
    return visible("\n".join(lines))


def print_sections(sections: Sequence[Section], console: Console, *, items: int | None = _SHOWN) -> None:
    """Print a report on a terminal; of a section's items the first so many, all for None."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    for number, section in enumerate(sections):
        if number:
            console.print()
        console.print(Text(visible(section.title), style="bold"))
        for line in section.lines:
            console.print(Text(visible(line), style="yellow" if line.startswith("! ") else ""))
        for heads, rows in section.tables:
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
            for place, head in enumerate(heads):
                wide = any(len(row[place]) > _WIDE for row in rows)
                table.add_column(Text(visible(head)), justify="left" if not place or wide else "right", overflow="fold")
            for row in rows:
                table.add_row(*(Text(visible(cell)) for cell in row))
            console.print(table)
        for head, inner in section.items[:items]:
            console.print(Text(visible(f"- {head}")))
            for line in inner:
                console.print(Text(visible(f"    {short(line, 110)}"), style="dim"))
        if items is not None and len(section.items) > items:
            console.print(Text(f"{len(section.items) - items:,} more are in report.md", style="dim"))


def sections_html(sections: Sequence[Section], *, over: str, tone: str = "") -> str:
    """Return a report as one HTML file that needs no network and runs no script.

    Args:
        sections: The report; the first one's title is the page's, its lines stand in a box at the top.
        over: What stands above the title.
        tone: ``good``, ``bad`` or ``warn`` colours that box.
    """
    style = (_PAGE / "style.css").read_text(encoding="utf-8")
    page: str = _template().render(
        over=over,
        tone=tone,
        first=_shown(sections[0]),
        sections=[_shown(section) for section in sections[1:]],
        style=style,
        style_hash=f"sha256-{base64.b64encode(sha256(style.encode()).digest()).decode()}",
    )
    return page


@cache
def _template() -> Any:
    from jinja2 import Environment

    text = (_PAGE / "sections.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)


def _shown(section: Section) -> dict[str, Any]:
    """Return a section with every text as it can be seen, and which columns hold sentences."""
    return {
        "title": visible(section.title),
        "lines": [(visible(line.removeprefix("! ")), line.startswith("! ")) for line in section.lines],
        "tables": [
            {
                "heads": [
                    (visible(head), "words" if any(len(row[place]) > _WIDE for row in rows) else "num")
                    for place, head in enumerate(heads)
                ],
                "rows": [[visible(cell) for cell in row] for row in rows],
            }
            for heads, rows in section.tables
        ],
        "items": [(visible(head), [visible(line) for line in inner]) for head, inner in section.items],
        "figures": section.figures,
    }
