"""What an ensemble's members score beside what they score together, as tables that every report can show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmkit.report._words import arrow, interval, number

_TOGETHER = "together"

_ALWAYS = ("rows", "all_answered", "ties")

_MOST_PAIRS = 45
"""The pairs of ten members; with more, agreement is in summary.json."""


def ensemble_tables(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return tables, each with ``title``, ``columns`` and ``rows``; none where the run was of no ensemble."""
    found = summary.get("ensemble")
    if not found:
        return []
    scorers = next(iter(found["members"].values()))["scores"]
    tables = [_scores(name, summary["scores"][name], found) for name in scorers]
    return [
        *tables,
        _votes(found),
        _rows(found),
        *([_agreement(found)] if 0 < len(found["agreement"]["pairs"]) <= _MOST_PAIRS else []),
    ]


def ensemble_signatures(summary: Mapping[str, Any]) -> list[str]:
    """Return the line that says what made the combined answers; none where the run was of no ensemble."""
    return [str(summary["ensemble"]["signature"])] if summary.get("ensemble") else []


def _scores(scorer: str, entry: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    rows = []
    for name, member in found["members"].items():
        alone = member["scores"][scorer]
        best = " (best)" if found["best"].get(scorer) == name else ""
        more = alone["difference"]
        apart = number(more["value"], entry)
        rows.append(
            [
                name + best,
                number(alone["value"], entry),
                interval(alone, entry),
                f"{alone['n']:,}",
                f"+{apart}" if (more["value"] or 0) > 0 else apart,
                interval(more, entry),
            ]
        )
    rows.append([_TOGETHER, number(entry["value"], entry), interval(entry), f"{entry['n']:,}", "", ""])
    columns = ["member", "score", "interval", "n", f"{_TOGETHER} less member", "its interval"]
    return {"title": f"{scorer} {arrow(entry)}".strip(), "columns": columns, "rows": rows}


def _votes(found: Mapping[str, Any]) -> dict[str, Any]:
    weights, features = found.get("weights"), found.get("features")
    columns = ["member", "answered", "failed", "names nothing", "with the winner"]
    columns += (["weight"] if weights else []) + (["scores of labels"] if features else [])
    rows = []
    for name, member in found["members"].items():
        row = [name, member["answered"], member["failed"], member["names_nothing"], member["with_the_winner"]]
        row += ([float(weights[name])] if weights else []) + ([features[name]] if features else [])
        rows.append(row)
    return {"title": "votes", "columns": columns, "rows": rows}


def _rows(found: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(found["rows"])
    rows = [[name.replace("_", " "), told[name]] for name in told if told[name] or name in _ALWAYS]
    rows.append(["unanimous, of those with two votes or more", found["agreement"]["unanimous"]])
    return {"title": "rows", "columns": ["answers", "value"], "rows": rows}


def _agreement(found: Mapping[str, Any]) -> dict[str, Any]:
    rows = [[f"{one}, {other}", share] for one, other, share in found["agreement"]["pairs"]]
    return {"title": "agreement", "columns": ["members", "share of rows on which they agree"], "rows": rows}
