from __future__ import annotations

from math import nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import mean_estimate, mean_win_rates, pairwise_win_rates, wilson, win_rate

near = pytest.approx
preferences = st.lists(st.integers(0, 20).map(lambda x: x / 20), min_size=2, max_size=40)
games = st.integers(2, 6).flatmap(
    lambda players: st.tuples(
        st.just(players),
        st.lists(
            st.tuples(st.integers(0, players - 1), st.integers(1, players - 1), st.sampled_from([0.0, 0.5, 1.0])),
            min_size=1,
            max_size=40,
        ),
    )
)


def test_a_win_rate_counts_ties_half() -> None:
    found = win_rate(np.array([1, 1, 0.5, 0.2]))
    assert found.win_rate.value == near(0.675)
    assert found.discrete_win_rate == near((2 + 0.5) / 4)
    assert (found.wins, found.losses, found.ties) == (2, 1, 1)
    assert found.standard_error == near(np.std([1, 1, 0.5, 0.2], ddof=1) / 2)


@given(preferences)
def test_the_win_rate_of_swapped_sides_is_one_less_it(values: list[float]) -> None:
    one, other = win_rate(np.array(values)), win_rate(1 - np.array(values))
    assert one.win_rate.value == near(1 - other.win_rate.value)
    assert one.discrete_win_rate == near(1 - other.discrete_win_rate)
    assert one.standard_error == near(other.standard_error, abs=1e-12)
    if one.win_rate.low is not None and other.win_rate.high is not None:
        assert one.win_rate.low == near(1 - other.win_rate.high, abs=1e-9)


def test_decided_games_have_wilsons_interval_and_clusters_the_robust_one() -> None:
    decided = win_rate(np.array([1.0, 1, 0, 1, 1]))
    assert (decided.win_rate.low, decided.win_rate.high) == wilson(4, 5)
    values, clusters = np.array([1.0, 1, 0, 0, 0.5, 1]), np.array([1, 1, 2, 2, 3, 3])
    wanted = mean_estimate(values, binary=False, clusters=clusters, bounds=(0, 1))
    assert win_rate(values, clusters=clusters).win_rate == wanted


def test_one_preference_has_no_error() -> None:
    found = win_rate(np.array([0.5]))
    assert (found.standard_error, found.win_rate.low, found.ties) == (None, None, 1)


@pytest.mark.parametrize("values", [[], [nan], [1.5], [-0.1]])
def test_what_is_no_preference_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"at least one preference|outside 0 to 1"):
        win_rate(np.array(values))


def test_the_mean_win_rate_is_helms() -> None:
    table = np.array([[0.9, 10.0, nan], [0.5, 10.0, 1.0], [0.5, 30.0, nan]])
    assert mean_win_rates(table) == [near((1 + 0.25) / 2), near((0.25 + 0.25) / 2), near((0.25 + 1) / 2)]
    assert mean_win_rates(table, np.array([True, False, True])) == [
        near((1 + 0.75) / 2),
        near((0.25 + 0.75) / 2),
        near((0.25 + 0) / 2),
    ]
    assert mean_win_rates(np.array([[1.0], [nan]])) == [None, None]


@given(st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=2), min_size=2, max_size=8))
def test_mean_win_rates_are_what_counting_gives(rows: list[list[int]]) -> None:
    table = np.array(rows, dtype=float)
    found = mean_win_rates(table)
    assert sum(one for one in found if one is not None) == near(len(rows) / 2)
    for i, mine in enumerate(rows):
        shares = [
            sum((mine[c] > other[c]) + (mine[c] == other[c]) / 2 for j, other in enumerate(rows) if j != i)
            / (len(rows) - 1)
            for c in range(2)
        ]
        assert found[i] == near(sum(shares) / 2)


@given(games)
def test_pairs_share_out_their_games(drawn: tuple[int, list[tuple[int, int, float]]]) -> None:
    players, played = drawn
    first = np.array([a for a, _, _ in played])
    second = np.array([(a + step) % players for a, step, _ in played])
    scores = np.array([score for _, _, score in played])
    rates, counts = pairwise_win_rates(first, second, scores, players)
    assert counts.sum() == 2 * len(played)
    met = counts > 0
    assert np.isnan(rates[~met]).all()
    assert rates[met] + rates.T[met] == near(1)
    total = sum(
        score if a == first[0] else 1 - score
        for a, b, score in zip(first, second, scores, strict=True)
        if {a, b} == {first[0], second[0]}
    )
    assert rates[first[0], second[0]] * counts[first[0], second[0]] == near(total)


def test_what_are_no_games_is_refused() -> None:
    one, two = np.array([0]), np.array([1])
    with pytest.raises(ValueError, match="there are no games"):
        pairwise_win_rates(np.array([], dtype=int), np.array([], dtype=int), np.array([]), 2)
    with pytest.raises(ValueError, match="1 first players, 2 second players and 1 scores"):
        pairwise_win_rates(one, np.array([1, 0]), np.array([1]), 2)
    with pytest.raises(ValueError, match=r"not among 0 \.\. 1; a score lies outside"):
        pairwise_win_rates(one, np.array([2]), np.array([nan]), 2)
    with pytest.raises(ValueError, match="on both sides"):
        pairwise_win_rates(one, one, np.array([1]), 2)
    with pytest.raises(ValueError, match="numbers from 0"):
        pairwise_win_rates(np.array(["a"]), two, np.array([1]), 2)


def test_the_error_is_that_of_the_mean() -> None:
    values = np.random.default_rng(0).random(50)
    assert win_rate(values).standard_error == near(float(values.std(ddof=1)) / sqrt(50))
