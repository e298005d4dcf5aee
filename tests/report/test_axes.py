"""What stands beside a score on the page: its axis, the size of its effect, its spread."""

from __future__ import annotations

from typing import Any

from llmkit.report._comparison import comparison_section
from llmkit.report._sections import details


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


def test_the_size_of_an_effect_stands_beside_the_difference() -> None:
    effect = {"value": 0.512, "low": 0.3, "high": 0.7, "method": "cohen's d_z"}
    found = comparison_section(
        {"metrics": {"em": {**one(0.1, ""), "effect": effect}}}, {"scores": {"em": {"unit": ""}}}
    )
    assert found is not None
    assert found["rows"][0]["notes"] == ["cohen's d_z 0.51 (0.30 to 0.70)"]


def test_the_spread_over_repeats_and_samples_is_on_the_page() -> None:
    variance = {"within": 0.04, "between": 0.09, "repeats": 3, "reliability": 0.692}
    scores: dict[str, Any] = {"em": {"unit": "", "variance": variance}, "f1": {"unit": ""}}
    [found] = details({"scores": scores})
    assert found["name"] == "Repeats"
    assert found["tables"][0]["rows"] == [["em", "0.300", "0.200", "69.2%"]]
