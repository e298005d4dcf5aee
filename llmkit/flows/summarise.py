"""From tallies to numbers with intervals: the summary of a run, as plain JSON.

Everything here is a function of rows, so the same rows give the same bytes. Durations, costs and dates are
not in the summary; they are in the manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Any

import numpy as np

from llmkit.errors import LlmkitError
from llmkit.flows.aggregates import with_aggregates
from llmkit.flows.tally import Codes, Tally
from llmkit.stats import (
    ConfidenceSequence,
    Variance,
    average_repeats,
    bootstrap_rows,
    bootstrap_totals,
    mean_estimate,
    spread_of_means,
    variance_components,
)
from llmkit.types import Estimate, Table

RESAMPLES = 1000
"""At least so many; more where the level asks for more."""

SEQUENCE = "confidence sequence"
STOPPED = "no interval, asking stopped early"

HIGHEST_LEVEL = 0.9999
"""Of an interval: 20,000 resamples still have a value on either side of it."""

SLICE_VALUES = 50
"""A slice table shows its largest values; a field with more is cut, and the summary says by how many."""


@dataclass(frozen=True, slots=True)
class Design:
    """How the rows hang together: what an interval must know.

    Attributes:
        samples: For each row, the number of its sample (repeats of a sample share it); None without repeats.
        clusters: For each row, the code of its cluster; None where rows are independent.
        seed: Of the bootstrap.
        level: Of the intervals.
        order: For each row, when its sample was asked, where asking stopped as soon as the gate was settled: intervals
            must allow for that. None where every row was asked, whatever was answered.
    """

    samples: Any = None
    clusters: Any = None
    seed: int = 0
    level: float = 0.95
    order: Any = None


def summarise(
    *,
    name: str,
    rows: int,
    repeats: int,
    errors: Mapping[str, int],
    tallies: Sequence[Tally],
    slices: Sequence[Codes],
    design: Design,
    originals: Any = None,
    named: Collection[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Return the summary of a run.

    ``originals`` is which of the rows of ``slices`` and ``design`` are the set's own, a mask; None where all are.
    ``named`` are fields and values whose part of the rows is kept however small it is: those of the gate.
    """
    failed = sum(errors.values())
    scores = {tally.name: _scorer(tally, design) for tally in tallies}
    return {
        "schema": 1,
        "name": name,
        "rows": rows,
        "repeats": repeats,
        "outputs": {"ok": rows * repeats - failed, "error": failed, "errors": dict(sorted(errors.items()))},
        "coverage": min((entry["coverage"] for entry in scores.values()), default=0.0),
        "scores": scores,
        "slices": {
            codes.field: _slice(
                codes, tallies, design, repeats, originals, {value for field, value in named if field == codes.field}
            )
            for codes in slices
        },
    }


def _scorer(tally: Tally, design: Design) -> dict[str, Any]:
    metric = tally.metric
    found, details = _of_all(tally, design)
    judged = tally.ok + tally.errors
    entry: dict[str, Any] = {
        "value": None,
        "low": None,
        "high": None,
        "n": tally.ok,
        "skipped": tally.skipped,
        "errors": tally.errors,
        "coverage": tally.ok / judged if judged else 0.0,
        "reasons": dict(tally.reasons.most_common(20)),
        "faults": dict(tally.faults.most_common(20)),
        "unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
        "kind": metric.kind,
        "binary": metric.binary,
        "bounds": _bounds(metric),
        "method": "",
    }
    method = "no interval"
    if found is not None:
        entry |= {"value": found.value, "low": found.low, "high": found.high, "method": found.method}
        method = found.method
    if details is not None:
        entry["details"] = details
    variance = None if found is None else _variance(tally, design)
    if variance is not None:
        entry["variance"] = {
            "within": variance.within,
            "between": variance.between,
            "repeats": variance.repeats,
            "reliability": variance.reliability,
        }
    entry["signature"] = (
        f"{tally.name}|{tally.signature}|n:{tally.ok}|ci:{method}|level:{design.level:g}|seed:{design.seed}"
    )
    return entry


def _bounds(metric: Any) -> list[float | None] | None:
    """Return the least and the greatest score there can be; None for an end that there is not."""
    bounds = getattr(metric, "bounds", None)
    return None if bounds is None else [end if isfinite(end) else None for end in bounds]


