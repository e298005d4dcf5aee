"""How often a system is wrong, on what, judged how, as of when: sentences for a product's own documentation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from llmkit.report._words import interval, number, plural, short
from llmkit.types import Run

FEW = 5
"""A part of the eval set with fewer scored outputs is not named: chance alone would make it the worst."""

_WORST = 3
_FIELDS = 4
_IGNORED = {"n", "ci", "level", "seed", "impl"}


@dataclass(frozen=True, slots=True)
class Limitations:
    """What is to be said of a system.

    Attributes:
        measured: Of what, on what, by whom and when, in one sentence.
        how_often: How often it is wrong, or how it scores: a sentence for each scorer.
        where: On what kind of input it is worst.
        judged: How each score is made.
        stale: Why the figures are too old; empty where they are not.
    """

    measured: str
    how_often: tuple[str, ...]
    where: tuple[str, ...]
    judged: tuple[str, ...]
    stale: str = ""


def limitations(
    run: Run, shares: Collection[str], *, now: datetime | None = None, max_age: timedelta | None = None
) -> Limitations:
    """Return the limitations that a run shows.

    Args:
        run: The run.
        shares: Scorers whose values are all 0 or 1: of these a share of wrong answers can be said.
        now: This moment, with its time zone; needed for ``max_age``.
        max_age: The run is stale when it is older.
    """
    summary, manifest = run.summary, run.manifest
    directed = {name: e for name, e in summary["scores"].items() if e["higher_is_better"] is not None and not e["unit"]}
    how_often = [_how_often(name, entry, name in shares) for name, entry in directed.items()]
    failed = int(summary["outputs"]["error"])
    if failed:
        share = failed / max(failed + int(summary["outputs"]["ok"]), 1)
        how_often.append(f"No answer arrived to {plural(failed, 'question')} ({_share(share)}); they are in no score.")
    return Limitations(
        measured=_measured(manifest, summary),
        how_often=tuple(how_often),
        where=tuple(_where(summary, directed, shares)),
        judged=tuple(_judged(name, str(entry["signature"])) for name, entry in directed.items()),
        stale=_stale(manifest, now, max_age),
    )


def yes_or_no(summary: Mapping[str, Any], zero_or_one: Collection[str]) -> frozenset[str]:
    """Return the scorers that say yes or no, of those whose values are all 0 or 1.

    A graded scorer may have given nothing else by chance. It is told by its interval: one for means where a share would
    have one for shares. Over repeats both have one for means.
    """
    graded = {name for name, entry in summary["scores"].items() if summary["repeats"] == 1 and entry["method"] == "t"}
    return frozenset(zero_or_one) - graded


def _measured(manifest: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    target = short(str(manifest.get("target") or "the system"), 100)
    rows, told = plural(int(summary["rows"]), "row"), summary.get("sequential")
    if told and told["not_asked"]:
        rows = f"{told['asked']:,} rows drawn at random from the {told['rows']:,}"
    repeats = f", each asked {summary['repeats']} times" if summary["repeats"] > 1 else ""
    dataset = manifest.get("dataset") or {}
    print_of = f" (fingerprint {str(dataset['fingerprint'])[:12]})" if dataset.get("fingerprint") else ""
    when = _date(manifest)
    source = dataset.get("source", "its eval set")
    return f"{target} was measured on {rows} of {source}{print_of}{repeats}, as of {when}."


def _date(manifest: Mapping[str, Any]) -> str:
    return str(manifest.get("finished") or manifest.get("started") or "an unknown day")[:10]


def _how_often(name: str, entry: Mapping[str, Any], is_share: bool) -> str:  # noqa: FBT001 - read off in one place
    if entry["value"] is None:
        return f"{name} has no value for these outputs."
    if is_share:
        rate, low, high = _wrong(entry)
        between = "" if low is None or high is None else f", 95% interval {_share(low)} to {_share(high)}"
        between = between.replace("95%", f"{_level(entry):g}%")
        verb = "fails" if entry["higher_is_better"] else "is flagged"
        return f"By {name}, the system {verb} in {_share(rate)} of cases ({plural(entry['n'], 'output')}{between})."
    found = interval(entry)
    between = "" if found == "-" else f", {_level(entry):g}% interval {found}"
    better = "higher" if entry["higher_is_better"] else "lower"
    value = number(entry["value"], entry)
    return f"By {name}, the system scores {value} ({plural(entry['n'], 'output')}{between}; {better} is better)."


def _wrong(entry: Mapping[str, Any], of: Mapping[str, Any] | None = None) -> tuple[float, float | None, float | None]:
    higher = (of or entry)["higher_is_better"]
    value, low, high = entry["value"], entry["low"], entry["high"]
    if not higher:
        return value, low, high
    return 1 - value, None if high is None else 1 - high, None if low is None else 1 - low


def _where(summary: Mapping[str, Any], directed: Mapping[str, Any], shares: Collection[str]) -> list[str]:
    primary = next((name for name in directed if name in shares), next(iter(directed), None))
    if primary is None:
        return []
    lines = []
    for field, found in list(summary["slices"].items())[:_FIELDS]:
        worst = _worst(found["values"], primary, directed[primary], shares)
        if worst:
            lines.append(f"By {field}, {primary} is worst for {'; '.join(worst)}.")
    return [*lines, *_reworded(summary, primary, directed[primary])]


def _reworded(summary: Mapping[str, Any], primary: str, entry: Mapping[str, Any]) -> list[str]:
    """Return what rewording costs for certain, the worst first; one sentence, or none."""
    scores = summary.get("robustness", {"scores": {}})["scores"].get(primary)
    drops = [] if scores is None else [(name, drop) for name, drop in scores["drop"].items() if (drop["low"] or 0) > 0]
    drops.sort(key=lambda item: -item[1]["value"])
    told = [f"{name} ({number(drop['value'], entry)}, {interval(drop, entry)})" for name, drop in drops[:_WORST]]
    return [f"Asked in other words, {primary} is worse: under {'; '.join(told)}."] if told else []


def _worst(values: Mapping[str, Any], name: str, entry: Mapping[str, Any], shares: Collection[str]) -> list[str]:
    scored = [
        (value, part["scores"][name])
        for value, part in values.items()
        if part["scores"][name]["n"] >= FEW and part["scores"][name]["value"] is not None
    ]
    if len(scored) < 2:  # noqa: PLR2004 - the worst of one says nothing
        return []
    sign = 1 if entry["higher_is_better"] else -1
    scored.sort(key=lambda item: sign * item[1]["value"])
    told = []
    for value, score in scored[:_WORST]:
        if name in shares:
            rate, low, high = _wrong(score, entry)
            told.append(f"{value} ({_share(rate)} wrong{_between(low, high)}, n = {score['n']:,})")
        else:
            ends = interval(score, entry)
            told.append(
                f"{value} ({number(score['value'], entry)}{'' if ends == '-' else f', {ends}'}, n = {score['n']:,})"
            )
    return told


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f", {_share(low)} to {_share(high)}"


def _judged(name: str, signature: str) -> str:
    """Return a signature in words; the spec's own bars are not its separators."""
    rest = signature.removeprefix(name)
    pairs = [part.partition(":") for part in rest.split("|") if ":" in part]
    facts = {key: value for key, _, value in pairs}
    settings = ", ".join(f"{key.replace('_', ' ')} {value}" for key, _, value in pairs if key not in _IGNORED)
    maker = facts.get("impl", "").replace("-", " ")
    method = facts.get("ci", "")
    parts = [settings, f"computed by {maker}" if maker else ""]
    parts.append(f"interval: {method}" if method and method != "no interval" else "")
    return f"{name}: {'; '.join(part for part in parts if part)}."


