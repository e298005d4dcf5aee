"""What can only be said of all verdicts of a judge together: length-controlled win rate, position bias, agreement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from llmkit.flows.tally import Tally
from llmkit.report._words import plural
from llmkit.stats import (
    alpha_agreement,
    length_controlled_win_rate,
    position_bias,
    win_rate,
)
from llmkit.types import Estimate

_COLUMNS = ("", "value", "low", "high")
_HARD, _KNOWN = 7, 8
"""Columns of a pairwise judge that was told a field with the difficulty: how hard, and whether the row says it."""
_EXACT = "Exact test"
Ways = Mapping[str, Any]
"""``clusters``, ``seed`` and ``level``, as the statistics take them; ``stopped``, whether asking stopped early;
``whole``, the scorer's value with the interval that stands in the table of scores."""


def with_aggregates(tally: Tally, details: dict[str, Any] | None, ways: Ways) -> dict[str, Any] | None:
    """Return the details of a judge with what its ``aggregates`` names: ``preference`` or ``jury``."""
    make = _MAKERS.get(getattr(tally.metric, "aggregates", ""))
    if make is None:
        return details
    columns = [np.frombuffer(column, dtype=np.float64) for column in tally.columns]
    found = make(columns, ways)
    if ways["stopped"]:
        found = _without_intervals(found)
    kept = dict(details or {})
    return {
        **kept,
        **found.get("numbers", {}),
        "tables": [*kept.get("tables", ()), *found["tables"]],
        "notes": [*kept.get("notes", ()), *found["notes"]],
    }


def _difficulty(columns: list[Any]) -> tuple[Any, list[str]]:
    """Return how hard each question is, where every row says it; and what to say where only some do."""
    if len(columns) <= _KNOWN:
        return None, []
    lacking = int((columns[_KNOWN] == 0).sum())
    if lacking:
        return None, [f"{plural(lacking, 'row')} of unknown difficulty: the length-controlled win rate leaves it out."]
    return columns[_HARD], ["The length-controlled win rate takes into account how hard each question is."]


def _preference(columns: list[Any], ways: Ways) -> dict[str, Any]:
    """Win rates raw, discrete and length-controlled, and the bias of position, of a pairwise judge's columns."""
    preferences, first, second, own_length, other_length = columns[:5]
    clusters, level = ways["clusters"], ways["level"]
    raw = win_rate(preferences, clusters=clusters, level=level)
    hard, notes = _difficulty(columns)
    controlled = length_controlled_win_rate(
        preferences, other_length, own_length, difficulty=hard, clusters=clusters, seed=ways["seed"], level=level
    )
    rows = [_row("win rate", ways["whole"]), ["discrete win rate", raw.discrete_win_rate, "-", "-"]]
    if controlled.win_rate is not None:
        rows.append(_row("length-controlled win rate", controlled.win_rate))
    else:
        notes.append(f"No length-controlled win rate: {controlled.reason}.")
    if controlled.warning:
        notes.append(controlled.warning)
    played = (first >= 0) & (second >= 0)
    if played.any():
        codes = None if clusters is None else clusters[played]
        bias = position_bias(first[played], second[played], clusters=codes, level=level)
        rows.append(_row("pairs whose verdict changes with the order", bias.inconsistent))
        if bias.first_share.estimate is not None:
            rows.append(_row("of these, towards the answer shown first", bias.first_share.estimate))
            notes.append(f"{_EXACT} of no favour for the answer shown first: p = {bias.first_share.p:.3g}.")
    numbers = {
        "win_rate": {
            "value": raw.win_rate.value,
            "standard_error": raw.standard_error,
            "discrete": raw.discrete_win_rate,
            "wins": raw.wins,
            "ties": raw.ties,
            "losses": raw.losses,
            "length_controlled": None if controlled.win_rate is None else _estimate(controlled.win_rate),
        }
    }
    return {
        "tables": [{"title": "Win rates", "columns": list(_COLUMNS), "rows": rows}],
        "notes": notes,
        "numbers": numbers,
    }


def _jury(columns: list[Any], ways: Ways) -> dict[str, Any]:
    """Agreement among the members of a jury: Krippendorff's alpha for numbers."""
    values, present = columns[3::2], columns[4::2]
    ratings = np.stack(
        [np.where(there > 0, value, np.nan) for value, there in zip(values, present, strict=True)], axis=1
    )
    found = alpha_agreement(
        ratings, measurement="interval", clusters=ways["clusters"], seed=ways["seed"], level=ways["level"]
    )
    if found.estimate is None:
        return {"tables": [], "notes": [f"No agreement among members: {found.reason}."]}
    table = {"title": "Agreement", "columns": list(_COLUMNS), "rows": [_row("Krippendorff's alpha", found.estimate)]}
    return {"tables": [table], "notes": [], "numbers": {"alpha": _estimate(found.estimate)}}


_MAKERS: Mapping[str, Callable[[list[Any], Ways], dict[str, Any]]] = {"preference": _preference, "jury": _jury}


def _without_intervals(found: dict[str, Any]) -> dict[str, Any]:
    """Return what was found where asking stopped early: the values, and no interval or p that does not allow for it."""
    tables = [{**table, "rows": [[*row[:2], "-", "-"] for row in table["rows"]]} for table in found["tables"]]
    notes = [note for note in found["notes"] if not note.startswith(_EXACT)]
    numbers = _values(found.get("numbers", {}))
    return {"tables": tables, "notes": [*notes, "No intervals: asking stopped early."], "numbers": numbers}


def _values(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _values(one) if isinstance(one, Mapping) else one
        for key, one in numbers.items()
        if key not in {"low", "high", "standard_error"}
    }


def _row(name: str, estimate: Estimate) -> list[Any]:
    bounds = [value if value is not None else "-" for value in (estimate.low, estimate.high)]
    return [name, estimate.value, *bounds]


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}
