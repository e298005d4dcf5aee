from __future__ import annotations

from collections import Counter
from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import LabelPlan, plan_labels, prediction_powered_mean

near = pytest.approx
scores_lists = st.lists(st.integers(0, 9), min_size=1, max_size=120)


def planned(scores: list[int], share: float, seed: int = 0) -> LabelPlan:
    slices = [("a", "b", "c")[i % 3] for i in range(len(scores))]
    return plan_labels(np.array(scores, dtype=float), int(share * len(scores)), slices=slices, seed=seed)


@given(scores_lists, st.floats(0, 1))
def test_a_plan_draws_so_many_different_rows_and_knows_their_chances(scores: list[int], share: float) -> None:
    plan = planned(scores, share)
    count = int(share * len(scores))
    assert len(plan.rows) == len(set(plan.rows)) == count
    assert sum(plan.chances) == near(count)
    drawn = Counter(plan.strata[row] for row in plan.rows)
    for name, (rows, size) in plan.sizes.items():
        assert drawn[name] == size <= rows == plan.strata.count(name)
        assert all(
            chance == near(size / rows) for chance, own in zip(plan.chances, plan.strata, strict=True) if own == name
        )


@given(scores_lists, st.floats(0, 1))
def test_equal_scores_of_a_slice_share_a_stratum(scores: list[int], share: float) -> None:
    plan = planned(scores, share)
    strata: dict[tuple[int, int], set[str]] = {}
    for place, (score, name) in enumerate(zip(scores, plan.strata, strict=True)):
        strata.setdefault((score, place % 3), set()).add(name)
    assert all(len(names) == 1 for names in strata.values())


def test_a_seed_is_a_plan_and_another_seed_another() -> None:
    scores = list(range(100))
    assert planned(scores, 0.4, seed=3) == planned(scores, 0.4, seed=3)
    assert planned(scores, 0.4, seed=3).rows != planned(scores, 0.4, seed=4).rows


def test_any_first_part_is_spread_like_the_whole() -> None:
    rng = np.random.default_rng(0)
    plan = plan_labels(rng.random(600), 300, slices=["a"] * 400 + ["b"] * 200, seed=1)
    assert plan.sizes["a, band 1"][1] == near(67, abs=1)
    for first in (60, 120, 180):
        share = sum(row < 400 for row in plan.rows[:first]) / first
        assert share == near(2 / 3, abs=0.06)


def test_every_row_is_drawn_as_often_as_the_plan_says() -> None:
    scores = np.arange(30.0)
    counts = np.zeros(30)
    for seed in range(400):
        plan = plan_labels(scores, 20, bands=2, seed=seed)
        counts[list(plan.rows)] += 1
    assert counts / 400 == near(np.array(plan.chances), abs=0.1)


def test_few_labels_make_few_bands_and_say_so() -> None:
    plan = plan_labels(np.arange(100.0), 25, bands=4)
    assert sorted(plan.sizes) == ["band 1", "band 2"]
    assert plan.notes == ("2 bands of judge scores instead of 4, so that each gets 10 labels",)
    assert sorted(plan_labels(np.arange(100.0), 9).sizes) == [""]


def test_uncertain_rows_are_labelled_more_often() -> None:
    scores = np.repeat([0.05, 0.5, 0.95], 200)
    plan = plan_labels(scores, 150, spread=scores * (1 - scores), seed=1)
    sizes = {name: size for name, (_, size) in plan.sizes.items()}
    assert sizes["band 2"] > 3 * sizes["band 1"]
    assert min(sizes.values()) >= 10
    assert sum(sizes.values()) == 150
    assert plan_labels(scores, 150, spread=np.zeros(600)).sizes["band 1"] == (200, 50)


def test_everything_and_nothing_can_be_planned() -> None:
    assert sorted(plan_labels(np.arange(7.0), 7).rows) == list(range(7))
    assert plan_labels(np.arange(7.0), 0).rows == ()
    assert plan_labels(np.array([]), 0).rows == ()


def test_what_cannot_be_planned_is_refused_with_every_fault() -> None:
    with pytest.raises(ValueError, match=r"not a finite number.*3 labels cannot be drawn from 2 rows"):
        plan_labels(np.array([nan, 1.0]), 3)
    with pytest.raises(ValueError, match=r"2 judge scores and 1 slices.*2 judge scores and 1 spreads"):
        plan_labels(np.ones(2), 1, slices=["a"], spread=np.ones(1))
    with pytest.raises(ValueError, match="a spread is a finite number"):
        plan_labels(np.ones(2), 1, spread=np.array([1, -1]))
    with pytest.raises(ValueError, match="at least one band"):
        plan_labels(np.ones(2), 1, bands=0)


@pytest.mark.slow
@pytest.mark.parametrize("uneven", [False, True])
def test_labels_drawn_by_plan_give_an_unbiased_mean_and_honest_intervals(uneven: bool) -> None:
    rng = np.random.default_rng(4)
    errors, held, runs = [], 0, 600
    for seed in range(runs):
        chance = rng.beta(1.5, 1, 900)
        human = (rng.random(900) < chance).astype(float)
        plan = plan_labels(chance, 90, spread=chance * (1 - chance) if uneven else None, seed=seed)
        rows = np.array(plan.rows)
        found = prediction_powered_mean(chance, human[rows], rows, strata=np.array(plan.strata), binary=True)
        assert found.corrected is not None
        assert found.corrected.low is not None
        assert found.corrected.high is not None
        errors.append(found.corrected.value - 0.6)
        held += found.corrected.low <= 0.6 <= found.corrected.high
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(runs)
    assert 0.925 <= held / runs <= 0.98
