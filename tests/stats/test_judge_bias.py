from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import (
    clopper_pearson,
    feature_effects,
    injection_resistance,
    position_bias,
    prefers_more,
    wilson,
)
from llmkit.types import Estimate

scipy_stats = pytest.importorskip("scipy.stats")

near = pytest.approx
preferences = st.sampled_from([0.0, 0.5, 1.0])
games = st.lists(st.tuples(preferences, preferences), min_size=1, max_size=30)


def ends(estimate: Estimate | None) -> tuple[float, float]:
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


def test_position_bias_of_a_hand_worked_set_of_games() -> None:
    # Consistent: 3. The first place wins: (1, 0) twice, (1, 0.5) once. The second: (0, 1) once.
    found = position_bias([1, 0, 0.5, 1, 1, 1, 0], [1, 0, 0.5, 0, 0, 0.5, 1])
    assert (found.pairs, found.first, found.second) == (7, 3, 1)
    assert found.inconsistent.value == near(4 / 7)
    assert ends(found.inconsistent) == near(wilson(4, 7))
    assert found.first_share.estimate is not None
    assert found.first_share.estimate.value == 0.75
    assert ends(found.first_share.estimate) == near(clopper_pearson(3, 4))
    assert found.first_share.p == near(scipy_stats.binomtest(3, 4).pvalue)
    assert found.first_wins.value == near((0.5 * 3 + 1 + 1 + 0.75 + 0) / 7)


@given(games)
def test_renaming_the_outputs_changes_nothing_and_swapping_the_orders_turns_it_round(
    pairs: list[tuple[float, float]],
) -> None:
    forward, swapped = [a for a, _ in pairs], [b for _, b in pairs]
    found = position_bias(forward, swapped)
    renamed = position_bias([1 - b for b in swapped], [1 - a for a in forward])
    turned = position_bias(swapped, forward)
    assert (renamed.first, renamed.second, renamed.inconsistent) == (found.first, found.second, found.inconsistent)
    assert renamed.first_wins.value == near(found.first_wins.value)
    assert (turned.first, turned.second, turned.first_share.p) == (found.second, found.first, found.first_share.p)
    assert turned.first_wins.value == near(1 - found.first_wins.value)


def test_a_judge_without_a_place_is_not_accused_and_one_with_a_place_is() -> None:
    rng = np.random.default_rng(0)
    better = rng.integers(0, 2, 400).astype(float)
    unsure = rng.random(400) < 0.3
    fair = position_bias(
        np.where(unsure, rng.integers(0, 2, 400), better), np.where(unsure, rng.integers(0, 2, 400), better)
    )
    biased = position_bias(np.where(unsure, 1.0, better), np.where(unsure, 0.0, better))
    assert fair.first_share.p is not None
    assert fair.first_share.p > 0.05
    assert biased.first_share.p is not None
    assert biased.first_share.p < 1e-9
    assert ends(fair.first_wins)[0] < 0.5 < ends(fair.first_wins)[1] < ends(biased.first_wins)[0]


def test_probabilities_are_verdicts_by_their_side_of_one_half() -> None:
    found = position_bias([0.9, 0.4, 0.5], [0.6, 0.7, 0.5])
    assert (found.first, found.second) == (0, 1)
    assert found.inconsistent.value == near(1 / 3)


def test_a_judge_that_never_changes_its_mind_has_no_lean_to_test() -> None:
    found = position_bias([1, 0], [1, 0])
    assert (found.first_share.estimate, found.first_share.p) == (None, None)
    assert found.first_share.reason == "no verdict changed with the order"
    assert found.inconsistent.value == 0
    assert ends(found.inconsistent) == near(wilson(0, 2))


def test_preferences_must_be_there_and_between_0_and_1() -> None:
    for forward, swapped, sentence in (
        ([1, 2], [1, 1], "row 2 of the first preferences is 2; it must be between 0 and 1"),
        ([1, None], [1, 1], "row 2 of the first rating is None"),
        ([1], [1, 1], "not 1 and 2"),
        ([], [], "not 0 and 0"),
        (["a"], ["b"], "must be numbers, not text"),
    ):
        with pytest.raises(ValueError, match=sentence):
            position_bias(forward, swapped)
    with pytest.raises(ValueError, match="2 rows and 1 cluster codes"):
        position_bias([1, 0], [1, 0], clusters=[1])


def test_preference_for_the_longer_counts_ties_half_and_leaves_out_the_alike() -> None:
    found = prefers_more([1, 0, 0.5, 1, 1], [100, -50, 40, -31, 30]).estimate
    assert found is not None
    assert (found.value, found.n) == near(((1 + 1 + 0.5 + 0) / 4, 4))
    flags = prefers_more([1, 1, 0], [1, 0, -1], least=0).estimate
    assert flags is not None
    assert (flags.value, flags.n, flags.method) == (1, 2, "wilson")
    assert prefers_more([1, 0], [3, 4]).reason == "no two outputs differ by more than 30"


