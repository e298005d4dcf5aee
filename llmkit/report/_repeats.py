"""How much scores vary over repeats and over samples, as a table that every report can show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmkit.report._words import number, percent

NOTE = (
    "Standard deviations: of samples' own means, and of the repeats of one sample around its mean. The last column is "
    "the share of a single score's variance that is the sample's own: more repeats average out the rest."
)


def repeats_tables(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a table with ``title``, ``columns`` and ``rows``, one a scorer; none where nothing was repeated."""
    rows = []
    for name, entry in summary["scores"].items():
        variance = entry.get("variance")
        if variance:
            spreads = [number(variance[part] ** 0.5, entry) for part in ("between", "within")]
            share = variance["reliability"]
            rows.append([name, *spreads, "-" if share is None else percent(share)])
    columns = ["scorer", "spread between samples", "spread within a sample", "the samples' own"]
    return [{"title": "", "columns": columns, "rows": rows}] if rows else []
