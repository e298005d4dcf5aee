"""How well verdicts agree with people: over all rows, within groups, between systems, beside people's own agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmkit.flows.audit.evidence import Evidence
from llmkit.flows.audit.figures import plain
from llmkit.flows.audit.scales import Scale, text_of, together
from llmkit.stats import by_group, by_system, ceiling, confusion_table, pooled

_NOMINAL = ("accuracy", "kappa", "ac1", "alpha_nominal")
_ORDERED = ("spearman", "kendall", "pearson")
_STATISTICS = {
    "nominal": _NOMINAL,
    "ordinal": (*_NOMINAL[:-1], "kappa_linear", "kappa_quadratic", "ac2_quadratic", "alpha_ordinal", *_ORDERED),
    "interval": ("alpha_interval", "mean_difference", *_ORDERED),
}
_MOST_SLICES = 50
_MOST_LABELS = 20
_FEWEST = 2


@dataclass
class Pairs:
    """The rows that have both a verdict and a label.

    Attributes:
        rows: Their numbers among all rows.
        judge: Verdicts.
        human: What people say together.
        people: What each of them says.
    """

    rows: list[int]
    judge: list[Any]
    human: list[Any]
    people: list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Ways:
    """How intervals are made."""

    resamples: int
    seed: int
    level: float


def paired(evidence: Evidence, scale: Scale) -> tuple[Pairs, list[Any], list[Any]]:
    """Return the rows with both, and all rows' verdicts and labels on the scale."""
    judge = scale.read(evidence.verdicts, "judge")
    width = max((len(row) for row in evidence.people), default=0)
    columns = [scale.read([row[i] if i < len(row) else None for row in evidence.people], "human") for i in range(width)]
    people = list(zip(*columns, strict=True)) if columns else [()] * len(judge)
    human = [together(row, scale) for row in people]
    rows = [i for i, (one, other) in enumerate(zip(judge, human, strict=True)) if one is not None and other is not None]
    pairs = Pairs(rows, [judge[i] for i in rows], [human[i] for i in rows], [people[i] for i in rows])
    return pairs, judge, human


def names_of(scale: Scale) -> tuple[str, ...]:
    """Return the statistics that speak of such labels."""
    if not scale.shared:
        return _ORDERED
    if scale.kind == "nominal" and (scale.numbers or scale.labels is not None):
        return (*_NOMINAL, *_ORDERED)
    return _STATISTICS[scale.kind]


def agreement(
    pairs: Pairs,
    scale: Scale,
    ways: Ways,
    *,
    groups: Sequence[str] | None,
    systems: Sequence[str] | None,
    clusters: Sequence[str] | None,
    slices: dict[str, list[str]],
) -> dict[str, Any]:
    """Return every statistic of agreement with its interval; sequences are of the paired rows."""
    names = names_of(scale)
    codes = None if clusters is None else _codes(clusters)
    common: dict[str, Any] = {"scale": scale.labels}
    drawn: dict[str, Any] = {"resamples": ways.resamples, "seed": ways.seed, "level": ways.level}
    found = pooled(pairs.judge, pairs.human, statistics=names, clusters=codes, **common, **drawn)
    told: dict[str, Any] = {"pooled": {name: plain(one) for name, one in found.items()}}
    ordered = [name for name in names if name in _ORDERED]
    if groups is not None:
        inner = ordered or ["accuracy", "kappa"]
        parts = by_group(pairs.judge, pairs.human, _codes(groups), statistics=inner, level=ways.level, **common)
        told["groups"] = {name: plain(one) for name, one in parts.items()}
    if systems is not None and scale.numbers:
        over = by_system(pairs.judge, pairs.human, _codes(systems), clusters=codes, **drawn)
        told["systems"] = {name: plain(one) for name, one in over.items()}
    told["slices"] = {field: _sliced(pairs, scale, values, ways) for field, values in slices.items()}
    return told


