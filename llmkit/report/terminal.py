"""The report on a terminal: complete, plain, and readable in 60 columns as in 200."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from llmkit.report._choice import choice_notes, choice_signatures, choice_tables
from llmkit.report._ensemble import ensemble_signatures, ensemble_tables
from llmkit.report._modes import modes_tables
from llmkit.report._repeats import repeats_tables
from llmkit.report._robustness import robustness_signatures, robustness_tables
from llmkit.report._words import arrow, heading, interval, number, percent, plain, spent, stopped, trouble, with_gates
from llmkit.text.visible import visible
from llmkit.types import Run

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_GAP = 3
"""Between two columns."""

_FOLDED = 12
"""Names of rows and heads of columns are not folded to less."""

_LARGEST_MATRIX = 20
"""A confusion matrix of more labels is left to the page."""


def print_report(run: Run, console: Console) -> None:
    """Print the report of a run: scores, what was not scored, slices, signatures."""
    from rich.text import Text

    manifest, summary = run.manifest, with_gates(run.manifest, run.summary)
    told = [f"\n{line}" for line in (stopped(summary),) if line]
    console.print(Text.assemble((visible(heading(manifest, summary)), "bold"), *told))
    console.print()
    print_grid(console, _scores(summary))
    for line in trouble(summary):
        console.print(Text(visible(f"! {line}"), style="yellow"))
    _print_rules(summary, console)
    _print_ensemble(summary, console)
    for grid in _details("", {"tables": [*robustness_tables(summary), *repeats_tables(summary)]}):
        console.print()
        print_grid(console, grid)
    for field, found in summary["slices"].items():
        console.print()
        print_grid(console, _slice(field, found, summary["scores"]))
        if found["left_out"]:
            console.print(Text(f"{found['left_out']:,} smaller values are left out", style="dim"))
    for name, entry in summary["scores"].items():
        for grid in _details(name, entry.get("details") or {}):
            console.print()
            print_grid(console, grid)
        labels = len(((entry.get("details") or {}).get("confusion") or {"gold": ()})["gold"])
        if labels > _LARGEST_MATRIX:
            console.print(Text(f"{name}: the confusion of {labels} labels is in report.md", style="dim"))
        for note in (entry.get("details") or {}).get("notes", ()):
            console.print(Text(f"{name}: {note}", style="dim"))
    console.print()
    own = [str(entry["signature"]) for entry in summary["scores"].values()]
    for signature in (
        *ensemble_signatures(summary),
        *own,
        *robustness_signatures(summary),
        *choice_signatures(summary),
    ):
        console.print(Text(visible(signature), style="dim"), soft_wrap=True)
    console.print(Text(visible(spent(manifest)), style="dim"))


def _print_ensemble(summary: Mapping[str, Any], console: Console) -> None:
    for grid in _details("", {"tables": [*modes_tables(summary), *ensemble_tables(summary)]}):
        console.print()
        print_grid(console, grid)
    for note in summary.get("ensemble", {}).get("notes", ()):
        console.print(_text(note), style="dim")


def _print_rules(summary: Mapping[str, Any], console: Console) -> None:
    """Print how much the choice of a multiple-choice rule moves accuracy."""
    for grid in _details("", {"tables": choice_tables(summary)}):
        console.print()
        print_grid(console, grid)
    for note in choice_notes(summary):
        console.print(_text(note))


@dataclass(frozen=True, slots=True)
class Grid:
    """A table before it is laid out: its first ``left`` columns name the row."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1


def _scores(summary: Mapping[str, Any]) -> Grid:
    rows = [
        [
            name,
            arrow(entry),
            number(entry["value"], entry),
            interval(entry),
            f"{entry['n']:,}",
            percent(entry["coverage"]),
        ]
        for name, entry in summary["scores"].items()
    ]
    return Grid(["scorer", "", "score", "interval", "n", "scored"], rows, left=2)


def _slice(field: str, found: Mapping[str, Any], scores: Mapping[str, Any]) -> Grid:
    rows = [
        [value, f"{part['rows']:,}", *(number(s["value"], scores[name]) for name, s in part["scores"].items())]
        for value, part in found["values"].items()
    ]
    return Grid([field, "rows", *scores], rows)


def _details(name: str, details: Mapping[str, Any]) -> list[Grid]:
    grids: list[Grid] = []
    confusion = details.get("confusion")
    if confusion and len(confusion["gold"]) <= _LARGEST_MATRIX:
        rows = [
            [label, *(f"{n:,}" for n in row)] for label, row in zip(confusion["gold"], confusion["matrix"], strict=True)
        ]
        grids.append(Grid([f"{name}: gold \\ predicted", *confusion["predicted"]], rows))
    for small in details.get("tables", ()):
        heads = [": ".join(filter(None, (name, small["title"], small["columns"][0]))), *small["columns"][1:]]
        grids.append(Grid(heads, [list(map(plain, row)) for row in small["rows"]]))
    return grids


def print_grid(console: Console, grid: Grid) -> None:
    """Print a grid as one table where the width is enough; else as several that each repeat the rows' names.

    A number is never cut. What is folded first is the heads of columns, then the names of rows.
    """
    from rich.cells import cell_len

    heads, rows = [visible(head) for head in grid.heads], [[visible(cell) for cell in row] for row in grid.rows]
    left = grid.left
    cells = [max((cell_len(row[i]) for row in rows), default=0) for i in range(len(heads))]
    full = [max(cell, cell_len(head)) for cell, head in zip(cells, heads, strict=True)]
    least = [max(cell, min(cell_len(head), _FOLDED)) for cell, head in zip(cells, heads, strict=True)]
    names = [min(full[0], _FOLDED), *full[1:left]]
    room = console.width - sum(names) - _GAP * (left - 1)
    widths = next((w for w in (full, least) if sum(w[left:]) + _GAP * len(w[left:]) <= room), least)
    for number_of_table, group in enumerate(_groups(widths[left:], room)):
        columns = [*range(left), *(left + i for i in group)]
        spare = room - sum(widths[i] + _GAP for i in columns[left:])
        fitted = [min(full[0], names[0] + max(spare, 0)), *names[1:], *(widths[i] for i in columns[left:])]
        if number_of_table:
            console.print()
        shown = [[row[i] for i in columns] for row in rows]
        console.print(_table([heads[i] for i in columns], shown, fitted, left))


def _groups(widths: Sequence[int], room: int) -> list[list[int]]:
    """Return which columns stand side by side in ``room``; one that is too wide stands alone."""
    groups: list[list[int]] = [[]]
    rest = room
    for column, width in enumerate(widths):
        if groups[-1] and rest < width + _GAP:
            groups.append([])
            rest = room
        groups[-1].append(column)
        rest -= width + _GAP
    return groups


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], left: int) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for position, (head, width) in enumerate(zip(heads, widths, strict=True)):
        justify: Literal["left", "right"] = "left" if position < left else "right"
        table.add_column(_text(head), justify=justify, overflow="fold", width=width)
    for row in rows:
        table.add_row(*map(_text, row))
    return table


def _text(text: str) -> Text:
    """Return text that rich shows as it is: model output may hold what looks like markup."""
    from rich.text import Text

    return Text(visible(text))
