"""How numbers and texts are written in every report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

_DIGITS = 3
"""Significant digits of a measured quantity (seconds, dollars, tokens)."""

_LARGE = 10

_REASONS = 3
"""So many reasons are told of outputs without a score."""


def number(value: float | None, entry: Mapping[str, Any]) -> str:
    """Return a score as text; a dash where there is none.

    Quantities with a unit have three significant digits. Scores have three decimals, above 10 two.
    """
    if value is None:
        return "-"
    text, unit = _bare(value, entry), entry.get("unit")
    if not unit:
        return text
    return f"${text}" if unit == "$" else f"{text} {unit}"


def interval(entry: Mapping[str, Any], scorer: Mapping[str, Any] | None = None) -> str:
    """Return an interval as text; a dash where there is none. ``scorer`` says the unit where ``entry`` does not."""
    low, high = entry.get("low"), entry.get("high")
    if low is None or high is None:
        return "-"
    described = entry if scorer is None else scorer
    return f"{_bare(low, described)} to {_bare(high, described)}"


def _bare(value: float, entry: Mapping[str, Any]) -> str:
    if not entry.get("unit"):
        return f"{value:.3f}" if abs(value) < _LARGE else f"{value:.2f}"
    if not value:
        return "0"
    decimals = _DIGITS - 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(decimals, 0)}f}"


def plain(value: Any) -> str:
    """Return a cell of a metric's own table as text: three decimals, whole numbers grouped, a dash where None."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def percent(share: float) -> str:
    """Return a share as a percentage that never rounds up, so that 100% is all and a floor that is missed looks so."""
    return "100%" if share >= 1 else f"{math.floor(round(share * 1000, 9)) / 10:.1f}%"


