from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import ceiling, mode_error, rest_error

near = pytest.approx
Row = list[int | None]
rows = st.lists(st.one_of(st.none(), st.integers(1, 3)), min_size=3, max_size=3)
tables = st.lists(st.tuples(rows, rows), min_size=1, max_size=10)


def modes(row: list[Any]) -> list[Any]:
    counts = Counter(cell for cell in row if cell is not None)
    return [cell for cell, times in counts.items() if times == max(counts.values())]


@given(tables)
def test_bias_is_the_chance_that_two_random_modes_differ(table: list[tuple[Row, Row]]) -> None:
    if all(cell is None for pair in table for row in pair for cell in row):
        return
    found = mode_error([judge for judge, _ in table], [human for _, human in table])
    chances = [
        np.mean([one != two for one in modes(judge) for two in modes(human)])
        for judge, human in table
        if modes(judge) and modes(human)
    ]
    if not chances:
        assert found.reason == "no item has a verdict of both sides"
        return
    assert found.estimate is not None
    assert found.estimate.value == near(np.mean(chances))
    assert found.estimate.n == len(chances)


def test_variance_is_one_less_the_ceilings_accuracy_where_every_item_has_as_many() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (100, 1))
    table = np.where(rng.random((100, 4)) < 0.7, truth, rng.integers(0, 3, (100, 4)))
    found, human = rest_error(table).estimate, ceiling(table, statistics=["accuracy"]).human["accuracy"].estimate
    assert found is not None
    assert human is not None
    assert found.value == near(1 - human.value)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    steady = rest_error([[1, 1], [2, 2], [3, None]]).estimate
    assert steady is not None
    assert (steady.value, steady.n, steady.method) == (0, 2, "wilson")


def test_a_judge_that_is_always_wrong_has_bias_and_no_variance() -> None:
    judge, human = [["B", "B"]] * 9, [["A", "A", "B"]] * 9
    bias, variance = mode_error(judge, human).estimate, rest_error(judge).estimate
    assert bias is not None
    assert variance is not None
    assert (bias.value, variance.value) == (1, 0)
    assert rest_error([["A", None]]).reason == "no item has two verdicts"
    with pytest.raises(ValueError, match="1 items of the judge and 2 of people"):
        mode_error([[1]], [[1], [2]])
    with pytest.raises(ValueError, match="2 items and 1 cluster codes"):
        rest_error([[1, 1], [2, 1]], clusters=[1])
