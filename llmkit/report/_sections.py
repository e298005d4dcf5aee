"""What each section of the page says, as plain values for the template."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from llmkit.report import svg
from llmkit.report._choice import TITLE, choice_notes, choice_tables
from llmkit.report._ensemble import ensemble_tables
from llmkit.report._kept_rows import Figures
from llmkit.report._modes import modes_tables
from llmkit.report._repeats import NOTE, repeats_tables
from llmkit.report._robustness import robustness_tables
from llmkit.report._words import arrow, interval, number, percent, plain, plural, trouble
from llmkit.text.visible import visible

_HEATS = 9
_MOST_CLASSES = 100
_MOST_STRIPS = 400
_PERCENTILES = (50, 90, 95, 99)
_RELIABILITY = "Reliability"
_DIGITS = 3

VERDICTS = {
    "pass": ("good", "Pass", "no scorer is worse by more than its margin"),
    "improved": ("good", "Improved", "better, and not by chance alone"),
    "regressed": ("bad", "Regressed", "worse, and not by chance alone"),
    "inconclusive": ("warn", "Inconclusive", "the data cannot tell"),
    "not_comparable": ("warn", "Not comparable", "the conditions of the two runs differ"),
}
"""For each verdict its tone, its word, and what it means."""


def verdict(summary: Mapping[str, Any], comparison: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the first thing to read: a tone, a title, a sentence and everything that is wrong."""
    held = {**(summary.get("gate") or {}), **((comparison or {}).get("gate") or {})}
    gates = [_gate(name, gate) for name, gate in held.items()]
    failed = [gate for gate in gates if not gate["passed"]]
    troubles = [visible(line) for line in trouble(summary)]
    found = {"tone": "good", "title": "Gate passed", "text": "", "reasons": troubles, "gates": gates}
    if failed:
        found |= {"tone": "bad", "title": "Gate failed", "text": ", ".join(gate["name"] for gate in failed)}
    elif not gates:
        found |= {"tone": "plain", "title": "No gate", "text": "this run was not held to a threshold"}
    elif [gate["name"] for gate in gates] == ["coverage"]:
        found |= {"tone": "warn" if troubles else "plain", "title": "Complete", "text": _complete(gates[0])}
    if comparison is None:
        return found
    tone, title, text = VERDICTS.get(comparison.get("verdict", ""), ("plain", str(comparison.get("verdict")), ""))
    base = (comparison.get("base") or {}).get("name", "")
    against = f" against {base}" if base else ""
    reasons = [visible(str(reason)) for reason in comparison.get("reasons", ())]
    if failed and tone != "bad":
        tone, title = "bad", f"{title}, but the gate failed"
    return {**found, "tone": tone, "title": f"{title}{against}", "text": text, "reasons": [*reasons, *troubles]}


def _complete(gate: Mapping[str, Any]) -> str:
    return f"{gate['value']} of what should have a score has one; at least {gate['wanted']} is asked for"


def _gate(name: str, gate: Mapping[str, Any]) -> dict[str, Any]:
    passed = bool(gate.get("pass"))
    shares = name.startswith("coverage")
    write = percent if shares else lambda value: plain(float(value))
    wanted = [
        f"{word} {write(gate[key])}"
        for key, word in (("min", "at least"), ("max", "at most"), ("max_drop", "a drop of at most"))
        if isinstance(gate.get(key), (int, float))
    ]
    value = write(gate["value"]) if isinstance(gate.get("value"), (int, float)) else "-"
    bare = " and ".join(wanted).removeprefix("at least ") if shares else " and ".join(wanted)
    return {"name": name, "passed": passed, "value": value, "wanted": bare or "-"}


