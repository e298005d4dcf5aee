"""Laws of fusion, recency and diversity."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.retrieval.boost import days, decay, recency_boost
from llmkit.retrieval.diversity import maximal_marginal_relevance, word_similarity
from llmkit.retrieval.fuse import Ranked, in_order, min_max, reciprocal_rank_fusion, weighted_fusion

Ranking = list[tuple[int, float]]


@st.composite
def rankings(draw: st.DrawFn, least: int = 0) -> Ranking:
    numbers = draw(st.lists(st.integers(0, 20), unique=True, min_size=least, max_size=12))
    scores = draw(st.lists(st.floats(-50, 50), min_size=len(numbers), max_size=len(numbers)))
    return list(zip(numbers, sorted(scores, reverse=True), strict=True))


def test_reciprocal_ranks_by_hand() -> None:
    fused = reciprocal_rank_fusion([[(1, 9.0), (2, 8.0)], [(2, 0.7), (3, 0.1)]])
    assert fused == [(2, 1 / 62 + 1 / 61), (1, 1 / 61), (3, 1 / 62)]


def test_equal_scores_stand_by_number() -> None:
    assert [number for number, _ in reciprocal_rank_fusion([[(9, 1.0)], [(4, 1.0)]])] == [4, 9]


@given(st.lists(rankings(), min_size=1, max_size=3), st.data())
def test_a_better_place_is_never_worse(lists: list[Ranking], data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(lists) - 1))
    if len(lists[which]) < 2:
        return
    place = data.draw(st.integers(1, len(lists[which]) - 1))
    number = lists[which][place][0]
    better = [list(one) for one in lists]
    (n1, s1), (n2, s2) = better[which][place - 1], better[which][place]
    better[which][place - 1 : place + 1] = [(n2, s1), (n1, s2)]
    for fuse in (reciprocal_rank_fusion, weighted_fusion):
        assert dict(fuse(better))[number] >= dict(fuse(lists))[number] - 1e-12


@given(st.lists(rankings(), min_size=2, max_size=3))
def test_to_be_found_by_one_more_list_is_never_worse(lists: list[Ranking]) -> None:
    # A chunk that is last in a list must beat the same chunk left out of it.
    for at, ranking in enumerate(lists):
        if len(ranking) < 3:
            continue
        number = ranking[-1][0]
        without = [*lists[:at], ranking[:-1], *lists[at + 1 :]]
        for fuse in (reciprocal_rank_fusion, weighted_fusion):
            assert dict(fuse(lists))[number] > dict(fuse(without)).get(number, 0.0)


@given(rankings())
def test_one_list_keeps_its_order_by_rank(ranking: Ranking) -> None:
    assert [number for number, _ in reciprocal_rank_fusion([ranking, []])] == [number for number, _ in ranking]


@given(st.lists(rankings(), max_size=3), st.permutations([0, 1, 2]))
def test_the_order_of_lists_does_not_matter(lists: list[Ranking], order: list[int]) -> None:
    shuffled = [lists[at] for at in order if at < len(lists)]
    for fuse in (reciprocal_rank_fusion, weighted_fusion):
        one, other = dict(fuse(lists)), dict(fuse(shuffled))
        assert one.keys() == other.keys()
        assert all(abs(one[number] - other[number]) < 1e-12 for number in one)


@given(rankings(least=1), st.floats(0.1, 100), st.floats(-50, 50))
def test_min_max_forgets_scale_and_origin(ranking: Ranking, scale: float, origin: float) -> None:
    scores = [score for _, score in ranking]
    if max(scores) - min(scores) < 1e-3:
        return
    moved: Ranked = [(number, score * scale + origin) for number, score in ranking]
    one, other = min_max(ranking), min_max(moved)
    assert all(abs(one[number] - other[number]) < 1e-6 for number in one)
    assert max(one.values()) == 1
    assert min(one.values()) > 0


def test_weights_decide() -> None:
    lists = [[(1, 3.0), (2, 1.0)], [(2, 3.0), (1, 1.0)]]
    for fuse in (reciprocal_rank_fusion, weighted_fusion):
        assert fuse(lists, weights=[2, 1])[0][0] == 1
        assert fuse(lists, weights=[1, 2])[0][0] == 2
        with pytest.raises(ValueError, match="weights"):
            fuse(lists, weights=[1])
    assert weighted_fusion(lists, weights=[0, 0]) == []


@pytest.mark.parametrize(("text", "number"), [("180d", 180), ("2w", 14), ("1.5y", 547.875), ("6m", 182.625)])
def test_spans_of_time(text: str, number: float) -> None:
    assert days(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "d", "10", "0d", "-3d", "3h", "ten days"])
def test_what_is_no_span_of_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no span of time"):
        days(text)


def test_age_halves() -> None:
    today = date(2026, 1, 31)
    assert decay("2026-01-31", today, 30) == 1
    assert decay("2026-01-01T08:00:00", today, 30) == pytest.approx(0.5)
    assert decay("2025-12-02", today, 30) == pytest.approx(0.25)
    assert decay("2027-01-01", today, 30) == 1
    assert decay(None, today, 30) == decay("soon", today, 30) == 0.5


def test_of_two_that_fit_alike_the_newer_wins_and_fit_still_counts() -> None:
    dates = {1: "2020-01-01", 2: "2026-01-01", 3: "2026-01-01"}
    found = recency_boost([(1, 5.0), (2, 5.0), (3, 1.0)], dates, today=date(2026, 1, 2), half_life=100)
    assert [number for number, _ in found] == [2, 1, 3]
    same = recency_boost([(1, 5.0), (2, 4.0)], dates, today=date(2026, 1, 2), half_life=100, weight=0)
    assert [number for number, _ in same] == [1, 2]


@given(rankings(least=1), st.floats(0.01, 1), st.integers(1, 12))
def test_diversity_returns_different_candidates_and_the_best_first(ranking: Ranking, balance: float, k: int) -> None:
    ranking = in_order(dict(ranking))
    likeness = np.random.default_rng(len(ranking)).uniform(size=(len(ranking), len(ranking)))
    chosen = maximal_marginal_relevance(ranking, likeness, k, balance)
    assert len(chosen) == min(k, len(ranking)) == len({number for number, _ in chosen})
    assert chosen[0] == ranking[0]
    assert maximal_marginal_relevance(ranking, likeness, len(ranking), 1.0) == ranking


def test_a_copy_waits_behind_something_new() -> None:
    words = [frozenset("abcd"), frozenset("abcd"), frozenset("wxyz")]
    ranking = [(1, 1.0), (2, 0.95), (3, 0.6), (4, 0.0)]
    likeness = word_similarity([*words, frozenset("mn")])
    assert [n for n, _ in maximal_marginal_relevance(ranking, likeness, 3, 0.5)] == [1, 3, 4]
    assert [n for n, _ in maximal_marginal_relevance(ranking, likeness, 3, 0.9)][:2] == [1, 2]
    with pytest.raises(ValueError, match="balance"):
        maximal_marginal_relevance(ranking, likeness, 3, 1.5)


def test_word_similarity_is_the_share_of_common_words() -> None:
    found = word_similarity([frozenset("ab"), frozenset("bc"), frozenset()])
    assert found[0, 1] == found[1, 0] == pytest.approx(1 / 3)
    assert found[0, 0] == 1
    assert found[0, 2] == 0
