"""Whatever the width of the terminal, no number is cut and no column is lost."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit.report.markdown import markdown_report
from llmkit.report.terminal import print_report
from llmkit.types import Run

NAMES = ["exact_match", "exact_match(normalise='squad')", "bleu", "token_f1", "chrf", "f1", "ter", "rouge(variant='L')"]
MANIFEST = {
    "usage": {},
    "dataset": {"source": "rows", "fingerprint": "0" * 32, "skipped_rows": 0},
    "llmkit": "1",
    "started": "now",
}


def entry(value: float, **more: Any) -> dict[str, Any]:
    return {
        "value": value,
        "low": value - 0.001,
        "high": value + 0.001,
        "n": 12345,
        "skipped": 0,
        "errors": 0,
        "coverage": 1.0,
        "reasons": {},
        "faults": {},
        "signature": "s",
        **more,
    }


def run(values: list[float], labels: int = 3) -> Run:
    scores = {name: entry(value) for name, value in zip(NAMES, values, strict=False)}
    part = {"rows": 7, "scores": {name: entry(value + 100, n=7) for name, value in zip(NAMES, values, strict=False)}}
    names = [f"label {i}" for i in range(labels)]
    counts = [[1000 * i + j for j in range(labels)] for i in range(labels)]
    classes = {name: {"precision": 0.5, "support": i} for i, name in enumerate(names)}
    first = next(iter(scores.values()))
    first["details"] = {
        "confusion": {"gold": names, "predicted": names, "matrix": counts},
        "per_class": classes,
    }
    slices = {"kind of question": {"values": {"a long value of it": part}, "left_out": 0}}
    return Run("run", MANIFEST, {"name": "x", "rows": 1, "repeats": 1, "scores": scores, "slices": slices} | OUTPUTS)


OUTPUTS = {"outputs": {"ok": 1, "error": 0, "errors": {}}}


def shown(found: Run, width: int) -> str:
    from rich.console import Console

    file = io.StringIO()
    print_report(found, Console(file=file, width=width))
    return file.getvalue()


@settings(max_examples=40, deadline=None)
@given(st.integers(36, 200), st.lists(st.floats(0, 99), min_size=1, max_size=len(NAMES)), st.integers(1, 12))
def test_every_number_is_whole_at_every_width(width: int, values: list[float], labels: int) -> None:
    text = shown(run(values, labels), width)
    assert all(len(line) <= width for line in text.splitlines())
    words = text.split()
    for value in values:
        assert (f"{value:.3f}" if value < 10 else f"{value:.2f}") in words
        assert f"{value + 100:.2f}" in words
    for row in range(labels):
        for column in range(labels):
            assert f"{1000 * row + column:,}" in words


def test_sixty_columns_hold_the_scores_in_one_table() -> None:
    [head] = [line for line in shown(run([0.5]), 60).splitlines() if line.startswith("scorer")]
    assert head.split() == ["scorer", "score", "interval", "n", "scored"]


@pytest.mark.parametrize(("labels", "matrix"), [(20, True), (21, False)])
def test_a_large_confusion_matrix_is_left_to_the_page(labels: int, matrix: bool) -> None:
    text = shown(run([0.5], labels), 120)
    assert (r"gold \ predicted" in text) == matrix
    assert ("exact_match: the confusion of 21 labels is in report.md" in text) != matrix


def test_the_page_shows_the_hundred_largest_classes() -> None:
    page = markdown_report(run([0.5], 120))
    table = page[page.index("| label | precision | support |") : page.index("gold \\ predicted")]
    assert "| label 20 |" in table
    assert "| label 19 |" not in table
    assert "20 labels with fewer rows are in summary.json." in page
