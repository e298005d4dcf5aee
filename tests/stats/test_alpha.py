from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import alpha_agreement, krippendorff_alpha
from llmkit.stats.alpha import Measurement
from llmkit.stats.matrix import alike, matches, rating_codes

near = pytest.approx
GOLDEN = json.loads((Path(__file__).resolve().parents[1] / "golden" / "agreement.json").read_text("utf-8"))
MEASUREMENTS: tuple[Measurement, ...] = ("nominal", "ordinal", "interval")

tables = (
    st.integers(2, 4)
    .flatmap(
        lambda raters: st.lists(
            st.lists(st.one_of(st.none(), st.integers(1, 4)), min_size=raters, max_size=raters), min_size=1, max_size=12
        )
    )
    .filter(lambda table: any(cell is not None for row in table for cell in row))
)


@pytest.mark.parametrize("row", GOLDEN["alpha"], ids=lambda row: f"{len(row['ratings'])} items")
def test_alpha_is_krippendorffs_program(row: dict[str, Any]) -> None:
    for measurement in MEASUREMENTS:
        found = krippendorff_alpha(row["ratings"], measurement=measurement)
        assert found == near(row[measurement], abs=1e-9)
        numbers = np.array([[np.nan if cell is None else cell for cell in line] for line in row["ratings"]])
        assert krippendorff_alpha(numbers, measurement=measurement) == found
        estimate = alpha_agreement(row["ratings"], measurement=measurement, resamples=200).estimate
        assert estimate is not None
        assert estimate.value == near(found)


@given(tables, st.randoms())
def test_the_order_of_raters_and_items_does_not_matter(table: list[list[int | None]], random: Any) -> None:
    shuffled = [random.sample(row, len(row)) for row in random.sample(table, len(table))]
    for measurement in MEASUREMENTS:
        found = krippendorff_alpha(table, measurement=measurement)
        assert krippendorff_alpha(shuffled, measurement=measurement) == (
            None if found is None else near(found, abs=1e-9)
        )
        assert found is None or found <= 1


@given(tables)
def test_an_item_with_one_rating_does_not_count(table: list[list[int | None]]) -> None:
    lonely = [[4] + [None] * (len(table[0]) - 1)] * 3
    for measurement in MEASUREMENTS:
        found = krippendorff_alpha(table, measurement=measurement)
        assert krippendorff_alpha(table + lonely, measurement=measurement) == (None if found is None else near(found))


def test_perfect_agreement_is_one_and_no_variation_is_undefined() -> None:
    assert krippendorff_alpha([["a", "a", None], ["b", "b", "b"]]) == 1
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None
    assert alpha_agreement([["a", "a"], ["a", "a"]]).reason == "all ratings are the same"
    assert alpha_agreement([["a", None], [None, "b"]]).reason == "no item has two ratings"


def test_text_on_a_scale_is_ranked() -> None:
    names = ["bad", "fair", "good"]
    numbers: list[list[int | None]] = [[1, 2, 3], [1, 1, None], [3, 3, 2], [2, 2, 2]]
    text = [[None if cell is None else names[cell - 1] for cell in row] for row in numbers]
    assert krippendorff_alpha(text, measurement="ordinal", scale=names) == near(
        krippendorff_alpha(numbers, measurement="ordinal")
    )
    with pytest.raises(ValueError, match="give their scale"):
        krippendorff_alpha(text, measurement="ordinal")


def test_items_of_one_cluster_are_drawn_together() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (60, 1))
    table = np.where(rng.random((60, 3)) < 0.7, truth, rng.integers(0, 3, (60, 3))).astype(float)
    alone = alpha_agreement(table).estimate
    clustered = alpha_agreement(np.repeat(table, 5, axis=0), clusters=np.repeat(np.arange(60), 5)).estimate
    for estimate in (alone, clustered):
        assert estimate is not None
        assert estimate.low is not None
        assert estimate.high is not None
        assert 0.1 < estimate.high - estimate.low < 0.35
    with pytest.raises(ValueError, match="60 items and 2 cluster codes"):
        alpha_agreement(table, clusters=[1, 2])


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ([], "there are no ratings"),
        ([[None, None]], "every rating is missing"),
        ([[1, 2], [1]], "of one length, not 1, 2"),
        ([1, 2], "object of type 'int' has no len"),
        ([[1, "a"]], "mixes text and numbers"),
        ([[1, 2], [3, {}]], "item 2, rater 2: {} is neither text nor a finite number"),
        ([[1, float("inf")]], "item 1, rater 2: inf is neither text nor a finite number"),
        (np.ones(3), "not shape"),
    ],
)
def test_tables_that_cannot_be_read_are_refused_with_a_sentence(table: Any, sentence: str) -> None:
    with pytest.raises((ValueError, TypeError), match=sentence):
        krippendorff_alpha(table)


def test_rows_alike_are_one_kind_however_wide() -> None:
    rng = np.random.default_rng(1)
    narrow = rng.integers(-1, 3, (200, 2))
    wide = np.repeat(narrow, 40, axis=1)
    for rows in (narrow, wide):
        kinds, first = alike(rows)
        assert (first[kinds] == rows).all()
        assert len(first) == len(np.unique(rows, axis=0))


def test_matching_pairs_are_counted_in_each_row() -> None:
    codes, _ = rating_codes([[1, 1, 1], [1, 2, None], [2, 2, 1]])
    assert matches(codes).tolist() == [6, 0, 2]