def _of_all(tally: Tally, design: Design) -> tuple[Estimate | None, dict[str, Any] | None]:
    """Return the value and the details of all rows. Where the metric fails over them, it has scored none of them."""
    if not tally.ok:
        return None, None
    make_details = getattr(tally.metric, "details", None)
    try:
        details = None if make_details is None else make_details(table_of(tally))
        whole = estimate(tally, design)
        return whole, with_aggregates(tally, details, {**_ways(tally, design), "whole": whole})
    except LlmkitError:
        raise
    except Exception as error:  # noqa: BLE001 - a plug-in's fault must not cost the other scores
        tally.fail_all(error)
        return None, None


def _ways(tally: Tally, design: Design) -> dict[str, Any]:
    """Return how statistics of a tally's rows are to take them: what hangs together, seed and level."""
    rows = np.frombuffer(tally.rows, dtype=np.uint32)
    alone = design.samples is None or tally.over_repeats
    together = design.clusters if design.clusters is not None else None if alone else design.samples
    clusters = None if together is None else together[rows]
    return {"clusters": clusters, "seed": design.seed, "level": design.level, "stopped": design.order is not None}


def estimate(tally: Tally, design: Design, chosen: Any = None) -> Estimate | None:
    """Return a scorer's corpus value with its interval, over all rows or the ``chosen`` positions of the tally.

    None where the metric has no value for these rows (one class only, say).
    """
    metric = tally.metric
    resamples = max(RESAMPLES, ceil(round(2 / (1 - design.level), 6)))
    rows = np.frombuffer(tally.rows, dtype=np.uint32)
    if chosen is not None:
        rows = rows[chosen]
    alone = design.samples is None or tally.over_repeats  # one row a sample: nothing to average
    samples = None if alone else design.samples[rows]
    clusters = None if design.clusters is None else design.clusters[rows]
    if metric.kind == "mean":
        if design.order is not None:
            return _sequential_mean(tally, chosen, samples, rows, design)
        return _mean(tally, chosen, samples, clusters, design)
    # Repeats of a sample are not independent: without wider clusters they resample together.
    together = samples if clusters is None else clusters
    if metric.kind == "totals":
        matrix = np.stack([_column(c, chosen) for c in tally.columns], axis=1)
        if getattr(metric, "interval", "") == "spread":
            return allowing(_spread(metric, matrix, samples, clusters, design), design)
        found = bootstrap_totals(
            matrix,
            value_many(metric, len(matrix)),
            resamples=resamples,
            seed=design.seed,
            clusters=together,
            level=design.level,
        )
        return None if np.isnan(found.value) else allowing(found, design)
    of_rows = bootstrap_rows(
        table_of(tally, chosen), metric, resamples=resamples, seed=design.seed, clusters=together, level=design.level
    )
    return None if of_rows is None else allowing(of_rows, design)


def allowing(found: Estimate, design: Design) -> Estimate:
    """Return an estimate, without its interval where asking stopped early: such an interval does not allow for that."""
    return found if design.order is None else replace(found, low=None, high=None, method=STOPPED)


def _sequential_mean(tally: Tally, chosen: Any, samples: Any, rows: Any, design: Design) -> Estimate:
    """Return a mean with the interval of its confidence sequence, which holds whenever asking stops."""
    values, when = _column(tally.columns[0], chosen), design.order[rows]
    if samples is not None:
        of_sample, first = np.unique(samples, return_index=True)
        values, when = average_repeats(values, samples)[0], when[first]
        assert len(values) == len(of_sample)
    bounds = getattr(tally.metric, "bounds", None)
    value = float(values.mean())
    if bounds is None or not all(map(isfinite, bounds)):
        return Estimate(value, None, None, len(values), STOPPED, design.level)
    sequence = ConfidenceSequence(*bounds, alpha=1 - design.level)
    try:
        low, high = sequence.update(values[np.argsort(when)])
    except ValueError:  # a score outside of the bounds that the scorer names
        return Estimate(value, None, None, len(values), STOPPED, design.level)
    return Estimate(value, low, high, len(values), SEQUENCE, design.level)


