"""What a gate asks for, held against a run and against a comparison; from there to one exit code.

Each rule becomes an entry: ``pass``, ``value``, what was asked (``min``, ``max`` or ``max_drop``), ``exit_code`` and a
``note``. A rule that cannot be checked fails: a gate never opens because something is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llmkit.flows.rules import Bound, Rules

GOOD, FAILED, MISSING, NOT_COMPARABLE, INCONCLUSIVE = 0, 1, 3, 4, 5
_FIRST = (MISSING, NOT_COMPARABLE, FAILED, INCONCLUSIVE)
"""Where several are true, the first is the exit code: scores that are missing make every other word doubtful."""

Entry = dict[str, Any]


def held(rules: Rules, summary: Mapping[str, Any]) -> dict[str, Entry]:
    """Hold a run's summary against the gate: coverage, and every ``min`` and ``max``."""
    floor, coverage = rules.gate.coverage.min, summary["coverage"]
    found: dict[str, Entry] = {"coverage": {"min": floor, "value": coverage, "pass": coverage >= floor}}
    for bound in rules.bounds:
        entry, unkept = _part_of(summary, bound), _unkept(summary, bound)
        for asked in ("min", "max"):
            limit = getattr(bound.rule, asked)
            if limit is not None and "sequential" in summary and entry.get("value") is not None:
                found[bound.name(asked)] = _settled(bound, asked, limit, entry, summary["sequential"])
            elif limit is not None:
                found[bound.name(asked)] = _limited(
                    bound, asked, limit, entry, certain=rules.gate.certain, unkept=unkept
                )
    return found


def covered(rules: Rules, base: Mapping[str, Any]) -> dict[str, Entry]:
    """Hold a base's summary against the floor of coverage: rows without a score there are compared with nothing."""
    floor = rules.gate.coverage.min
    dropped = {bound.scorer for bound in rules.bounds if bound.rule.max_drop is not None}
    shares = {name: entry.get("coverage", 0.0) for name, entry in base["scores"].items() if name in dropped}
    if not shares:
        return {}
    worst = min(shares, key=lambda name: shares[name])
    share = shares[worst]
    note = f"only {share:.1%} of the base's outputs have a score of {worst}, below the floor of {floor:.1%}"
    entry = {"min": floor, "value": share}
    good = share >= floor
    return {"coverage of the base": _judged(entry, GOOD if good else MISSING, "" if good else note)}


def _part_of(summary: Mapping[str, Any], bound: Bound) -> Mapping[str, Any]:
    scores = summary["scores"]
    if bound.field:
        values = summary["slices"].get(bound.field, {}).get("values", {})
        scores = values.get(bound.value, {}).get("scores", {})
    entry: Mapping[str, Any] = scores.get(bound.scorer, {})
    return entry


def _unkept(summary: Mapping[str, Any], bound: Bound) -> str:
    """Return what to do about a part of the rows that the summary does not hold; empty where it does."""
    if not bound.field:
        return ""
    table = summary["slices"].get(bound.field, {})
    if bound.value in table.get("values", {}):
        return ""
    left = int(table.get("left_out", 0))
    if not left:
        return f": no row has this {bound.field}; correct it, or take the rule out"
    return (
        f": {left:,} values of {bound.field} with few rows are not kept; name it in the 'gate' of the run's own config,"
        " and score the same answers again with llmkit eval CONFIG --outputs RUN"
    )


def _limited(
    bound: Bound, asked: str, limit: float, found: Mapping[str, Any], *, certain: bool, unkept: str = ""
) -> Entry:
    value, low, high = (found.get(key) for key in ("value", "low", "high"))
    entry: Entry = {
        "scorer": bound.scorer,
        "where": bound.where,
        asked: limit,
        "value": value,
        "low": low,
        "high": high,
    }
    label = f"{bound.scorer} where {bound.where}" if bound.where else bound.scorer
    side = "at least" if asked == "min" else "at most"
    if value is None:
        note = f"{label} has no value, and the gate asks for {side} {limit:g}"
        return _judged(entry, MISSING, f"{note}{unkept}")
    sign = 1.0 if asked == "min" else -1.0
    good = sign * (value - limit) >= 0
    if low is None or high is None:
        if certain:
            return _judged(
                entry, INCONCLUSIVE, f"{label} is {value:.4g} without an interval; {side} {limit:g} is asked"
            )
        return _judged(entry, GOOD if good else FAILED, "" if good else f"{label} is {value:.4g}, not {side} {limit:g}")
    worst, best = (low, high) if asked == "min" else (high, low)
    shown = f"{label} is {value:.4g} ({low:.4g} to {high:.4g})"
    doubtful = sign * (worst - limit) < 0 <= sign * (best - limit)
    if certain and doubtful:
        return _judged(entry, INCONCLUSIVE, f"{shown}: whether it is {side} {limit:g} is not certain")
    if not good:
        return _judged(entry, FAILED, f"{shown}, not {side} {limit:g}")
    note = f"{shown}: other samples like these could miss {limit:g}" if doubtful else ""
    return _judged(entry, GOOD, note)


