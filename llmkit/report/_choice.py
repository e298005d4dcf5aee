"""How much the choice of a multiple-choice rule alone moves accuracy, as every report shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmkit.report._words import interval, number, plural

_SCORE: Mapping[str, Any] = {"unit": ""}
TITLE = "The choice of rule"


def choice_tables(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a table with ``title``, ``columns`` and ``rows``, one a rule; none where fewer than two were asked by."""
    found = summary.get("rules")
    if not found or not found["rules"]:
        return []
    rows = []
    for name, one in found["rules"].items():
        highest = name == found["highest"]
        below = ["", ""] if highest else [number(one["below"]["value"], _SCORE), interval(one["below"])]
        rows.append([name, number(one["value"], _SCORE), interval(one), *below])
    columns = ["rule", "accuracy", "interval", f"less {found['highest']}", "its interval"]
    return [{"title": "", "columns": columns, "rows": rows}]


def choice_notes(summary: Mapping[str, Any]) -> list[str]:
    """Return sentences: how far the rule alone moves accuracy, and which rules could not be asked by."""
    found = summary.get("rules")
    if not found:
        return []
    left_out = [f"{name} has no part in it: {reason}." for name, reason in found["left_out"].items()]
    if found["spread"] is None:
        return [
            "How much the choice of rule alone moves accuracy cannot be told: no two rules scored one row.",
            *left_out,
        ]
    return [_sentence(found), *left_out]


def _sentence(found: Mapping[str, Any]) -> str:
    spread, rules = found["spread"], found["rules"]
    ends = interval(spread)
    around = "" if ends == "-" else f" ({found['level'] * 100:.6g}% interval {ends})"
    rows = f"over the same {plural(found['rows'], 'row')}"
    lowest, highest = (f"{number(rules[found[end]]['value'], _SCORE)} ({found[end]})" for end in ("lowest", "highest"))
    whence = f"from {lowest} to {highest}, {rows}" if spread["value"] else f"every rule gives the same, {rows}"
    told = f"The choice of rule alone moves accuracy by {number(spread['value'], _SCORE)}{around}: {whence}."
    return told if spread["low"] is None or spread["low"] > 0 else f"{told} No two rules differ for certain."


def choice_signatures(summary: Mapping[str, Any]) -> list[str]:
    """Return the line that says what made the distance between rules; none where there is none."""
    found = summary.get("rules")
    return [str(found["signature"])] if found and found["spread"] else []
