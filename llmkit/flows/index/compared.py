"""Two reports of an index side by side, paired by question; and the questions in slices."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from llmkit.errors import UsageError
from llmkit.flows.index.queries import QRELS, SPANS
from llmkit.registry import did_you_mean
from llmkit.stats import mean_estimate, paired_difference
from llmkit.types import Sample

SMALL = 30
"""Scored questions of a slice below which its values are marked: their intervals are wide, and one moves them."""

_MOST_VALUES = 50
"""Different values of a field from which on it names single questions rather than kinds of them."""

Compared = dict[str, dict[str, dict[str, Any]]]


def against(report: Mapping[str, Any], baseline: Mapping[str, Any], rows: Collection[str] | None = None) -> Compared:
    """Return for each leg and metric the difference to a baseline report, over questions that both scored.

    Args:
        report: What `evaluate_index` returned.
        baseline: An earlier one.
        rows: Ids of the questions to compare; without, all.

    Raises:
        UsageError: the baseline is no report, or (of all questions) the two share none.
    """
    theirs = baseline.get("per_query")
    if not isinstance(theirs, Mapping):
        raise UsageError("the baseline is no report of 'llmkit index eval --format json'")
    found: Compared = {}
    for leg, metrics in report["per_query"].items():
        for name, values in metrics.items():
            base = theirs.get(leg, {}).get(name, {})
            shared = [row for row in values if row in base and (rows is None or row in rows)]
            if not shared:
                continue
            result = paired_difference(
                [base[row] for row in shared], [values[row] for row in shared], bounds=(0.0, 1.0)
            )
            low, high = result.difference.low, result.difference.high
            found.setdefault(leg, {})[name] = {
                "base": result.base,
                "difference": result.difference.value,
                "low": low,
                "high": high,
                "p": result.p,
                "n": len(shared),
            }
    if not found and rows is None:
        raise UsageError("the baseline and this report have no question in common")
    return found


def sliced(
    report: Mapping[str, Any],
    queries: Sequence[Sample],
    fields: Sequence[str],
    baseline: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return for each field and each of its values how the questions with that value fared, plain JSON.

    A question whose field holds a list counts under each of its values; one without the field under ``(none)``.

    Args:
        report: What `evaluate_index` returned.
        queries: The questions.
        fields: Fields of their rows.
        baseline: An earlier report; each slice then has ``compared``, as `against` returns it.

    Raises:
        UsageError: no question has such a field, or it has more values than can be told apart.
    """
    return {
        field: {value: _part(report, rows, baseline) for value, rows in groups_of(queries, field).items()}
        for field in dict.fromkeys(fields)
    }


def groups_of(queries: Sequence[Sample], field: str) -> dict[str, Collection[str]]:
    """Return for each value of a field the ids of its questions, values in order.

    Raises:
        UsageError: as `sliced`.
    """
    known = sorted({name for row in queries for name in row.meta} - {QRELS, SPANS})
    if field not in known:
        there = f" ({did_you_mean(field, known)})" if known else "; their rows have no fields of their own"
        raise UsageError(f"--slice {field}: no question has the field '{field}'{there}")
    groups: dict[str, dict[str, None]] = {}
    for row in queries:
        for value in _values(row.meta.get(field)):
            groups.setdefault(value, {})[row.id] = None
    if len(groups) > _MOST_VALUES:
        raise UsageError(
            f"--slice {field}: the field has {len(groups):,} different values, and a table of more than {_MOST_VALUES} "
            "says nothing; slice by a field that groups questions"
        )
    return {value: groups[value].keys() for value in sorted(groups)}


def _values(value: Any) -> Sequence[str]:
    if isinstance(value, (list, tuple)):
        return tuple(dict.fromkeys(map(_written, value))) or ("(none)",)
    return (_written(value),)


def _written(value: Any) -> str:
    if value is None or value == "":
        return "(none)"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _part(report: Mapping[str, Any], rows: Collection[str], baseline: Mapping[str, Any] | None) -> dict[str, Any]:
    legs: Compared = {}
    for leg, metrics in report["per_query"].items():
        legs[leg] = {}
        for name, values in metrics.items():
            held = [values[row] for row in rows if row in values]
            if held:
                legs[leg][name] = estimated(held)
    scored = min((one["n"] for metrics in legs.values() for one in metrics.values()), default=0)
    part: dict[str, Any] = {"n": len(rows), "small": scored < SMALL, "legs": legs}
    if baseline is not None:
        part["compared"] = against(report, baseline, rows)
    return part


def estimated(values: Sequence[float]) -> dict[str, Any]:
    """Return the mean of questions' scores, 0 to 1, with its 95 % interval, plain JSON; of one question it has none."""
    import numpy as np

    binary = all(value in (0.0, 1.0) for value in values)
    found = mean_estimate(np.asarray(values, dtype=np.float64), binary=binary, bounds=(0.0, 1.0), interval="auto")
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}
