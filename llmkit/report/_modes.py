"""The modes of a target that retrieves, side by side, as tables that every report can show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmkit.report._words import arrow, interval, number

_WHENCE = {
    "right": "right",
    "missed": "retrieval missed: no passage holds a reference",
    "unused": "unused: a passage holds it, and the model is right with the row's own contexts",
    "despite": "despite: a passage holds it, and the model is wrong all the same",
    "unknown": "cannot be told",
}


def modes_tables(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return tables, each with ``title``, ``columns`` and ``rows``; none where the run had one mode."""
    found = summary.get("modes")
    if not found:
        return []
    scorers = next(iter(found["others"].values()))["scores"]
    tables = [_scores(name, summary["scores"][name], found) for name in scorers]
    errors = found["errors"]
    if errors:
        always = {
            "right",
            "missed",
            "despite",
            *(("unused",) if "oracle" in (found["first"], *found["others"]) else ()),
        }
        rows = [[words, f"{errors[name]:,}"] for name, words in _WHENCE.items() if errors[name] or name in always]
        tables.append({"title": f"Answers by {errors['metric']}", "columns": ["with retrieval", "rows"], "rows": rows})
    return tables


def _why(score: Mapping[str, Any]) -> str:
    """Return why a mode has no score at all; empty where it has one."""
    reasons = score.get("reasons") or {}
    return "" if score["n"] or not reasons else str(next(iter(reasons)))


def _scores(scorer: str, entry: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    rows = [[found["first"], number(entry["value"], entry), interval(entry), f"{entry['n']:,}", "", ""]]
    for mode, one in found["others"].items():
        score = one["scores"][scorer]
        less = score["difference"]
        apart = number(less["value"], entry)
        rows.append(
            [
                mode,
                number(score["value"], entry),
                _why(score) or interval(score, entry),
                f"{score['n']:,}",
                f"+{apart}" if (less["value"] or 0) > 0 else apart,
                interval(less, entry),
            ]
        )
    columns = ["mode", "score", "interval", "n", f"{found['first']} less mode", "its interval"]
    return {"title": f"{scorer} {arrow(entry)}".strip(), "columns": columns, "rows": rows}