def short(text: str, width: int = 80) -> str:
    """Return a text on one line, cut to ``width`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def plural(count: int, word: str) -> str:
    """Return ``3 rows``, ``1 row``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def heading(manifest: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """Return the line that says what was run."""
    parts = [str(summary["name"]), plural(int(summary["rows"]), "row")]
    if summary["repeats"] > 1:
        parts.append(f"{summary['repeats']} repeats")
    target = str(manifest.get("target") or "")
    if target:
        parts.append(short(target, 60))
    return " · ".join(parts)


def stopped(summary: Mapping[str, Any]) -> str:
    """Return what a sequential gate asked and saved, on one line; empty for a run that asks every row."""
    told = summary.get("sequential")
    if not told:
        return ""
    if not told["not_asked"]:
        return f"all {plural(told['rows'], 'row')} asked in random order: with fewer the gate was not settled"
    asked = f"{told['asked']:,} of {plural(told['rows'], 'row')} asked in random order"
    share = percent(told["not_asked"] / told["rows"])
    saved = f"about {plural(told['requests_saved'], 'request')} saved ({share})"
    return f"{asked} until the gate was settled: {saved}" if told["settled"] else f"{asked}; the gate is not settled"


def arrow(entry: Mapping[str, Any]) -> str:
    """Return which direction is better: up, down or neither."""
    better = entry.get("higher_is_better")
    return " " if better is None else "↑" if better else "↓"


def spent(manifest: Mapping[str, Any]) -> str:
    """Return one line on requests, tokens, cost and time."""
    usage = manifest.get("usage", {})
    if "rescored" in usage and not usage.get("sent"):
        return f"scored again from {usage['rescored']}; nothing was asked"
    parts = [plural(int(usage.get("sent", 0)), "request")]
    for key, word in (("from_cache", "from the cache"), ("from_journal", "from before"), ("retries", "retried")):
        if usage.get(key):
            parts.append(f"{usage[key]:,} {word}")
    tokens = int(usage.get("tokens_in", 0)), int(usage.get("tokens_out", 0))
    if any(tokens):
        parts.append(f"{tokens[0]:,} tokens in, {tokens[1]:,} out")
    if usage.get("cost"):
        parts.append(f"${usage['cost']:,.2f}" if usage["cost"] >= 1 else number(usage["cost"], {"unit": "$"}))
    if usage.get("unpriced"):
        parts.append(f"{usage['unpriced']:,} without a known price")
    parts.append(f"{manifest.get('seconds', 0):.1f} s")
    return " · ".join(parts)


def trouble(summary: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each warning, for everything that was not scored, and for a gate that failed."""
    lines: list[str] = list(summary.get("warnings", ()))
    outputs = summary["outputs"]
    if outputs["error"]:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in outputs["errors"].items())
        lines.append(f"{plural(outputs['error'], 'output')} failed and got no score: {kinds}")
    for name, member in summary.get("ensemble", {}).get("members", {}).items():
        if member["failed"]:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in member["failures"].items())
            lines.append(f"{name} failed on {plural(member['failed'], 'row')} and had no vote there: {kinds}")
    for name, entry in summary["scores"].items():
        lines += _trouble_of(name, entry)
    lines += _trouble_of_perturbed(summary)
    gates = summary.get("gate", {})
    gate = gates.get("coverage")
    if gate and not gate["pass"]:
        lines.append(below_floor(gate))
    lines += [gate["note"] for gate in gates.values() if not gate["pass"] and gate.get("note")]
    return lines


def below_floor(coverage: Mapping[str, Any]) -> str:
    """Return what is to be said of a gate on coverage that failed."""
    return f"coverage {percent(coverage['value'])} is below the floor of {_exact_percent(coverage['min'])}"


def with_gates(manifest: Mapping[str, Any], summary: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the summary with the gates of cost and latency beside its own: those are not the same in every run."""
    return {**summary, "gate": {**summary.get("gate", {}), **manifest.get("gate", {})}}


def _trouble_of(name: str, entry: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    details, faults = entry.get("details") or {}, entry.get("faults") or {}
    if entry["skipped"]:
        why = [
            f"{reason} ({n:,})"
            for reason, n in entry["reasons"].items()
            if reason not in faults and not reason.startswith("no output")
        ]
        reasons = f": {', '.join(why[:_REASONS])}" if why else ""
        lines.append(f"{name} did not apply to {plural(entry['skipped'], 'output')}{reasons}")
    lines += [f"{name}: {warning}" for warning in details.get("warnings", ())]
    if details.get("no_value"):
        lines.append(f"{name} has no value: {details['no_value']}")
    elif entry["value"] is None and entry["n"]:
        lines.append(f"{name} has no value: its formula is undefined for these {plural(entry['n'], 'output')}")
    lines += [f"{plural(n, 'output')} not scored: {reason}" for reason, n in list(faults.items())[:_REASONS]]
    rest = sum(list(faults.values())[_REASONS:])
    if rest:
        lines.append(f"{plural(rest, 'output')} not scored for further reasons: see {name} in scores.jsonl")
    return lines


def _trouble_of_perturbed(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for everything about perturbed rows that was not scored, and for what changed nothing."""
    found = summary.get("robustness")
    if not found:
        return
    for name, about in found["perturbations"].items():
        if not about["changed"]:
            yield f"{name} changed no row, so nothing was learnt from it"
        if about["failed"]:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in about["failures"].items())
            yield f"{plural(about['failed'], 'output')} of rows perturbed by {name} failed and got no score: {kinds}"
    for scorer, scores in found["scores"].items():
        unscored = sum(scores["unscored"].values()) - sum(one["failed"] for one in found["perturbations"].values())
        if unscored > 0:
            yield f"{scorer} gave {plural(unscored, 'output')} of perturbed rows no score: see scores.jsonl"
        if scores["no_worst"]:
            have = "has" if scores["no_worst"] == 1 else "have"
            yield f"{plural(scores['no_worst'], 'row')} {have} no worst {scorer}: a perturbed answer got no score"


def _exact_percent(share: float) -> str:
    """Return a share that somebody chose: no digit of it is left out."""
    return f"{share * 100:.1f}%" if math.isclose(share * 1000, round(share * 1000)) else f"{share * 100:.9g}%"
