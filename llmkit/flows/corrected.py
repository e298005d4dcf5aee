"""A judge's means beside what few human labels make of them: prediction-powered, and Rogan-Gladen for yes and no."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmkit.stats import (
    Corrected,
    labels_needed,
    prediction_powered_difference,
    prediction_powered_mean,
    prediction_powered_win_rate,
    rogan_gladen_share,
)
from llmkit.types import Estimate

_HALVED = 2
_UNITS = (0.0, 1.0)
_HALVES = (0.0, 0.5, 1.0)


def corrected_mean(
    judge: Any,
    human: Any,
    rows: Any,
    *,
    strata: Sequence[str] | None = None,
    clusters: Any = None,
    bounds: tuple[float, float] | None = None,
    level: float = 0.95,
    width: float | None = None,
) -> dict[str, Any]:
    """Return a mean three ways: by the judge alone, by people alone, and corrected; and what labels save.

    Args:
        judge: Shape (m,): the judge's score of every row.
        human: Shape (n,): labels.
        rows: Shape (n,): which row each label belongs to.
        strata: Shape (m,): a name for each row; None for one stratum.
        clusters: Shape (m,): a code for each row; None where rows are independent.
        bounds: The least and greatest score.
        level: Of the intervals.
        width: The half-width that is wanted; None for half of the corrected interval's own.
    """
    import numpy as np

    codes = _codes(strata)
    labels, scores = np.asarray(human, dtype=np.float64), np.asarray(judge, dtype=np.float64)
    where = np.asarray(rows, dtype=np.int64)
    binary = bool(len(labels)) and bool(np.isin(labels, _UNITS).all()) and bool(np.isin(scores, _UNITS).all())
    games = bool(np.isin(scores, _HALVES).all()) and bool(np.isin(labels, _HALVES).all())
    options: dict[str, Any] = {"clusters": clusters, "strata": codes, "level": level}
    if games and not binary:
        found = prediction_powered_win_rate(scores, labels, where, **options)
    else:
        found = prediction_powered_mean(scores, labels, where, binary=binary, bounds=bounds, **options)
    told = _told(found, codes)
    if binary and len(labels) < len(scores):
        share = rogan_gladen_share(scores, labels, where, level=level)
        told["rogan_gladen"] = {
            **_plain(share.estimate, share.reason),
            "sensitivity": _plain(share.sensitivity),
            "specificity": _plain(share.specificity),
        }
        told["notes"] += [f"Rogan-Gladen: {note}" for note in share.notes]
    return told | _wanted(found, width)


def corrected_difference(
    judge: tuple[Any, Any],
    human: tuple[Any, Any],
    rows: Any,
    *,
    strata: Sequence[str] | None = None,
    clusters: Any = None,
    bounds: tuple[float, float] | None = None,
    level: float = 0.95,
) -> dict[str, Any]:
    """Return how much better a candidate is than a base three ways, as `corrected_mean` does of one system.

    Args:
        judge: Of base and candidate, shape (m,) each: the judge's score of every row.
        human: Of base and candidate, shape (n,) each: labels of the same rows.
        rows: Shape (n,): which row each pair of labels belongs to.
        strata: As in `corrected_mean`.
        clusters: Likewise.
        bounds: Of one score.
        level: Of the intervals.
    """
    codes = _codes(strata)
    found = prediction_powered_difference(
        *judge, *human, rows, bounds=bounds, clusters=clusters, strata=codes, level=level
    )
    return _told(found, codes) | _wanted(found, None)


def _codes(strata: Sequence[str] | None) -> Any:
    import numpy as np

    if strata is None:
        return None
    return np.unique(np.array(strata, dtype=object).astype(str), return_inverse=True)[1]


def _told(found: Corrected, codes: Any) -> dict[str, Any]:
    return {
        "judge_only": _plain(found.judge_only),
        "human_only": _plain(found.human_only),
        "corrected": _plain(found.corrected),
        "lambda": found.lam,
        "correlation": found.rho,
        "labels": found.labels,
        "rows": found.rows,
        "labels_saved": found.labels_saved,
        "strata": 0 if codes is None else int(codes.max()) + 1,
        "notes": list(found.notes),
    }


def _wanted(found: Corrected, width: float | None) -> dict[str, Any]:
    """Return how many labels an interval of a wanted half-width takes."""
    half = width if width is not None else _half(found.corrected)
    if not half:
        return {}
    needed = labels_needed(found, half)
    return {
        "wanted": {
            "half_width": half,
            "corrected": needed.corrected,
            "human_only": needed.human_only,
            "more": needed.more,
            "reason": needed.reason,
        }
    }


def _half(estimate: Estimate | None) -> float | None:
    """Return the half-width to speak of where nobody named one: half of what there is."""
    if estimate is None or estimate.low is None or estimate.high is None or estimate.high <= estimate.low:
        return None
    return (estimate.high - estimate.low) / 2 / _HALVED


def _plain(estimate: Estimate | None, reason: str = "") -> dict[str, Any]:
    if estimate is None:
        return {"value": None, "low": None, "high": None, "n": 0, "method": "", "reason": reason}
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "method": estimate.method,
    }


_NAMES = {
    "judge_only": "judge alone",
    "human_only": "people alone",
    "corrected": "corrected (PPI++)",
    "rogan_gladen": "corrected (Rogan-Gladen)",
}


def correction_table(told: dict[str, Any], title: str = "Corrected by human labels") -> dict[str, Any]:
    """Return a correction as a table for reports."""
    rows = [
        [name, told[key]["value"], told[key]["low"], told[key]["high"], told[key]["n"]]
        for key, name in _NAMES.items()
        if key in told
    ]
    return {"title": title, "columns": ["estimate", "value", "low", "high", "n"], "rows": rows}


def correction_notes(told: dict[str, Any]) -> list[str]:
    """Return what a reader of a correction must know, in sentences."""
    notes = []
    saved = told["labels_saved"]
    if told["labels"] and told["corrected"]["low"] is not None:
        notes.append(
            f"{told['labels']:,} of {told['rows']:,} rows have a human label; the judge saves about {saved:,.0f} more."
        )
    wanted = told.get("wanted")
    if wanted and wanted["corrected"] is not None:
        alone = "" if wanted["human_only"] is None else f" ({wanted['human_only']:,} without the judge)"
        notes.append(
            f"An interval of ±{wanted['half_width']:.3g} takes {wanted['corrected']:,} labels{alone}: "
            f"{wanted['more']:,} more than there are."
        )
    elif wanted and wanted["reason"]:
        notes.append(f"An interval of ±{wanted['half_width']:.3g} cannot be had: {wanted['reason']}.")
    return notes + [f"{note[0].upper()}{note[1:]}." for note in told["notes"]]
