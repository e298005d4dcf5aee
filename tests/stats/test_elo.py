from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import elo as elo_module
from llmkit.stats import elo_over_orders, elo_ratings

near = pytest.approx


def games(seed: int, players: int = 4, count: int = 60) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    first = rng.integers(0, players, count)
    return first, (first + rng.integers(1, players, count)) % players, rng.choice([0, 0.5, 1], count)


def plainly(played: list[tuple[int, int, float]], players: int, k: float) -> dict[int, float]:
    ratings = dict.fromkeys(range(players), 1000.0)
    for a, b, score in played:
        expected = 1 / (1 + 10 ** ((ratings[b] - ratings[a]) / 400))
        ratings[a], ratings[b] = ratings[a] + k * (score - expected), ratings[b] - k * (score - expected)
    return ratings


@given(st.integers(0, 2**32 - 1), st.sampled_from([4.0, 32.0]))
def test_online_elo_is_a_plain_loop(seed: int, k: float) -> None:
    first, second, scores = games(seed)
    found = elo_ratings(first, second, scores, 4, k=k)
    assert found == near(list(plainly(list(zip(first, second, scores, strict=True)), 4, k).values()))
    assert sum(found) == near(4000)


def test_a_win_between_equals_is_half_of_k() -> None:
    assert elo_ratings(np.array([0]), np.array([1]), np.array([1]), 3) == [1002, 998, 1000]
    assert elo_ratings(np.array([0]), np.array([1]), np.array([0.5]), 2) == [1000, 1000]


def test_random_orders_are_plain_loops_over_them() -> None:
    """Of two games there are two orders: the mean is between their ratings, and the range is from one to the other."""
    first, second, scores = np.array([0, 0]), np.array([1, 2]), np.array([1.0, 0.0])
    found = elo_over_orders(first, second, scores, 3, orders=2000, seed=1)
    one = plainly([(0, 1, 1.0), (0, 2, 0.0)], 3, 32)
    other = plainly([(0, 2, 0.0), (0, 1, 1.0)], 3, 32)
    for player, estimate in enumerate(found):
        ends = sorted([one[player], other[player]])
        assert (estimate.low, estimate.high) == near(ends)
        assert estimate.value == near(sum(ends) / 2, abs=0.1)
        assert (estimate.n, estimate.method) == (2, "elo over 2000 orders, k=32")


def test_the_mean_over_orders_is_that_of_plain_loops() -> None:
    first, second, scores = games(5)
    rng = np.random.default_rng(6)
    plain = []
    for _ in range(3000):
        order = rng.permutation(60)
        plain.append(list(plainly(list(zip(first[order], second[order], scores[order], strict=True)), 4, 32).values()))
    wanted, error = np.mean(plain, axis=0), np.std(plain, axis=0) / np.sqrt(3000)
    found = elo_over_orders(first, second, scores, 4)
    for player, estimate in enumerate(found):
        assert abs(estimate.value - wanted[player]) < 5 * error[player]
        assert estimate.low == near(np.percentile(plain, 2.5, axis=0)[player], abs=25 * error[player])


def test_one_game_has_one_order() -> None:
    found = elo_over_orders(np.array([0]), np.array([1]), np.array([1]), 2, orders=50)
    assert [(one.value, one.low, one.high) for one in found] == [(1016, 1016, 1016), (984, 984, 984)]


def test_orders_in_pieces_are_whole_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, scores = games(7)
    monkeypatch.setattr(elo_module, "_CHUNK", 60 * 7)
    found = elo_over_orders(first, second, scores, 4, orders=100)
    assert sum(one.value for one in found) == near(4000)
    assert found == elo_over_orders(first, second, scores, 4, orders=100)


def test_too_few_orders_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 40 orders, not 39"):
        elo_over_orders(np.array([0]), np.array([1]), np.array([1]), 2, orders=39)
    with pytest.raises(ValueError, match="no games"):
        elo_ratings(np.array([], int), np.array([], int), np.array([]), 2)