def _settled(bound: Bound, asked: str, limit: float, found: Mapping[str, Any], told: Mapping[str, Any]) -> Entry:
    """Hold a value against a limit where asking stopped early: what is not sure is inconclusive, and never good."""
    known = told["questions"].get(bound.name("value")) or found
    low, high = known.get("low"), known.get("high")
    entry: Entry = {
        "scorer": bound.scorer,
        "where": bound.where,
        asked: limit,
        "value": found["value"],
        "low": low,
        "high": high,
    }
    label = f"{bound.scorer} where {bound.where}" if bound.where else bound.scorer
    side = f"at {'least' if asked == 'min' else 'most'} {limit:g}"
    shown = f"{label} is {found['value']:.4g}"
    if low is not None and high is not None:
        shown += f" ({low:.4g} to {high:.4g})" if low != high else ""
        sign, (worst, best) = (1.0, (low, high)) if asked == "min" else (-1.0, (high, low))
        if sign * (worst - limit) >= 0:
            return _judged(entry, GOOD)
        if sign * (best - limit) < 0:
            return _judged(entry, FAILED, f"{shown}, not {side}")
    count = f"{told['asked']:,} of {told['rows']:,} rows"
    return _judged(entry, INCONCLUSIVE, f"{shown}: whether it is {side} is not certain from {count}")


def _judged(entry: Entry, code: int, note: str = "") -> Entry:
    return {**entry, "pass": code == GOOD, "exit_code": code, "note": note}


def spent(rules: Rules, usage: Mapping[str, Any], latencies: Sequence[float] = ()) -> dict[str, Entry]:
    """Hold what a run took against the gate: its cost in US dollars, and percentiles of latencies in seconds."""
    found: dict[str, Entry] = {}
    if rules.gate.cost is not None:
        found["cost"] = _cost(rules.gate.cost.max, usage)
    wanted = rules.gate.latency
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
        ceiling = None if wanted is None else getattr(wanted, name)
        if ceiling is None:
            continue
        entry: Entry = {"max": ceiling.max, "value": None}
        label = f"latency {name}"
        if not latencies:
            note = f"{label} cannot be checked: no answer was waited for (ask anew with --refresh)"
            found[label] = _judged(entry, MISSING, note)
            continue
        import numpy as np

        from llmkit.stats import quantile

        entry["value"] = value = quantile(np.array(latencies), share)
        good = value <= ceiling.max
        note = "" if good else f"{label} is {value:.3g} s, not at most {ceiling.max:g} s"
        found[label] = _judged(entry, GOOD if good else FAILED, note)
    return found


def _cost(limit: float, usage: Mapping[str, Any]) -> Entry:
    cost = float(usage.get("cost") or 0.0)
    entry: Entry = {"max": limit, "value": cost}
    if cost > limit:
        return _judged(entry, FAILED, f"the run cost ${cost:.4g}, not at most ${limit:g}")
    if usage.get("unpriced"):
        note = f"the cost cannot be checked: {usage['unpriced']:,} requests have no known price"
        return _judged({**entry, "value": None}, MISSING, note)
    return _judged(entry, GOOD)


def dropped(
    rules: Rules, metrics: Mapping[str, Mapping[str, Any]], slices: Mapping[str, Mapping[str, Any]]
) -> dict[str, Entry]:
    """Hold a comparison against the gate: every ``max_drop``."""
    found: dict[str, Entry] = {}
    for bound in rules.bounds:
        if bound.rule.max_drop is None:
            continue
        scorers = slices.get(bound.field, {}).get(bound.value, {}) if bound.field else metrics
        found[bound.name("max_drop")] = _drop(bound, scorers.get(bound.scorer), certain=rules.gate.certain)
    return found


def _drop(bound: Bound, found: Mapping[str, Any] | None, *, certain: bool) -> Entry:
    label = f"{bound.scorer} where {bound.where}" if bound.where else bound.scorer
    entry: Entry = {"scorer": bound.scorer, "where": bound.where, "max_drop": bound.rule.max_drop, "value": None}
    if found is None or found["difference"] is None:
        why = "it was not compared" if found is None else found["note"].rstrip(".")
        return _judged(entry, MISSING, f"{label} has no difference: {why}")
    difference = found["difference"]
    better = 1.0 if found["higher_is_better"] else -1.0
    entry |= {"value": -better * difference["value"] + 0.0, "verdict": found["verdict"]}
    shown = f"{label} {_signed(difference)}"
    if found["verdict"] == "regressed":
        return _judged(entry, FAILED, f"{shown}: worse, and not by chance alone")
    if found["verdict"] == "inconclusive":
        note = f"{shown}: not certain. {found['note']}".strip()
        return _judged(entry, INCONCLUSIVE if certain else GOOD, note)
    return _judged(entry, GOOD, f"{shown}. {found['note']}" if found["note"] else "")


def _signed(difference: Mapping[str, Any]) -> str:
    low, high = difference["low"], difference["high"]
    between = "" if low is None or high is None else f" ({low:+.3g} to {high:+.3g})"
    return f"{difference['value']:+.3g}{between}"


def exit_code(entries: Iterable[Mapping[str, Any]], *, comparable: bool = True) -> int:
    """Return the exit code of gates that were checked together: the gravest of theirs."""
    codes = {int(entry.get("exit_code", MISSING if not entry["pass"] else GOOD)) for entry in entries}
    if not comparable:
        codes.add(NOT_COMPARABLE)
    return next((code for code in _FIRST if code in codes), GOOD)


def notes(entries: Mapping[str, Mapping[str, Any]], *, failed: bool) -> Iterator[str]:
    """Yield what is to be said of gates that failed, or of those that hold."""
    for entry in entries.values():
        if bool(entry["pass"]) != failed and entry.get("note"):
            yield entry["note"]
