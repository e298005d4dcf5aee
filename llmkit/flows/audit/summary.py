"""From evidence to the summary of an audit: plain JSON, a function of rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from llmkit.errors import DataError, Problem
from llmkit.flows.audit.agreement import (
    Pairs,
    Ways,
    agreement,
    confusion,
    disagreements,
    human_ceiling,
    paired,
)
from llmkit.flows.audit.biases import biases
from llmkit.flows.audit.correction import correction
from llmkit.flows.audit.evidence import Evidence
from llmkit.flows.audit.live import Spent, reasons
from llmkit.flows.audit.looks import Subject
from llmkit.flows.audit.scales import Scale, resolve, text_of
from llmkit.flows.labels import Value
from llmkit.flows.seating import family

if TYPE_CHECKING:
    from llmkit.flows.audit.setup import AuditSetup

_THOUSAND = 1000


def summarise(setup: AuditSetup, evidence: Evidence, spent: Spent | None) -> dict[str, Any]:
    """Return the summary of an audit.

    Raises:
        DataError: no row has both a verdict and a label, so that nothing can be said.
    """
    config = setup.config
    bounds = getattr(setup.seat.judge, "bounds", None) if setup.seat is not None else None
    flat: list[Value] = [label for row in evidence.people for label in row]
    scale = resolve(evidence.verdicts, flat, asked=config.scale, labels=config.labels, bounds=bounds)
    pairs, judge, human = paired(evidence, scale)
    _require(setup, evidence, scale, pairs)
    least = ceil(round(2 / (1 - config.level), 6))
    ways = Ways(max(config.resamples, least), config.seed, config.level)
    clusters = _clusters(setup, evidence)
    mine = None if clusters is None else clusters[pairs.rows]
    agreed = agreement(
        pairs,
        scale,
        ways,
        groups=_of(evidence, config.group, pairs),
        systems=_of(evidence, config.system, pairs),
        clusters=mine,
        slices={name: _of(evidence, name, pairs) or [] for name in config.slices},
    )
    subject = Subject(
        evidence,
        pairs,
        judge,
        human,
        scale,
        ways,
        clusters,
        own=_own_family(setup, evidence),
        best=_best(scale, bounds),
    )
    verdicts = _verdicts(evidence, scale, judge)
    summary: dict[str, Any] = {
        "schema": 1,
        "kind": "audit",
        "name": config.name,
        "judge": setup.judge_name,
        "judge_model": setup.judge_model,
        "rows": len(evidence),
        "verdicts": verdicts,
        "coverage": verdicts["ok"] / len(evidence),
        "human": _human(setup, evidence, human, pairs, scale),
        "scale": _scale(scale),
        "agreement": agreed,
        "ceiling": human_ceiling(pairs, scale, ways, mine),
        "confusion": confusion(pairs, scale, ways),
        "disagreements": disagreements(evidence, pairs, scale, config.listed),
        "biases": biases(subject),
        "corrected": correction(
            judge,
            human,
            scale,
            strata=_strata(setup, evidence),
            clusters=clusters,
            level=config.level,
            width=config.width,
        ),
        "level": config.level,
        "resamples": ways.resamples,
        "seed": config.seed,
    }
    summary["gate"] = _gate(setup, summary)
    if spent is not None:
        summary["requests_per_1000"] = spent.requests / max(1, spent.verdicts) * _THOUSAND
    return summary


def _verdicts(evidence: Evidence, scale: Scale, judge: Sequence[Any]) -> dict[str, Any]:
    missing = sum(verdict is None for verdict in judge)
    faults = evidence.faults.copy()
    if off := scale.off.get("judge"):
        faults["the verdict is no label of the scale"] = sum(off.values())
    return {"ok": len(evidence) - missing, "missing": missing, "reasons": reasons(faults)}


def _human(setup: AuditSetup, evidence: Evidence, human: Sequence[Any], pairs: Pairs, scale: Scale) -> dict[str, Any]:
    off: Mapping[str, int] = scale.off.get("human", {})
    said = ([one for one in row if one is not None and text_of(one) not in off] for row in evidence.people)
    undecided = (label is None and len(labels) > 1 for label, labels in zip(human, said, strict=True))
    return {
        "source": setup.people.source,
        "annotators": len(setup.people.annotators),
        "labelled": sum(label is not None for label in human),
        "undecided": sum(undecided),
        "pairs": len(pairs.rows),
    }


def _scale(scale: Scale) -> dict[str, Any]:
    off = {
        side: dict(counts.most_common(10))
        for side, counts in scale.off.items()
        if counts and side in {"judge", "human"}
    }
    return {"kind": scale.kind, "said": scale.said, "labels": scale.labels, "shared": scale.shared, "off": off}


def cost_of(spent: Spent | None) -> dict[str, Any] | None:
    """Return what 1,000 verdicts take: not in the summary, which says the same whatever the clock says."""
    if spent is None or not spent.verdicts:
        return None
    per = _THOUSAND / spent.verdicts
    return {
        "verdicts": spent.verdicts,
        "requests": spent.requests * per,
        "seconds": spent.seconds * per,
        "cost": None if spent.unpriced else spent.cost * per,
    }


def _require(setup: AuditSetup, evidence: Evidence, scale: Scale, pairs: Pairs) -> None:
    if len(pairs.rows) >= 2:  # noqa: PLR2004 - two points
        return
    ok = sum(verdict is not None for verdict in evidence.verdicts)
    labelled = sum(any(one is not None for one in row) for row in evidence.people)
    message = (
        f"{len(pairs.rows)} of {len(evidence):,} rows have both a verdict and a human label "
        f"({ok:,} have a verdict, {labelled:,} a label); agreement needs two"
    )
    off = scale.off.get("judge") or scale.off.get("human")
    hint = (
        "are the ids written the same way in both files?" if setup.config.human.file else "look at 'human' and 'judge'"
    )
    if off:
        hint = f"{', '.join(list(off)[:3])} are no labels of the scale; say with 'values' what they stand for"
    raise DataError(problems=[Problem(message, file=setup.source, hint=hint)])


def _clusters(setup: AuditSetup, evidence: Evidence) -> Any:
    import numpy as np

    name = setup.config.cluster or setup.config.group
    if name is None:
        return None
    codes = np.unique(np.array(evidence.fields[name], dtype=object).astype(str), return_inverse=True)[1]
    return None if int(codes.max()) + 1 == len(codes) else codes


def _of(evidence: Evidence, name: str | None, pairs: Pairs) -> list[str] | None:
    return None if name is None else [evidence.fields[name][row] for row in pairs.rows]


def _strata(setup: AuditSetup, evidence: Evidence) -> Sequence[str] | None:
    """Return the strata that a labelling sheet drew from, else the slices."""
    drawn = evidence.fields.get("stratum")
    if drawn is not None and all(drawn):
        return drawn
    if not setup.config.slices:
        return None
    return [", ".join(values) for values in zip(*(evidence.fields[name] for name in setup.config.slices), strict=True)]


def _own_family(setup: AuditSetup, evidence: Evidence) -> list[float | None] | None:
    """Return for each row whether the judge's own family answered it."""
    if not setup.judge_model or setup.config.system is None:
        return None
    mine = family(setup.judge_model)
    systems = evidence.fields[setup.config.system]
    kin = {system: float(family(system) == mine) for system in set(systems)}
    return [kin[system] for system in systems]


def _best(scale: Scale, bounds: tuple[float, float] | None) -> Any:
    if bounds is not None and scale.numbers:
        return bounds[1]
    return scale.labels[-1] if scale.labels is not None else None


def _gate(setup: AuditSetup, summary: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name, bound in setup.config.gate.items():
        if name == "coverage":
            entry: dict[str, Any] = {"value": summary["coverage"], "low": summary["coverage"]}
        else:
            entry = summary["agreement"]["pooled"].get(name) or {"value": None, "low": None}
        reached = entry["low"] if bound.certain else entry["value"]
        found[name] = {
            "min": bound.min,
            "certain": bound.certain,
            "value": entry["value"],
            "low": entry["low"],
            "pass": reached is not None and reached >= bound.min,
        }
    return found
