from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import mean_estimate, rogan_gladen_share

near = pytest.approx


def world(seed: int, share: float, sensitivity: float, specificity: float, size: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    human = (rng.random(size) < share).astype(float)
    right = rng.random(size) < np.where(human == 1, sensitivity, specificity)
    return np.where(right, human, 1 - human), human


def test_the_estimate_is_the_formula() -> None:
    judge, human = world(1, 0.6, 0.9, 0.8, 500)
    found = rogan_gladen_share(judge, human[:100], np.arange(100))
    sensitivity = judge[:100][human[:100] == 1].mean()
    specificity = 1 - judge[:100][human[:100] == 0].mean()
    assert found.estimate is not None
    assert found.estimate.value == near((judge[100:].mean() + specificity - 1) / (sensitivity + specificity - 1))
    assert found.sensitivity is not None
    assert found.sensitivity.value == near(sensitivity)
    assert found.specificity is not None
    assert found.specificity.value == near(specificity)
    assert found.judged == mean_estimate(judge[100:], binary=True)
    assert found.estimate.low is not None
    assert found.estimate.high is not None
    assert found.estimate.low < found.estimate.value < found.estimate.high


@given(st.integers(0, 2**32 - 1))
def test_yes_and_no_are_mirror_images(seed: int) -> None:
    judge, human = world(seed, 0.5, 0.9, 0.8, 300)
    plain, turned = (rogan_gladen_share(a, b[:60], np.arange(60)) for a, b in ((judge, human), (1 - judge, 1 - human)))
    assert plain.estimate is not None
    assert turned.estimate is not None
    assert turned.estimate.value == near(1 - plain.estimate.value)
    assert turned.estimate.low == near(1 - (plain.estimate.high or 0), abs=1e-9)


def test_a_judge_no_better_than_chance_is_refused() -> None:
    judge = np.array([1.0, 0, 1, 0, 1, 1])
    found = rogan_gladen_share(judge, np.array([1.0, 1, 0, 0]), np.arange(4))
    assert found.estimate is None
    assert "no better than chance" in found.reason
    assert found.sensitivity is not None
    assert found.sensitivity.value == 0.5


def test_missing_classes_and_missing_rows_are_refused() -> None:
    judge = np.array([1.0, 0, 1, 0])
    assert rogan_gladen_share(judge, np.ones(2), np.arange(2)).reason.startswith("no label is no")
    assert rogan_gladen_share(judge, np.zeros(2), np.arange(2)).reason.startswith("no label is yes")
    assert rogan_gladen_share(judge, np.array([]), np.array([], dtype=int)).estimate is None
    assert rogan_gladen_share(judge, judge, np.arange(4)).reason == "every row has a label"


def test_an_estimate_beyond_its_range_is_cut_and_said() -> None:
    judge = np.concatenate([np.ones(8), np.zeros(2), np.zeros(10), np.ones(500)])
    human = np.concatenate([np.ones(10), np.zeros(10)])
    found = rogan_gladen_share(judge, human, np.arange(20))
    assert found.estimate is not None
    assert (found.estimate.value, found.estimate.high) == (1, 1)
    assert found.notes == ("the estimate, 1.25, was cut to the range from 0 to 1",)


def test_other_numbers_than_0_and_1_are_refused() -> None:
    with pytest.raises(ValueError, match="a verdict is neither 0 nor 1"):
        rogan_gladen_share(np.array([0.3, 1]), np.array([1.0]), np.array([0]))
    with pytest.raises(ValueError, match="yes/no label is neither"):
        rogan_gladen_share(np.array([0.0, 1]), np.array([0.5]), np.array([0]))


@pytest.mark.parametrize(
    ("share", "sensitivity", "specificity", "labels"),
    [(0.5, 0.9, 0.9, 50), (0.7, 0.8, 0.9, 100), (0.3, 0.95, 0.7, 100), (0.9, 0.9, 0.8, 200)],
)
def test_intervals_cover_as_they_say(share: float, sensitivity: float, specificity: float, labels: int) -> None:
    held, runs = 0, 600
    for seed in range(runs):
        judge, human = world(seed, share, sensitivity, specificity, 1000)
        estimate = rogan_gladen_share(judge, human[:labels], np.arange(labels)).estimate
        assert estimate is not None
        assert estimate.low is not None
        assert estimate.high is not None
        held += estimate.low <= share <= estimate.high
    assert 0.925 <= held / runs <= 0.985
