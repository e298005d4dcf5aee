"""Two runs side by side, as plain values for the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmkit.report import svg
from llmkit.report._corrected import corrected_sentences
from llmkit.report._sections import VERDICTS
from llmkit.report._words import interval, number

_FOLDED = 40
"""A table of slices with more lines is folded."""

_ORDER = ("regressed", "improved", "inconclusive", "pass")


def comparison_section(comparison: Mapping[str, Any] | None, summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the differences by scorer and by slice, what was left out, and the flaky samples; None without a base."""
    if comparison is None:
        return None
    described = summary["scores"]
    metrics = comparison.get("metrics") or {}
    axis = svg.around_zero(
        [
            _of(one, key)
            for name, one in metrics.items()
            for key in ("value", "low", "high")
            if _plain(one, described.get(name, {}))
        ]
    )
    slices = [
        {"where": f"{field} = {value}", **_row(name, one, described.get(name, {}), None)}
        for field, values in (comparison.get("slices") or {}).items()
        for value, scorers in values.items()
        for name, one in scorers.items()
    ]
    slices.sort(key=lambda row: _ORDER.index(row["verdict"]) if row["verdict"] in _ORDER else len(_ORDER))
    return {
        "base": {"name": "", "path": ""} | dict(comparison.get("base") or {}),
        "rows": [
            _row(name, one, described.get(name, {}), axis if _plain(one, described.get(name, {})) else None)
            for name, one in metrics.items()
        ],
        "scale": svg.scale(axis),
        "slices": slices,
        "folded": len(slices) > _FOLDED,
        "left_out": _left_out(comparison.get("left_out") or {}),
        "changed": f"{len(comparison.get('changed') or ()):,}",
        "flaky": [_flaky(name, every) for name, every in (comparison.get("flaky") or {}).items() if every],
    }


def _plain(one: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether a difference goes on the shared axis: that of a score between 0 and 1, and not of seconds or dollars."""
    if one.get("unit") or entry.get("unit"):
        return False
    ends = [(one.get(side) or {}).get(key) for side in ("base", "candidate") for key in ("value", "low", "high")]
    return all(end is None or 0 <= end <= 1 for end in ends)


def _of(one: Mapping[str, Any], key: str) -> float | None:
    found: float | None = (one.get("difference") or {}).get(key)
    return found


def _row(name: str, one: Mapping[str, Any], entry: Mapping[str, Any], axis: svg.Axis | None) -> dict[str, Any]:
    difference = one.get("difference") or {}
    verdict = str(one.get("verdict") or "")
    tone, word, _ = VERDICTS.get(verdict, ("plain", verdict.replace("_", " "), ""))
    own = svg.around_zero([difference.get(key) for key in ("value", "low", "high")])
    p = difference.get("p_adjusted", difference.get("p"))
    return {
        "name": name,
        "base": number((one.get("base") or {}).get("value"), entry),
        "candidate": number((one.get("candidate") or {}).get("value"), entry),
        "difference": _signed(difference.get("value"), entry),
        "interval": interval(difference, entry),
        "strip": svg.strip(difference, axis or own, zero=True, margin=one.get("margin"), kind=tone)
        if difference
        else "",
        "p": _probability(p),
        "method": str(difference.get("method") or ""),
        "verdict": verdict,
        "word": word,
        "tone": tone,
        "notes": _notes(one, entry),
    }


def _signed(value: float | None, entry: Mapping[str, Any]) -> str:
    if value is None:
        return "-"
    text = number(abs(value), entry)
    return text if not value else f"{'+' if value > 0 else '−'}{text}"  # noqa: RUF001 - a minus sign


def _probability(p: float | None) -> str:
    return "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"  # noqa: PLR2004


def _notes(one: Mapping[str, Any], entry: Mapping[str, Any]) -> list[str]:
    notes = []
    if one.get("n") is not None:
        sides = [f"{one[key]:,} {key}" for key in ("better", "worse") if one.get(key) is not None]
        notes.append(f"{', '.join(sides)} of {one['n']:,}" if sides else f"{one['n']:,} samples")
    effect = one.get("effect")
    if effect:
        notes.append(f"{effect['method']} {effect['value']:.2f} ({effect['low']:.2f} to {effect['high']:.2f})")
    if one.get("margin"):
        notes.append(f"margin {number(one['margin'], entry)}")
    if one.get("mde") is not None and one.get("verdict") == "inconclusive":
        notes.append(f"smallest detectable change {number(one['mde'], entry)}")
    if one.get("needed") and one.get("verdict") == "inconclusive":
        notes.append(f"about {int(one['needed']):,} samples would settle it")
    return [*notes, *corrected_sentences(one)]


def _left_out(left_out: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (str(key).replace("_", " "), "; ".join(value) if key == "not asked" else _counted(value))
        for key, value in left_out.items()
        if value
    ]


def _counted(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        shown = ", ".join(map(str, value[:5]))
        return f"{len(value):,}: {shown}{', ...' if len(value) > 5 else ''}"  # noqa: PLR2004 - enough to recognise them
    return f"{value:,}" if isinstance(value, int) else str(value)


def _flaky(name: str, every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "count": f"{len(every):,}",
        "first": [(str(one["id"]), f"{one['pass_rate'] * 100:.0f}%") for one in every[:20]],
    }
