"""A difference that a judge sees, corrected by people's labels, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmkit.report._words import interval, number


def corrected_sentences(found: Mapping[str, Any]) -> list[str]:
    """Return what people's labels make of one scorer's difference: the number first, then what it rests on.

    Args:
        found: The scorer's entry in a comparison; nothing is returned where nobody labelled both runs' answers.
    """
    told = found.get("corrected")
    if not told:
        return []
    if "reason" in told:
        return [f"not corrected by people's labels: {told['reason']}"]
    beside = ", ".join(
        f"{name} {_signed(told[key], found)}"
        for key, name in (("judge_only", "the judge alone"), ("human_only", "people alone"))
    )
    saved = f"; the judge saves about {told['labels_saved']:,.0f} more" if told["labels_saved"] >= 1 else ""
    return [
        f"corrected by people's labels {_signed(told['corrected'], found)} ({beside})",
        f"{told['labels']:,} of {told['rows']:,} rows are labelled in both runs{saved}",
        *told["notes"],
    ]


def _signed(estimate: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    value = estimate["value"]
    if value is None:
        return "-"
    sign = "+" if value > 0 else "-" if value < 0 else ""
    ends = "" if estimate["low"] is None else f" {interval(estimate, found)}"
    return f"{sign}{number(abs(value), found)}{ends}"