def _sliced(pairs: Pairs, scale: Scale, values: Sequence[str], ways: Ways) -> dict[str, Any]:
    names = ("pearson", "spearman") if scale.kind == "interval" or not scale.shared else ("accuracy", "kappa")
    where: dict[str, list[int]] = {}
    for i, value in enumerate(values):
        where.setdefault(value, []).append(i)
    largest = sorted(where, key=lambda value: (-len(where[value]), value))[:_MOST_SLICES]
    table = {}
    for value in sorted(largest):
        mine = where[value]
        one, other = [pairs.judge[i] for i in mine], [pairs.human[i] for i in mine]
        found = pooled(
            one, other, statistics=names, scale=scale.labels, resamples=ways.resamples, seed=ways.seed, level=ways.level
        )
        table[value] = {"n": len(mine), **{name: plain(estimate) for name, estimate in found.items()}}
    return {"values": table, "left_out": len(where) - len(largest)}


def _codes(values: Sequence[str]) -> Any:
    import numpy as np

    return np.unique(np.array(values, dtype=object).astype(str), return_inverse=True)[1]


def human_ceiling(pairs: Pairs, scale: Scale, ways: Ways, clusters: Sequence[str] | None) -> dict[str, Any] | None:
    """Return people's agreement with one another, leave one out, and the judge's with the same people; None for one."""
    if max((sum(label is not None for label in row) for row in pairs.people), default=0) < _FEWEST:
        return None
    mean = scale.kind == "interval" or not scale.shared
    judge = pairs.judge if scale.shared else None  # with other numbers, people alone have a common scale
    found = ceiling(
        pairs.people,
        judge,
        against="mean" if mean else "majority",
        scale=scale.labels,
        clusters=None if clusters is None else _codes(clusters),
        resamples=ways.resamples,
        seed=ways.seed,
        level=ways.level,
    )
    return {
        "items": found.items,
        "ratings": found.ratings,
        "against": "mean" if mean else "majority",
        "human": {name: plain(one) for name, one in found.human.items()},
        "judge": {name: plain(one) for name, one in found.judge.items()},
        "difference": {name: plain(one) for name, one in found.difference.items()},
    }


def confusion(pairs: Pairs, scale: Scale, ways: Ways) -> dict[str, Any] | None:
    """Return the table of verdicts against labels; None for numbers without steps."""
    if not scale.shared or len({*pairs.judge, *pairs.human}) > _MOST_LABELS:
        return None
    found = confusion_table(pairs.judge, pairs.human, scale=scale.labels, level=ways.level)
    return {
        "labels": [text_of(label) for label in found.labels],
        "counts": [list(row) for row in found.counts],
        "rates": [
            {
                "label": text_of(rate.label),
                "humans": rate.humans,
                "judged": rate.judged,
                **{name: plain(getattr(rate, name)) for name in ("sensitivity", "specificity", "precision")},
            }
            for rate in found.rates
        ],
    }


def disagreements(evidence: Evidence, pairs: Pairs, scale: Scale, most: int) -> dict[str, Any]:
    """Return the rows where judge and people differ, worst first."""
    if scale.numbers:
        judge, human = (_standard(side, shared=scale.shared) for side in (pairs.judge, pairs.human))
        apart = [abs(one - other) for one, other in zip(judge, human, strict=True)]
    elif scale.labels is not None and scale.kind != "nominal":
        place = {label: i for i, label in enumerate(scale.labels)}
        apart = [float(abs(place[a] - place[b])) for a, b in zip(pairs.judge, pairs.human, strict=True)]
    else:
        apart = [float(a != b) for a, b in zip(pairs.judge, pairs.human, strict=True)]
    order = sorted((i for i in range(len(apart)) if apart[i] > 0), key=lambda i: (-apart[i], pairs.rows[i]))
    listed = []
    for i in order[:most]:
        row = pairs.rows[i]
        question, answer = evidence.shown[row]
        listed.append(
            {
                "id": evidence.ids[row],
                "judge": pairs.judge[i],
                "human": pairs.human[i],
                "people": [label for label in pairs.people[i] if label is not None],
                "input": question,
                "output": answer,
                "judge_reason": evidence.reasons[row],
                "human_reason": _reason(evidence, row),
            }
        )
    return {"n": len(order), "of": len(apart), "listed": listed}


def _reason(evidence: Evidence, row: int) -> str:
    found = evidence.fields.get("human_reason")
    return "" if found is None else found[row]


def _standard(values: list[Any], *, shared: bool) -> list[float]:
    """Return numbers as they are, or on a scale of 0 to 1 where the two sides' are not the same."""
    if shared:
        return [float(value) for value in values]
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]
