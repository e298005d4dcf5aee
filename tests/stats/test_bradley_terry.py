from __future__ import annotations

import json
from math import log, sqrt
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit.stats import BradleyTerry, bradley_terry_ratings, wilson

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden" / "corrected.json").read_text(encoding="utf-8")
)
POINTS = 400 / log(10)
near = pytest.approx
Games: TypeAlias = tuple[Any, Any, Any]


def values(found: BradleyTerry) -> list[float]:
    return [one.value for one in found.ratings if one is not None]


def widths(found: BradleyTerry) -> list[float]:
    return [one.high - one.low for one in found.ratings if one and one.low is not None and one.high is not None]


def tournament(seed: int, players: int = 5, games: int = 200, ties: float = 0.2) -> Games:
    """Return games of a field in which everyone beat everyone at least half a time."""
    rng = np.random.default_rng(seed)
    strength = rng.normal(size=players) * 0.5
    first = rng.integers(0, players, games)
    second = (first + rng.integers(1, players, games)) % players
    chance = 1 / (1 + np.exp(strength[second] - strength[first]))
    scores = np.where(rng.random(games) < ties, 0.5, rng.random(games) < chance)
    ring = np.arange(players)
    return (
        np.concatenate([first, ring]),
        np.concatenate([second, (ring + 1) % players]),
        np.concatenate([scores, np.full(players, 0.5)]),
    )


@pytest.mark.parametrize("case", GOLDEN["tournaments"])
def test_ratings_are_choixs(case: dict[str, Any]) -> None:
    first, second, scores = np.array(case["games"]).T
    found = bradley_terry_ratings(first.astype(int), second.astype(int), scores, case["players"])
    assert found.prior == 0
    assert [(value - 1000) / POINTS for value in values(found)] == near(case["ratings"], abs=1e-6)


def test_ratings_are_those_of_a_logistic_regression() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    first, second, scores = tournament(1)
    design = np.zeros((len(scores), 5))
    design[np.arange(len(scores)), first] = 1
    design[np.arange(len(scores)), second] = -1
    model = linear.LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, max_iter=10_000, solver="newton-cg")
    labels = np.repeat([1, 0], len(scores))
    model.fit(np.tile(design, (2, 1)), labels, sample_weight=np.concatenate([scores, 1 - scores]))
    wanted = model.coef_[0] - model.coef_[0].mean()
    assert [(value - 1000) / POINTS for value in values(bradley_terry_ratings(first, second, scores, 5))] == near(
        wanted, abs=1e-6
    )


def test_two_players_have_the_odds_between_them() -> None:
    """The rating difference is the log odds, and its robust error that of a log odds."""
    found = bradley_terry_ratings(np.zeros(40, int), np.ones(40, int), np.repeat([1.0, 0.0], [30, 10]), 2)
    low, high = values(found)[1], values(found)[0]
    assert (high - low) / POINTS == near(log(3))
    error = sqrt(1 / (40 * 0.75 * 0.25)) / 2 * sqrt(40 / 39)
    assert widths(found)[0] / 2 / POINTS == near(error * 2.0226909, rel=1e-6)
    assert found.ratings[0] is not None
    assert found.ratings[0].n == 40


seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=30)
@given(seeds)
def test_swapping_sides_changes_nothing(seed: int) -> None:
    first, second, scores = tournament(seed)
    plain, swapped = (
        bradley_terry_ratings(first, second, scores, 5),
        bradley_terry_ratings(second, first, 1 - scores, 5),
    )
    assert values(swapped) == near(values(plain), abs=1e-6)
    assert widths(swapped) == near(widths(plain), rel=1e-6)


@settings(max_examples=30)
@given(seeds, st.permutations(range(5)))
def test_renaming_players_renames_their_ratings(seed: int, names: list[int]) -> None:
    first, second, scores = tournament(seed)
    plain = bradley_terry_ratings(first, second, scores, 5)
    found = bradley_terry_ratings(np.array(names)[first], np.array(names)[second], scores, 5)
    assert [values(found)[name] for name in names] == near(values(plain), abs=1e-6)


@settings(max_examples=30)
@given(seeds)
def test_turning_every_result_round_turns_ratings_round(seed: int) -> None:
    first, second, scores = tournament(seed)
    plain, turned = bradley_terry_ratings(first, second, scores, 5), bradley_terry_ratings(first, second, 1 - scores, 5)
    assert values(turned) == near([2000 - value for value in values(plain)], abs=1e-6)