def _level(entry: Mapping[str, Any]) -> float:
    signature = str(entry["signature"])
    after = signature.rpartition("|level:")[2].partition("|")[0]
    try:
        return float(f"{float(after) * 100:.6g}")
    except ValueError:
        return 95.0


def _share(share: float) -> str:
    return f"{min(max(share, 0.0), 1.0) * 100:.1f}%"


def _stale(manifest: Mapping[str, Any], now: datetime | None, max_age: timedelta | None) -> str:
    if max_age is None or now is None:
        return ""
    made = str(manifest.get("finished") or manifest.get("started") or "")
    try:
        age = now - datetime.fromisoformat(made)
    except (ValueError, TypeError):
        return "These figures are stale: the run does not say when it was made."
    if age <= max_age:
        return ""
    days = f"{age.days:,} days" if age.days != 1 else "1 day"
    return (
        f"These figures are stale: measured on {made[:10]}, {days} ago, and no more than {_span(max_age)} is allowed."
    )


def _span(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours % 24 == 0 else f"{hours:g} hours"


def limitations_markdown(found: Limitations) -> str:
    """Return the limitations as Markdown for a product's own documentation."""
    from llmkit.report.markdown import escaped

    lines = ["### How often it is wrong", "", escaped(found.measured), ""]
    if found.stale:
        lines += [f"**{escaped(found.stale)}**", ""]
    lines += [f"- {escaped(line)}" for line in (*found.how_often, *found.where)]
    if found.judged:
        lines += ["", "How it was judged:", ""]
        lines += [f"- {escaped(line)}" for line in found.judged]
    return "\n".join(lines) + "\n"
