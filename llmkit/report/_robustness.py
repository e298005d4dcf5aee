"""What rewording the rows cost, as tables that every report can show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmkit.report._words import arrow, interval, number

_COLUMNS = ("asked", "score", "drop", "interval of the drop", "rows changed")


def robustness_tables(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return tables, one a scorer, each with ``title``, ``columns`` and ``rows``; none where nothing was perturbed."""
    found = summary.get("robustness")
    if not found:
        return []
    return [_of(name, summary["scores"][name], scores, found) for name, scores in found["scores"].items()]


def _of(name: str, entry: Mapping[str, Any], scores: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    rows = [["as written", number(scores["original"]["value"], entry), "", "", ""]]
    for perturbation, about in found["perturbations"].items():
        drop = scores["drop"][perturbation]
        rows.append(
            [
                perturbation,
                number(scores["perturbed"][perturbation]["value"], entry),
                number(drop["value"], entry),
                interval(drop, entry),
                f"{about['changed']:,} of {found['rows']:,}",
            ]
        )
    if scores["worst"] is not None:
        worst = {f"worst of {group}": one for group, one in scores.get("worst_of", {}).items()}
        drops = {f"worst of {group}": one for group, one in scores.get("worst_drop_of", {}).items()}
        worst["worst of all"], drops["worst of all"] = scores["worst"], scores.get("worst_drop") or {}
        for label, one in worst.items():
            drop = drops.get(label) or {"value": None, "low": None, "high": None}
            shown = [number(drop["value"], entry), interval(drop, entry)] if drop["value"] is not None else ["", ""]
            rows.append([label, number(one["value"], entry), *shown, f"{one['n']:,} rows"])
    return {"title": f"{name} {arrow(entry)}".strip(), "columns": list(_COLUMNS), "rows": rows}


def robustness_signatures(summary: Mapping[str, Any]) -> list[str]:
    """Return what made the rows of each perturbation, one line each."""
    found = summary.get("robustness", {"perturbations": {}})
    return [str(about["signature"]) for about in found["perturbations"].values()]
