"""Votes: scikit-learn's hard vote, and the laws of counting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import VotingClassifier

from llmkit.stats.voting import Agreement, Count, count_votes

CANDIDATES = st.sampled_from(["a", "b", "c"])
VOTES = st.lists(st.one_of(st.none(), CANDIDATES), min_size=1, max_size=7)
WEIGHTS = st.lists(st.floats(0, 10), min_size=7, max_size=7)


class Column(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that predicts what stands in its column."""

    def __init__(self, place: int = 0) -> None:
        self.place = place

    def fit(self, rows: Any, labels: Any) -> Column:
        self.classes_ = np.unique(labels)
        return self

    def predict(self, rows: Any) -> Any:
        return rows[:, self.place]


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5, 1.25, 3.0]])
def test_a_vote_without_ties_is_sklearns(weights: Sequence[float] | None) -> None:
    votes = np.random.default_rng(5).integers(0, 4, size=(2000, 5))
    voters = [(f"v{place}", Column(place)) for place in range(5)]
    theirs = VotingClassifier(voters, voting="hard", weights=weights).fit(votes, votes.max(axis=1)).predict(votes)
    ours: list[Count[int]] = [count_votes(row.tolist(), weights) for row in votes]
    clear = [row for row, count in enumerate(ours) if len(count.tied) == 1]
    assert len(clear) > 1000
    assert [ours[row].winner for row in clear] == theirs[clear].tolist()
    assert all(theirs[row] in count.tied for row, count in enumerate(ours))  # of a tie it takes the least


def test_a_tie_goes_to_who_was_voted_for_first_and_abstaining_is_no_vote() -> None:
    assert count_votes([None, "b", "a"]) == Count("b", ("b", "a"), 0.5)
    assert count_votes(["a", "b", "b"], [3, 1, 2]).tied == ("a", "b")
    assert count_votes([None, None]) == Count(None, (), 0.0)
    assert count_votes(["a", "b", "b"], [1.0, 0.1, 0.2]).winner == "a"
    assert count_votes(["a", "b", "b"], [0.3, 0.1, 0.2]).tied == ("a", "b")  # 0.1 + 0.2 is not 0.3 in floats
    assert count_votes(["a", "b"], [0.0, 0.0]) == Count("a", ("a", "b"), 0.0)


@given(VOTES, WEIGHTS, st.randoms())
def test_the_order_of_voters_changes_nothing_but_who_wins_a_tie(
    votes: list[str | None], weights: list[float], random: Any
) -> None:
    pairs = list(zip(votes, weights, strict=False))
    first = count_votes(*map(list, zip(*pairs, strict=True)), draw="seed")
    plain = count_votes(*map(list, zip(*pairs, strict=True)))
    random.shuffle(pairs)
    again = count_votes(*map(list, zip(*pairs, strict=True)), draw="seed")
    assert first.winner == again.winner
    assert set(first.tied) == set(again.tied) == set(plain.tied)
    assert plain.winner in (first.tied or (None,))


@given(VOTES, WEIGHTS, st.sampled_from([0.125, 3.0, 1e6]))
def test_weights_that_are_scaled_are_the_same_weights(
    votes: list[str | None], weights: list[float], scale: float
) -> None:
    power = weights[: len(votes)]
    one, other = count_votes(votes, power), count_votes(votes, [weight * scale for weight in power])
    assert (one.winner, one.tied) == (other.winner, other.tied)
    assert one.share == pytest.approx(other.share)


@given(CANDIDATES, st.lists(st.booleans(), min_size=1, max_size=6), WEIGHTS)
def test_a_unanimous_vote_and_a_single_voter_win(candidate: str, speaks: list[bool], weights: list[float]) -> None:
    votes = [candidate if says else None for says in speaks]
    expected = candidate if any(speaks) else None
    assert count_votes(votes).winner == expected
    assert count_votes(votes, weights[: len(votes)]).winner == expected
    assert count_votes([candidate]).winner == candidate


def test_a_draw_is_seeded_and_falls_on_every_tied_candidate() -> None:
    drawn = [count_votes(["a", "b"], draw=f"{seed}").winner for seed in range(200)]
    assert drawn == [count_votes(["b", "a"], draw=f"{seed}").winner for seed in range(200)]
    assert 60 < drawn.count("a") < 140


def test_agreement_counts_rows_on_which_two_voted() -> None:
    agreement = Agreement.among(["x", "y", "z"])
    agreement.add({"x": "a", "y": "a", "z": "b"})
    agreement.add({"x": "a", "y": "a", "z": None})
    agreement.add({"x": "a", "y": None})
    assert (agreement.rows, agreement.unanimous) == (2, 1)
    assert agreement.shares() == {("x", "y"): 1.0, ("x", "z"): 0.0, ("y", "z"): 0.0}
    assert Agreement.among(["x", "y"]).shares() == {("x", "y"): None}
