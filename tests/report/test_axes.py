"""Which differences share an axis on the page: those of scores between 0 and 1, and never seconds or dollars."""

from __future__ import annotations

from typing import Any

from llmkit.report._comparison import comparison_section


def one(value: float, unit: str) -> dict[str, Any]:
    """Return a comparison of two runs whose values and differences are small numbers."""
    side = {"value": value, "low": None, "high": None}
    return {"base": side, "candidate": side, "difference": {**side, "method": "t"}, "unit": unit, "verdict": "pass"}


def test_seconds_have_an_axis_of_their_own_even_where_they_are_below_1() -> None:
    summary = {"scores": {"em": {"unit": ""}, "latency": {"unit": "s"}}}
    alone = comparison_section({"metrics": {"em": one(0.1, "")}}, summary)
    both = comparison_section({"metrics": {"em": one(0.1, ""), "latency": one(0.9, "s")}}, summary)
    assert alone is not None
    assert both is not None
    assert both["scale"] == alone["scale"]
    assert both["rows"][0]["strip"] == alone["rows"][0]["strip"]
    wide = comparison_section({"metrics": {"em": one(0.1, ""), "f1": one(0.9, "")}}, summary)
    assert wide is not None
    assert wide["scale"] != alone["scale"]
