"""Estimates as plain JSON."""

from __future__ import annotations

from typing import Any

from llmkit.stats import Statistic
from llmkit.types import Estimate


def plain(found: Statistic | Estimate | None, **more: Any) -> dict[str, Any]:
    """Return a statistic as JSON holds it; one that is undefined has its reason."""
    statistic = found if isinstance(found, Statistic) else Statistic(found)
    estimate = statistic.estimate
    entry: dict[str, Any] = {"value": None, "low": None, "high": None, "n": 0, "method": ""}
    if estimate is not None:
        entry |= {
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "n": estimate.n,
            "method": estimate.method,
        }
    if statistic.reason:
        entry["reason"] = statistic.reason
    if statistic.p is not None:
        entry["p"] = statistic.p
    if statistic.groups or statistic.skipped:
        entry |= {"groups": statistic.groups, "skipped": statistic.skipped}
    return {**entry, **more}