@settings(max_examples=30)
@given(seeds)
def test_games_played_thrice_change_no_rating_and_narrow_only_if_independent(seed: int) -> None:
    first, second, scores = tournament(seed)
    plain = bradley_terry_ratings(first, second, scores, 5, clusters=np.arange(len(scores)))
    thrice = (np.tile(first, 3), np.tile(second, 3), np.tile(scores, 3))
    copies = bradley_terry_ratings(*thrice, 5, clusters=np.tile(np.arange(len(scores)), 3))
    assert values(copies) == near(values(plain), abs=1e-6)
    assert widths(copies) == near(widths(plain), rel=1e-6)
    assert widths(bradley_terry_ratings(*thrice, 5)) == near([width / sqrt(3) for width in widths(plain)], rel=0.02)


def test_the_mean_is_1000_and_expected_points_are_the_points_won() -> None:
    first, second, scores = tournament(3)
    found = values(bradley_terry_ratings(first, second, scores, 5))
    assert sum(found) == near(5000)
    ratings = np.array(found) / POINTS
    chance = 1 / (1 + np.exp(ratings[second] - ratings[first]))
    for player in range(5):
        won = scores[first == player].sum() + (1 - scores[second == player]).sum()
        expected = chance[first == player].sum() + (1 - chance[second == player]).sum()
        assert won == near(expected)


def test_who_won_every_game_has_no_upper_bound_and_is_said() -> None:
    first, second = np.array([0, 0, 1, 2, 1, 2]), np.array([1, 2, 2, 1, 2, 1])
    found = bradley_terry_ratings(first, second, np.array([1, 1, 1, 1, 0, 0.5]), 3)
    assert found.unbounded == (0, 1, 2)
    assert found.prior == 1
    assert values(found)[0] > max(values(found)[1:]) + 50
    assert all(one is not None and one.low is None for one in found.ratings)
    assert "drawn in by 1 tied games each" in found.notes[0]


def test_groups_that_never_met_are_said_and_each_has_mean_1000() -> None:
    first, second = np.array([0, 1, 2, 3, 0, 2]), np.array([1, 0, 3, 2, 1, 3])
    found = bradley_terry_ratings(first, second, np.array([1, 1, 1, 1, 0, 1]), 6)
    assert found.groups[:4] == (0, 0, 1, 1)
    assert len(set(found.groups)) == 4
    assert found.ratings[4:] == (None, None)
    ratings = values(found)
    assert ratings[0] + ratings[1] == near(2000)
    assert ratings[2] + ratings[3] == near(2000)
    assert ratings[2] - ratings[3] == near(POINTS * log(2))
    assert found.notes == ("the games fall into 2 groups that never met; ratings compare within a group only",)
    assert found.unbounded == ()


def test_one_game_has_no_interval() -> None:
    found = bradley_terry_ratings(np.array([0]), np.array([1]), np.array([0.5]), 2)
    assert values(found) == near([1000, 1000])
    assert widths(found) == []


def test_what_are_no_games_is_refused() -> None:
    with pytest.raises(ValueError, match="no games"):
        bradley_terry_ratings(np.array([], int), np.array([], int), np.array([]), 2)
    with pytest.raises(ValueError, match="1 games and 2 cluster codes"):
        bradley_terry_ratings(np.array([0]), np.array([1]), np.array([1]), 2, clusters=np.array([1, 2]))
    with pytest.raises(ValueError, match="prior is a number of games above 0"):
        bradley_terry_ratings(np.array([0]), np.array([1]), np.array([1]), 2, prior=0)


def test_intervals_cover_the_truth_and_clusters_matter() -> None:
    """Prompts on which everyone favours one side: games on one prompt are not independent."""
    rng = np.random.default_rng(9)
    strength = np.array([-0.6, -0.2, 0.3, 0.5])
    plain = clustered = 0
    for _ in range(400):
        first = rng.integers(0, 4, 300)
        second = (first + rng.integers(1, 4, 300)) % 4
        chance = 1 / (1 + np.exp(strength[second] - strength[first]))
        scores = (rng.random(300) < chance).astype(float)
        for codes in (None, np.arange(300) // 3):
            one = bradley_terry_ratings(first, second, scores, 4, clusters=codes).ratings[0]
            assert one is not None
            assert one.low is not None
            assert one.high is not None
            held = one.low <= 1000 + POINTS * -0.6 <= one.high
            plain += held and codes is None
            clustered += held and codes is not None
    low, high = wilson(380, 400, 0.99)
    assert low <= plain / 400 <= high
    assert low <= clustered / 400 <= high