def made(seed: int, n: int = 800) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    quality = rng.normal(3, 1, n)
    return quality, quality + rng.normal(0, 0.4, n), rng.normal(600, 200, n), rng.random(n) < 0.3


def test_a_liking_for_length_and_for_its_own_family_are_found_and_none_in_a_fair_judge() -> None:
    quality, human, length, own = made(0)
    noise = np.random.default_rng(1).normal(0, 0.5, 800)
    found = feature_effects(quality + noise + length / 1000 + 0.5 * own, human, {"length": length, "own": own})
    fair = feature_effects(quality + noise, human, {"length": length, "own": own})
    assert found["length"].step == "standard deviation"
    assert found["own"].step == "yes against no"
    for name, size in (("length", 0.2), ("own", 0.5)):
        for effect, none in (
            (found[name].given_human, fair[name].given_human),
            (found[name].of_difference, fair[name].of_difference),
        ):
            low, high = ends(effect.estimate)
            assert 0 < low < size < high
            assert effect.p is not None
            assert effect.p < 1e-4
            low, high = ends(none.estimate)
            assert low < 0 < high


def test_features_that_go_together_are_told_apart_in_one_regression() -> None:
    quality, human, length, _ = made(2)
    lists = length + np.random.default_rng(3).normal(0, 100, 800) > 700
    judge = quality + length / 500
    alone = feature_effects(judge, human, {"length": length, "lists": lists})
    together = feature_effects(judge, human, {"length": length, "lists": lists}, together=True)
    assert ends(alone["lists"].given_human.estimate)[0] > 0.2
    low, high = ends(together["lists"].given_human.estimate)
    assert low < 0 < high
    assert ends(together["length"].given_human.estimate)[0] > 0.3


def test_the_two_effects_have_the_blind_spots_that_the_docstring_names() -> None:
    rng = np.random.default_rng(4)
    quality = rng.normal(0, 1, 4000)
    length = quality + rng.normal(0, 1, 4000)
    noisy_human, fair = quality + rng.normal(0, 1, 4000), quality + rng.normal(0, 0.3, 4000)
    found = feature_effects(fair, noisy_human, {"length": length})["length"]
    assert ends(found.given_human.estimate)[0] > 0.1
    assert ends(found.of_difference.estimate)[0] < 0 < ends(found.of_difference.estimate)[1]
    narrow = feature_effects(0.5 * quality, quality + rng.normal(0, 1e-3, 4000), {"length": length})["length"]
    assert ends(narrow.of_difference.estimate)[1] < -0.1
    assert abs(ends(narrow.given_human.estimate)[0]) < 0.01


def test_effects_that_cannot_be_told_say_why() -> None:
    found = feature_effects([1, 2, 3, 4, 5], [1, 2, 2, 4, 4], {"length": [7, 7, 7, 7, 7]})["length"]
    assert found.given_human.estimate is None
    assert found.given_human.reason == "the features tell the same or do not vary"
    few = feature_effects([1, 2], [2, 1], {"length": [1, 5]})["length"]
    assert few.of_difference.reason == "2 rows are too few for 2 coefficients"
    constant = feature_effects([1, 2, 3, 5], [2, 2, 2, 2], {"length": [1, 5, 3, 9]})["length"]
    assert constant.given_human == constant.of_difference
    lonely = feature_effects([1, 2, 3, 5], [2, 1, 2, 2], {"own": [0, 0, 0, 1]})["own"]
    assert lonely.of_difference.reason == "one row alone decides a coefficient"
    with pytest.raises(ValueError, match="4 scores and 3 values of a feature"):
        feature_effects([1, 2, 3, 4], [1, 2, 3, 4], {"length": [1, 2, 3]})


def test_injections_are_counted_exactly() -> None:
    before, after = ["bad", "bad", "good", "bad"], ["good", "bad", "good", "fair"]
    found = injection_resistance(before, after, toward="good")
    assert found.moved.estimate is not None
    assert found.moved.estimate.value == 0.5
    assert ends(found.moved.estimate) == near(clopper_pearson(2, 4))
    assert found.obeyed.estimate is not None
    assert (found.obeyed.estimate.value, found.obeyed.estimate.n) == near((1 / 3, 3))
    assert found.shift.reason == "the verdicts are text"
    numbers = injection_resistance([1, 2, 5], [5, 2, 5], toward=5)
    assert numbers.shift.estimate is not None
    assert numbers.shift.estimate.value == near(4 / 3)
    assert injection_resistance([1, 2], [1, 2]).obeyed.reason == "no verdict was asked for"
    assert injection_resistance([5, 5], [1, 5], toward=5).obeyed.reason == "every verdict was the wanted one before"
    clustered = injection_resistance([1, 2, 3], [2, 2, 3], clusters=["a", "a", "b"]).moved.estimate
    assert clustered is not None
    assert clustered.method == "t, 2 clusters"
    with pytest.raises(ValueError, match="one rating is text"):
        injection_resistance(["a"], [1])
