"""How much better one system is than another on the same rows, with the interval that pairing them gives."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from llmkit.flows.summarise import RESAMPLES, Design, allowing, table_of, value_many
from llmkit.flows.tally import Tally
from llmkit.stats import PairedResult, paired_difference, paired_rows, paired_totals
from llmkit.types import Estimate


def difference(ours: Tally, theirs: Tally, design: Design) -> Estimate | None:
    """Return our corpus value less theirs, over the rows that both have scored; None where there is no such value.

    The interval is that of the difference row by row; see `llmkit.stats.paired_difference`, `paired_totals` and
    `paired_rows`. There is none where asking stopped early.
    """
    found = _compared(ours, theirs, design)
    return None if found is None else allowing(found.difference, design)


def _compared(ours: Tally, theirs: Tally, design: Design) -> PairedResult | None:
    rows, left, right = np.intersect1d(
        np.frombuffer(ours.rows, dtype=np.uint32),
        np.frombuffer(theirs.rows, dtype=np.uint32),
        assume_unique=True,
        return_indices=True,
    )
    if not len(rows):
        return None
    metric = ours.metric
    alone = design.samples is None or ours.over_repeats
    samples = None if alone else design.samples[rows]
    clusters = None if design.clusters is None else design.clusters[rows]
    resamples = max(RESAMPLES, ceil(round(2 / (1 - design.level), 6)))
    how: dict[str, Any] = {"resamples": resamples, "seed": design.seed, "level": design.level}
    if metric.kind == "mean":
        return paired_difference(
            _columns(theirs, right)[0],
            _columns(ours, left)[0],
            binary=metric.binary,
            samples=None if samples is None else (samples, samples),
            clusters=clusters,
            bounds=getattr(metric, "bounds", None),
            **how,
        )
    how["clusters"] = samples if clusters is None else clusters  # repeats of a sample are drawn together
    if metric.kind == "totals":
        before, after = (np.stack(_columns(*side), axis=1) for side in ((theirs, right), (ours, left)))
        return paired_totals(before, after, value_many(metric, len(rows)), **how)
    return paired_rows(table_of(theirs, right), table_of(ours, left), metric, **how)


def _columns(tally: Tally, chosen: Any) -> list[Any]:
    return [np.frombuffer(column, dtype=np.float64)[chosen] for column in tally.columns]


def shown(found: Estimate | None) -> dict[str, Any]:
    """Return an estimate as plain JSON."""
    if found is None:
        return {"value": None, "low": None, "high": None, "n": 0, "method": ""}
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n, "method": found.method}