def _spread(metric: Any, matrix: Any, samples: Any, clusters: Any, design: Design) -> Estimate:
    """Return the distance between the highest and the lowest mean of yes-or-no columns; the last column counts rows."""
    found = spread_of_means(
        matrix[:, :-1].T, binary=True, samples=samples, clusters=clusters, level=design.level, seed=design.seed
    ).estimate
    value = metric.value(matrix.sum(axis=0), len(matrix))  # where repeats are missing, not quite the mean over samples
    low, high = (None if end is None else pick(end, value) for end, pick in ((found.low, min), (found.high, max)))
    return replace(found, value=float(value), low=low, high=high)


def _variance(tally: Tally, design: Design) -> Variance | None:
    """Return how a mean's scores vary over repeats and over samples; None where there are no repeats to tell by."""
    if tally.metric.kind != "mean" or design.samples is None or tally.over_repeats:
        return None
    rows = np.frombuffer(tally.rows, dtype=np.uint32)
    return variance_components(_column(tally.columns[0], None), design.samples[rows])


def _mean(tally: Tally, chosen: Any, samples: Any, clusters: Any, design: Design) -> Estimate:
    values = _column(tally.columns[0], chosen)
    binary = tally.metric.binary
    if samples is not None:
        values, clusters = average_repeats(values, samples, clusters)
        binary = False
    bounds = getattr(tally.metric, "bounds", None)
    return mean_estimate(
        values,
        binary=binary,
        clusters=clusters,
        level=design.level,
        bounds=bounds,
        interval="auto",
        seed=design.seed,
    )


def value_many(metric: Any, n: int) -> Callable[[Any], Any]:
    """Return totals (m, k) -> values (m,): the metric's own vectorised form, or a loop over its plain one.

    A value that would be divided by 0 is undefined: NaN.
    """
    many = getattr(metric, "value_many", None)
    if many is not None:
        return lambda totals: many(totals, n)

    def one(row: Any) -> float:
        try:
            return float(metric.value([float(item) for item in row], n))
        except ZeroDivisionError:
            return np.nan

    return lambda totals: np.array([one(row) for row in totals])


def _column(column: Any, chosen: Any) -> Any:
    values = np.frombuffer(column, dtype=np.float64)
    return values if chosen is None else values[chosen]


def table_of(tally: Tally, chosen: Any = None) -> Table:
    """Return the statistics of a tally's rows, or of those at the ``chosen`` positions."""
    return Table(
        columns=[_column(column, chosen) for column in tally.columns],
        vocabulary=[tuple(words) for words in tally.vocabulary],
    )


def _slice(  # noqa: PLR0917 - rows, scores, and how both hang together
    codes: Codes, tallies: Sequence[Tally], design: Design, repeats: int, own: Any, named: Collection[str]
) -> dict[str, Any]:
    of_row = np.frombuffer(codes.codes, dtype=np.uint32)
    counts = np.bincount(of_row if own is None else of_row[own], minlength=len(codes.values)) // repeats
    order = sorted(codes.values, key=lambda value: (-int(counts[codes.values[value]]), value))
    shown = [value for place, value in enumerate(order) if place < SLICE_VALUES or value in named]
    table = {value: _slice_row(codes.values[value], of_row, counts, tallies, design) for value in shown}
    return {"values": dict(sorted(table.items())), "left_out": len(order) - len(shown)}


def _slice_row(code: int, of_row: Any, counts: Any, tallies: Sequence[Tally], design: Design) -> dict[str, Any]:
    scores: dict[str, Any] = {}
    for tally in tallies:
        chosen = np.flatnonzero(of_row[np.frombuffer(tally.rows, dtype=np.uint32)] == code) if tally.ok else ()
        found = _of_some(tally, design, chosen) if len(chosen) else None
        scores[tally.name] = {
            "value": found.value if found else None,
            "low": found.low if found else None,
            "high": found.high if found else None,
            "n": len(chosen),
        }
    return {"rows": int(counts[code]), "scores": scores}


def _of_some(tally: Tally, design: Design, chosen: Any) -> Estimate | None:
    """Return the value of the chosen rows; None where a metric that has one for all rows fails over these."""
    try:
        return estimate(tally, design, chosen)
    except LlmkitError:
        raise
    except Exception:  # noqa: BLE001 - as above
        return None
