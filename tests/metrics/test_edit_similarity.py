"""Edit similarity equals rapidfuzz's, and the textbook's table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.metrics._sequences import edit_distance, lcs_length
from llmkit.metrics.edit_similarity import EditSimilarity
from llmkit.types import Output, Sample, Skipped

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "overlap.json").read_text(encoding="utf-8"))
texts = st.text(alphabet="abc ", max_size=40)


def number(metric: EditSimilarity, output: str, *references: str) -> float:
    value = metric.score(Sample("s", references=references), Output("s", output))
    assert not isinstance(value, Skipped)
    return value


def table_distance(left: str, right: str) -> int:
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def table_lcs(left: str, right: str) -> int:
    row = [0] * (len(right) + 1)
    for a in left:
        diagonal = 0
        for j, b in enumerate(right, 1):
            diagonal, row[j] = row[j], diagonal + 1 if a == b else max(row[j], row[j - 1])
    return row[-1]


@pytest.mark.parametrize("by", ["chars", "words"])
@pytest.mark.parametrize("place", range(len(GOLDEN["pairs"])))
def test_golden(place: int, by: Literal["chars", "words"]) -> None:
    reference, output = GOLDEN["pairs"][place]
    expected = GOLDEN[f"edit similarity, {by}"][place]
    assert number(EditSimilarity(by), output, reference) == pytest.approx(expected, abs=1e-12)


@given(texts, texts)
def test_bits_equal_the_table(left: str, right: str) -> None:
    assert edit_distance(left, right) == table_distance(left, right)
    assert lcs_length(left, right) == table_lcs(left, right)


@given(texts, texts, texts)
def test_distance_is_a_metric(a: str, b: str, c: str) -> None:
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


@given(st.sampled_from(["chars", "words"]), texts, st.lists(texts, min_size=1, max_size=3), texts)
def test_laws(by: Literal["chars", "words"], output: str, references: list[str], another: str) -> None:
    best = number(EditSimilarity(by), output, *references)
    assert 0.0 <= best <= 1.0
    assert number(EditSimilarity(by), output, *references, another) >= best
    assert number(EditSimilarity(by, "mean"), output, *references) <= best + 1e-12
    assert number(EditSimilarity(by), output, output) == 1.0
    assert number(EditSimilarity(by, "first"), output, *references) == number(EditSimilarity(by), output, references[0])


def test_long_texts() -> None:
    left, right = "abcdefghij" * 300, "abcdefghiX" * 300
    assert edit_distance(left, right) == 300
    assert lcs_length(left, right) == 2700


def test_empty_texts() -> None:
    assert number(EditSimilarity(), "", "") == 1.0
    assert number(EditSimilarity(), "", "a") == 0.0
    assert EditSimilarity().score(Sample("s"), Output("s", "a")) == Skipped("no reference")


def test_words_are_split_at_white_space() -> None:
    assert number(EditSimilarity("words"), "one  two\nthree", "one two four") == pytest.approx(2 / 3)
