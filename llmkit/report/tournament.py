"""The standings of a tournament, in Markdown and on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmkit.report.section import Section, print_sections, sections_html, sections_markdown

if TYPE_CHECKING:
    from rich.console import Console

_MOST = 12
"""A matrix of more systems is left to the summary."""


def tournament_tables(found: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return the tables of a tournament: title, heads, rows."""
    percent = f"{found['level'] * 100:g}%"
    heads = ["system", "Bradley-Terry", percent, "Elo", f"{percent} of orders", "win rate", "games"]
    rows = [
        [
            entry["system"],
            _rating(entry["bradley_terry"]),
            _range(entry["bradley_terry"], 0),
            _rating(entry["elo"]),
            _range(entry["elo"], 0),
            f"{entry['win_rate']:.3f}",
            f"{entry['games']:,}",
        ]
        for entry in found["systems"]
    ]
    tables = [("", heads, rows)]
    if "baseline" in found:
        against = [
            [name, _share(one.get("win_rate")), _share(one.get("length_controlled")), f"{one['games']:,}"]
            for name, one in found["against_baseline"].items()
        ]
        tables.append((f"Against {found['baseline']}", ["system", "win rate", "length-controlled", "games"], against))
    names = [entry["system"] for entry in found["systems"]]
    if len(names) <= _MOST:
        matrix = [[name, *(_cell(found["win_rates"][name], other) for other in names)] for name in names]
        tables.append(("How often the row's system wins against the column's", ["", *names], matrix))
    return tables


def tournament_notes(found: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know beside the tables."""
    notes = [f"{found['games']:,} games on {found['rows']:,} rows, {found['ties']:,} ties."]
    failed = found.get("failed") or {}
    if failed:
        why = ", ".join(f"{kind} ({count:,})" for kind, count in failed.items())
        notes.append(
            f"{sum(failed.values()):,} of {found['asked']:,} games have no verdict and count for nobody: {why}."
        )
    notes += [str(note) for note in found["notes"]]
    notes.append(
        f"Elo is the mean over {found['orders']:,} random orders of the games; its range says how much the order "
        "matters, not how few games there are."
    )
    return notes


def tournament_sections(found: Mapping[str, Any]) -> list[Section]:
    """Return the report of a tournament."""
    (_, heads, rows), *others = tournament_tables(found)
    judge = [f"Judge: {found['judge']}"] if found.get("judge") else []
    return [
        Section("Tournament", tables=[(heads, rows)]),
        *(Section(title, tables=[(heads, rows)]) for title, heads, rows in others),
        Section("What made it", lines=[*tournament_notes(found), *judge]),
    ]


def tournament_markdown(found: Mapping[str, Any]) -> str:
    """Return the standings as a page in Markdown."""
    return sections_markdown(tournament_sections(found))


def tournament_html(found: Mapping[str, Any]) -> str:
    """Return the standings as a page."""
    return sections_html(tournament_sections(found), over="llmkit tournament")


def print_tournament(found: Mapping[str, Any], console: Console) -> None:
    """Print the standings."""
    print_sections(tournament_sections(found), console)


def _rating(estimate: Mapping[str, Any] | None) -> str:
    return "-" if estimate is None else f"{estimate['value']:.0f}"


def _range(estimate: Mapping[str, Any] | None, digits: int) -> str:
    if estimate is None or estimate["low"] is None:
        return "-"
    return f"{estimate['low']:.{digits}f} to {estimate['high']:.{digits}f}"


def _share(estimate: Mapping[str, Any] | None) -> str:
    return "-" if estimate is None else f"{estimate['value']:.3f} ({_range(estimate, 3)})"


def _cell(rates: Mapping[str, Any], other: str) -> str:
    value = rates.get(other)
    return "-" if value is None else f"{value:.2f}"
