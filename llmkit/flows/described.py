"""A comparison of one scorer as plain JSON: what reports, ``--format json`` and ``comparison.json`` show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isclose
from typing import Any

from llmkit.stats.paired import PairedResult
from llmkit.stats.verdicts import Decision
from llmkit.types import Estimate


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found about one scorer, and what was made of it.

    Attributes:
        result: The comparison, or why there is none.
        decision: The verdict; None for a scorer without a better direction.
        margin: The drop that is put up with.
        gated: Whether the gate judges it.
        missing: Shared samples without a score, in the base and in the candidate.
        sides: The scorer's entries in the two summaries.
    """

    result: PairedResult | str
    decision: Decision | None
    margin: float
    gated: bool
    missing: Mapping[str, int]
    sides: tuple[Mapping[str, Any], Mapping[str, Any]]


def as_entry(judged: Judged) -> dict[str, Any]:
    """Return one scorer's comparison as plain JSON."""
    entry = judged.sides[1]
    shared = {
        "higher_is_better": entry["higher_is_better"],
        "unit": entry["unit"],
        "kind": entry["kind"],
        "margin": judged.margin,
        "gated": judged.gated,
        "missing": dict(judged.missing),
    }
    result, decision = judged.result, judged.decision
    if isinstance(result, str):
        verdict = None if entry["higher_is_better"] is None else "inconclusive"
        empty = dict.fromkeys(("base", "candidate", "difference", "mde", "needed", "needed_repeats", "better", "worse"))
        return {**shared, **empty, "verdict": verdict, "note": f"{result[0].upper()}{result[1:]}.", "n": 0}
    better = 1 if entry["higher_is_better"] in {True, None} else -1
    sides = (result.up, result.down)[::better]
    return {
        **shared,
        "base": _side(result.base, judged.sides[0], result),
        "candidate": _side(result.candidate, judged.sides[1], result),
        "difference": {
            **_estimate(result.difference),
            "p": result.p,
            "p_adjusted": decision.p if decision else result.p,
            "p_margin": decision.p_margin if decision else None,
            "p_bootstrap": result.p_bootstrap,
            "test": result.test,
        },
        "verdict": decision.verdict if decision else None,
        "note": decision.note if decision else "No direction of it is better, so it is never judged.",
        "mde": decision.mde if decision else None,
        "mde_sure": decision.mde_sure if decision else None,
        "needed": decision.needed_samples if decision else None,
        "needed_repeats": decision.needed_repeats if decision else None,
        "better": sides[0],
        "worse": sides[1],
        "n": result.n,
        "units": result.units,
        "effect": _estimate(result.effect) if result.effect else None,
        "variance": _variance(result),
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    return {"value": found.value, "low": found.low, "high": found.high, "method": found.method, "level": found.level}


def _side(value: float, entry: Mapping[str, Any], result: PairedResult) -> dict[str, Any]:
    """Return one run's value over the paired rows, with the run's own interval where those are all of its rows."""
    same = entry["value"] is not None and isclose(entry["value"], value, rel_tol=1e-9, abs_tol=1e-12)
    low, high = (entry["low"], entry["high"]) if same else (None, None)
    return {"value": value, "low": low, "high": high, "n": result.n}


def _variance(result: PairedResult) -> dict[str, float] | None:
    found = result.variance
    if found is None:
        return None
    return {"within": found.within, "between": found.between, "repeats": found.repeats}
