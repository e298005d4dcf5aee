"""The report on a terminal: complete, plain, and readable in 60 columns as in 200."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmkit.report._words import arrow, heading, interval, number, percent, plain, spent, trouble
from llmkit.text.visible import visible
from llmkit.types import Run

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text


def print_report(run: Run, console: Console) -> None:
    """Print the report of a run: scores, what was not scored, slices, signatures."""
    from rich.text import Text

    manifest, summary = run.manifest, run.summary
    console.print(Text(visible(heading(manifest, summary)), style="bold"))
    console.print()
    console.print(_scores(summary))
    for line in trouble(summary):
        console.print(Text(visible(f"! {line}"), style="yellow"))
    for field, found in summary["slices"].items():
        console.print()
        console.print(_slice(field, found, summary["scores"]))
        if found["left_out"]:
            console.print(Text(f"{found['left_out']:,} smaller values are left out", style="dim"))
    for name, entry in summary["scores"].items():
        for table in _details(name, entry.get("details") or {}):
            console.print()
            console.print(table)
        for note in (entry.get("details") or {}).get("notes", ()):
            console.print(Text(f"{name}: {note}", style="dim"))
    console.print()
    for entry in summary["scores"].values():
        console.print(Text(visible(str(entry["signature"])), style="dim"), soft_wrap=True)
    console.print(Text(visible(spent(manifest)), style="dim"))


def _scores(summary: Mapping[str, Any]) -> Table:
    table = _table(["scorer", "", "score", "interval", "n", "scored"], left=2)
    for name, entry in summary["scores"].items():
        row = [
            name,
            arrow(entry),
            number(entry["value"], entry),
            interval(entry),
            f"{entry['n']:,}",
            percent(entry["coverage"]),
        ]
        table.add_row(*map(_text, row))
    return table


def _slice(field: str, found: Mapping[str, Any], scores: Mapping[str, Any]) -> Table:
    table = _table([field, "rows", *scores])
    for value, part in found["values"].items():
        cells = [number(s["value"], scores[name]) for name, s in part["scores"].items()]
        table.add_row(*map(_text, [value, f"{part['rows']:,}", *cells]))
    return table


def _details(name: str, details: Mapping[str, Any]) -> list[Table]:
    tables: list[Table] = []
    confusion = details.get("confusion")
    if confusion:
        table = _table([f"{name}: gold \\ predicted", *confusion["predicted"]])
        for label, row in zip(confusion["gold"], confusion["matrix"], strict=True):
            table.add_row(*map(_text, [label, *(f"{n:,}" for n in row)]))
        tables.append(table)
    for small in details.get("tables", ()):
        heads = [": ".join(filter(None, (name, small["title"], small["columns"][0]))), *small["columns"][1:]]
        table = _table(heads)
        for row in small["rows"]:
            table.add_row(*map(_text, map(plain, row)))
        tables.append(table)
    return tables


def _table(heads: Sequence[str], left: int = 1) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for position, head in enumerate(heads):
        table.add_column(
            _text(head),
            justify="left" if position < left else "right",
            overflow="fold",
            no_wrap=position >= left,
        )
    return table


def _text(text: str) -> Text:
    """Return text that rich shows as it is: model output may hold what looks like markup."""
    from rich.text import Text

    return Text(visible(text))