def scores(summary: Mapping[str, Any], comparison: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the table of scores: those between 0 and 1 share an axis, others have their own."""
    before = (comparison or {}).get("metrics") or {}
    rows, shared = [], False
    for name, entry in summary["scores"].items():
        base = (before.get(name) or {}).get("base")
        ends = [item.get(key) for item in (entry, base or {}) for key in ("value", "low", "high")]
        axis = svg.axis_of(ends) if not entry["unit"] else svg.small_axis_of([e for e in ends if e is not None])
        own = axis != svg.UNIT or bool(entry["unit"])
        shared = shared or not own
        rows.append(
            {
                "name": name,
                "arrow": arrow(entry).strip(),
                "direction": _direction(entry),
                "value": number(entry["value"], entry),
                "interval": interval(entry),
                "n": f"{entry['n']:,}",
                "coverage": percent(entry["coverage"]),
                "strip": svg.strip(entry, axis, other=base),
                "own": own,
                "scale": svg.scale(axis),
            }
        )
    return {"rows": rows, "scale": svg.scale(svg.UNIT) if shared else "", "base": bool(before)}


def _direction(entry: Mapping[str, Any]) -> str:
    better = entry["higher_is_better"]
    return "" if better is None else "higher is better" if better else "lower is better"


def distributions(summary: Mapping[str, Any], figures: Figures, shares: Collection[str]) -> list[dict[str, Any]]:
    """Return a histogram of the samples' values for each scorer that has them; shares where it says yes or no."""
    found = []
    for name, entry in summary["scores"].items():
        values, before = figures.values.get(name, ()), figures.base_values.get(name, ())
        if not len(values):
            continue
        ordered = sorted(values)
        plain_shares = name in shares and _is_yes_no(values)
        middle = [number(_quantile(ordered, share), entry) for share in (0.25, 0.5, 0.75)]
        found.append(
            {
                "name": name,
                "facts": [
                    plural(len(ordered), "sample"),
                    f"median {middle[1]}",
                    f"middle half {middle[0]} to {middle[2]}",
                ],
                "figure": _shares(values) if plain_shares else _histogram(name, entry, values, before),
                "yes": _yes(values) if plain_shares else None,
            }
        )
    return found


def _is_yes_no(values: Sequence[float]) -> bool:
    return all(value in {0, 1} for value in values)


def _histogram(name: str, entry: Mapping[str, Any], values: Sequence[float], before: Sequence[float]) -> str:
    axis = svg.small_axis_of([*values, *before]) if entry["unit"] else svg.axis_of([*values, *before])
    label = f"How many samples have which {name}, from {svg.tick(axis.low)} to {svg.tick(axis.high)}"
    return svg.histogram(values, axis, visible(label), other=before)


def _shares(values: Sequence[float]) -> str:
    yes = sum(values) / len(values) * 100
    return (
        '<svg class="shares" width="100%" height="28" aria-hidden="true">'
        f'<rect class="yes" x="0" y="4" width="{yes:.2f}%" height="20"/>'
        f'<rect class="no" x="{yes:.2f}%" y="4" width="{100 - yes:.2f}%" height="20"/></svg>'
    )


def _yes(values: Sequence[float]) -> dict[str, str]:
    yes = int(sum(values))
    return {"yes": f"{yes:,}", "no": f"{len(values) - yes:,}"}


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile by linear interpolation between order statistics."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def slices(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a table for each slice field; with intervals drawn where the table is not too large."""
    described = summary["scores"]
    found = []
    for field, table in summary["slices"].items():
        drawn = len(table["values"]) * len(described) <= _MOST_STRIPS
        axes = {name: _slice_axis(name, entry, table["values"]) for name, entry in described.items()}
        rows = [
            {
                "value": value,
                "rows": f"{part['rows']:,}",
                "cells": [
                    _slice_cell(score, described[name], axes[name], drawn) for name, score in part["scores"].items()
                ],
            }
            for value, part in table["values"].items()
        ]
        found.append({"field": field, "rows": rows, "left_out": table["left_out"]})
    return found


def _slice_axis(name: str, entry: Mapping[str, Any], values: Mapping[str, Any]) -> svg.Axis:
    ends = [part["scores"][name][key] for part in values.values() for key in ("value", "low", "high")]
    known = [end for end in ends if end is not None]
    return svg.small_axis_of(known) if entry["unit"] else svg.axis_of(known)


def _slice_cell(score: Mapping[str, Any], entry: Mapping[str, Any], axis: svg.Axis, drawn: bool) -> dict[str, str]:  # noqa: FBT001
    if not score["n"]:
        return {"value": "-", "interval": "", "strip": ""}
    ends = interval(score, entry)
    return {
        "value": number(score["value"], entry),
        "interval": "" if ends == "-" else ends,
        "strip": svg.strip(score, axis) if drawn and score["value"] is not None else "",
    }


def details(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what there is beside values: of rewording, of an ensemble, of each scorer."""
    found: list[dict[str, Any]] = []
    reworded = [_table(table) for table in robustness_tables(summary)]
    if reworded:
        found.append({"name": "Robustness", "tables": reworded, "notes": [], "confusion": None})
    if told := [visible(note) for note in choice_notes(summary)]:
        compared = [_table(table) for table in choice_tables(summary)]
        found.append({"name": TITLE, "tables": compared, "notes": told, "confusion": None, "open": True})
    modes = [_table(table) for table in modes_tables(summary)]
    if modes:
        found.append({"name": "Modes", "tables": modes, "notes": [], "confusion": None})
    repeated = [_table(table) for table in repeats_tables(summary)]
    if repeated:
        found.append({"name": "Repeats", "tables": repeated, "notes": [NOTE], "confusion": None})
    combined = [_table(table) for table in ensemble_tables(summary)]
    if combined:
        told = [visible(note) for note in summary["ensemble"]["notes"]]
        found.append({"name": "The ensemble", "tables": combined, "notes": told, "confusion": None})
    for name, entry in summary["scores"].items():
        given = entry.get("details") or {}
        tables = [*_classes(given.get("per_class") or {}), *map(_table, given.get("tables", ()))]
        notes = [visible(str(note)) for note in (*given.get("warnings", ()), *given.get("notes", ()))]
        confusion = _confusion(given.get("confusion"))
        if tables or notes or confusion:
            found.append({"name": name, "tables": tables, "notes": notes, "confusion": confusion})
    return found


def _classes(classes: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not classes:
        return []
    columns = list(next(iter(classes.values())))
    largest = set(sorted(classes, key=lambda label: -classes[label]["support"])[:_MOST_CLASSES])
    rows = [[label, *(plain(row[c]) for c in columns)] for label, row in classes.items() if label in largest]
    left_out = len(classes) - len(rows)
    note = f"{plural(left_out, 'label')} with fewer rows are in summary.json." if left_out else ""
    return [{"title": "By label", "columns": ["label", *columns], "rows": rows, "figure": "", "note": note}]


def _table(table: Mapping[str, Any]) -> dict[str, Any]:
    columns, rows = list(table["columns"]), [list(row) for row in table["rows"]]
    figure = ""
    if table["title"].startswith(_RELIABILITY) and columns[1:3] == ["rows", "mean"]:
        label = f"{table['title']} diagram: {columns[3]} against mean confidence, {plural(len(rows), 'bin')}"
        figure = svg.reliability(rows, label)
        kept = [place for place, column in enumerate(columns) if not column.startswith("bar:")]
        columns, rows = [columns[i] for i in kept], [[row[i] for i in kept] for row in rows]
    shown = [[visible(plain(cell)) for cell in row] for row in rows]
    return {"title": table["title"], "columns": columns, "rows": shown, "figure": figure, "note": ""}


def _confusion(confusion: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not confusion:
        return None
    rows = []
    for label, counts in zip(confusion["gold"], confusion["matrix"], strict=True):
        most = max([*counts, 1])
        cells = [{"n": f"{count:,}", "heat": round(count / most * _HEATS)} for count in counts]
        rows.append({"label": label, "cells": cells})
    return {"predicted": confusion["predicted"], "rows": rows}


def spending(manifest: Mapping[str, Any], figures: Figures) -> dict[str, Any]:
    """Return latency percentiles and what was paid, as pairs of words and numbers."""
    seconds = sorted(figures.seconds)
    usage = manifest.get("usage") or {}
    latency = (
        [(f"p{share}", number(_quantile(seconds, share / 100), {"unit": "s"})) for share in _PERCENTILES]
        if seconds
        else []
    )
    if seconds:
        latency.append(("slowest", number(seconds[-1], {"unit": "s"})))
    words = {
        "sent": "requests",
        "from_cache": "from the cache",
        "from_journal": "from before",
        "retries": "retried",
        "tokens_in": "tokens in",
        "tokens_out": "tokens out",
        "unpriced": "without a known price",
    }
    paid = [(word, f"{usage[key]:,}") for key, word in words.items() if usage.get(key)]
    if usage.get("cost"):
        paid.append(("cost", number(usage["cost"], {"unit": "$"})))
    total = float(sum(figures.costs))
    if total:
        paid.append(("cost of an answer", number(total / len(figures.costs), {"unit": "$"})))
    if manifest.get("seconds") is not None:
        paid.append(("time", f"{manifest['seconds']:,.1f} s"))
    return {"latency": latency, "answers": f"{len(seconds):,}", "paid": paid, "rescored": usage.get("rescored", "")}


def coverage(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return for each scorer with missing scores how many there are and why."""
    found = []
    for name, entry in summary["scores"].items():
        if entry["skipped"] or entry["errors"]:
            found.append(
                {
                    "name": name,
                    "scored": f"{entry['n']:,}",
                    "skipped": f"{entry['skipped']:,}",
                    "errors": f"{entry['errors']:,}",
                    "coverage": percent(entry["coverage"]),
                    "reasons": [f"{visible(str(reason))} ({count:,})" for reason, count in entry["reasons"].items()],
                }
            )
    return found
