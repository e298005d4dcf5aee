"""What the report says of numbers that are not there, and how it rounds those that are."""

from __future__ import annotations

from typing import Any

import pytest

from llmkit.report._words import percent, spent, trouble
from llmkit.report.markdown import markdown_report
from llmkit.types import Run


def summary(coverage: float = 1.0, floor: float = 0.98, **entry: Any) -> dict[str, Any]:
    whole = {"value": 0.5, "n": 10, "skipped": 0, "errors": 0, "coverage": 1.0, "reasons": {}, "faults": {}, **entry}
    return {
        "name": "x",
        "rows": 10,
        "repeats": 1,
        "outputs": {"ok": 10, "error": 0, "errors": {}},
        "scores": {"f1": whole},
        "slices": {},
        "gate": {"coverage": {"value": coverage, "min": floor, "pass": coverage >= floor}},
    }


def test_what_was_skipped_and_what_failed_are_told_apart() -> None:
    reasons = {"f1 failed: KeyError: 1": 90, "no gold label": 8, "f1 is not for this": 2, "no output: timeout": 3}
    found = trouble(summary(skipped=10, errors=93, reasons=reasons, faults={"f1 failed: KeyError: 1": 90}))
    assert found == [
        "f1 did not apply to 10 outputs: no gold label (8), f1 is not for this (2)",
        "90 outputs not scored: f1 failed: KeyError: 1",
    ]


def test_many_kinds_of_failure_take_few_lines_and_lose_no_count() -> None:
    faults = {f"f1 failed: KeyError: {i}": 20 - i for i in range(12)}
    found = trouble(summary(errors=sum(faults.values()), reasons=faults, faults=faults))
    assert len(found) == 4
    assert found[-1] == f"{sum(faults.values()) - 57} outputs not scored for further reasons: see f1 in scores.jsonl"


def test_a_number_that_is_not_there_is_explained() -> None:
    assert trouble(summary(value=None)) == ["f1 has no value: its formula is undefined for these 10 outputs"]
    assert trouble(summary(value=None, details={"no_value": "one class only"})) == ["f1 has no value: one class only"]
    assert trouble(summary(value=None, n=0)) == []


@pytest.mark.parametrize(
    ("share", "text"),
    [(1, "100%"), (0.99999, "99.9%"), (0.98, "98.0%"), (0.9796, "97.9%"), (0.29, "29.0%"), (0, "0.0%")],
)
def test_a_share_never_rounds_up(share: float, text: str) -> None:
    assert percent(share) == text


def test_coverage_below_the_floor_looks_so() -> None:
    assert trouble(summary(0.9796)) == ["coverage 97.9% is below the floor of 98.0%"]
    assert trouble(summary(0.99949, floor=0.9995)) == ["coverage 99.9% is below the floor of 99.95%"]


@pytest.mark.parametrize(("cost", "text"), [(0.0000213, "$0.0000213"), (0.4567, "$0.457"), (1234.567, "$1,234.57")])
def test_a_cost_is_never_shown_as_nothing(cost: float, text: str) -> None:
    assert text in spent({"usage": {"sent": 1, "cost": cost}}).split(" · ")


@pytest.mark.parametrize(
    ("level", "text"), [(0.95, "95% interval"), (0.975, "97.5% interval"), (0.999, "99.9% interval")]
)
def test_the_level_is_shown_as_it_is(level: float, text: str) -> None:
    manifest = {
        "usage": {},
        "level": level,
        "dataset": {"source": "rows", "fingerprint": "0" * 32, "skipped_rows": 0},
        "llmkit": "1",
        "started": "now",
    }
    found = summary(low=None, high=None, signature="s")
    assert f"| {text} |" in markdown_report(Run("run", manifest, found))
