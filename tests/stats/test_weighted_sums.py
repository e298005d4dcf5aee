from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import weighted_sums
from llmkit.stats.weighted_sums import WeightedSums, add_up


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([1, 300, 10**6, 10**9]))
def test_whole_numbers_are_added_up_exactly(seed: int, rows: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(-size, size + 1, (rows, 5)).astype(np.float64)
    weights = rng.integers(0, 200, (7, rows), dtype=np.uint8)
    (found,) = add_up([WeightedSums(table)], weights)
    exact = [
        [sum(int(w) * int(x) for w, x in zip(line, column, strict=True)) for column in table.T] for line in weights
    ]
    assert found.tolist() == exact


def test_pieces_are_wide_where_32_bits_would_round() -> None:
    rows = np.full((3000, 1), 8191.0)
    weights = np.full((2, 3000), 255, dtype=np.uint8)
    assert WeightedSums(rows).piece(0, 1).dtype == np.float32
    assert WeightedSums(rows).piece(0, 2).dtype == np.float64
    (found,) = add_up([WeightedSums(rows)], weights)
    assert found.tolist() == [[3000 * 8191 * 255]] * 2


def test_fractions_and_equal_columns_are_added_up_as_they_are() -> None:
    rng = np.random.default_rng(0)
    table = rng.random((5000, 3))[:, [0, 1, 0, 2, 1]]
    weights = rng.integers(0, 2, (40, 5000), dtype=bool)
    summed = WeightedSums(table)
    (found,) = add_up([summed], weights)
    assert summed.width == 3
    assert summed.piece(0, 1).dtype == np.float64
    assert found == pytest.approx(weights @ table, rel=1e-12)


def test_a_table_gets_beside_others_what_it_gets_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighted_sums, "_ROWS", 100)
    rng = np.random.default_rng(1)
    tables = [WeightedSums(rng.random((777, k))) for k in (2, 9)] + [
        WeightedSums(rng.integers(0, 9, (777, 4)).astype(np.float64))
    ]
    weights = rng.integers(0, 5, (33, 777), dtype=np.uint8)
    together = add_up(tables, weights)
    for table, found in zip(tables, together, strict=True):
        assert np.array_equal(add_up([table], weights)[0], found)
