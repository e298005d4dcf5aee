from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import krippendorff_alpha, score_use, self_consistency, wilson

scipy_stats = pytest.importorskip("scipy.stats")

near = pytest.approx


@given(st.lists(st.integers(1, 5), min_size=1, max_size=50))
def test_entropy_is_scipys(scores: list[int]) -> None:
    found = score_use(scores, resamples=40)
    counts = np.unique(scores, return_counts=True)[1]
    assert found.entropy.value == near(scipy_stats.entropy(counts, base=2), abs=1e-12)
    assert (found.n, found.distinct) == (len(scores), len(counts))
    assert found.top_share.value == near(counts.max() / len(scores))


def test_a_judge_that_always_says_four_uses_none_of_the_scale() -> None:
    found = score_use([4] * 30, scale=[1, 2, 3, 4, 5])
    assert (found.distinct, found.top, found.entropy.value, found.evenness) == (1, 4, 0, 0)
    assert (found.top_share.low, found.top_share.high) == near(wilson(30, 30))
    even = score_use(["a", "b", "c", "d"] * 50, scale=["a", "b", "c", "d"])
    assert even.evenness == near(1)
    assert even.top == "a"
    assert score_use([4, 4]).evenness is None
    with pytest.raises(ValueError, match="there are no scores"):
        score_use([])


def test_the_interval_of_entropy_holds_it() -> None:
    rng = np.random.default_rng(0)
    scores = rng.choice([1, 2, 3, 4, 5], 200, p=[0.1, 0.1, 0.2, 0.5, 0.1])
    for clusters in (None, np.arange(200) // 2):
        entropy = score_use(scores, clusters=clusters).entropy
        assert entropy.low is not None
        assert entropy.high is not None
        assert entropy.low < entropy.value < entropy.high
        assert entropy.low < scipy_stats.entropy([0.1, 0.1, 0.2, 0.5, 0.1], base=2) < entropy.high


def test_self_consistency_of_a_hand_worked_table() -> None:
    repeats: list[list[int | None]] = [[1, 1, 1], [1, 2, 1], [3, None, 3], [5, None, None], [2, 4, None]]
    found = self_consistency(repeats)
    assert found.samples == 4
    assert found.unanimous.estimate is not None
    assert (found.unanimous.estimate.value, found.unanimous.estimate.n) == (0.5, 4)
    assert found.pairs.estimate is not None
    assert found.pairs.estimate.value == near((1 + 1 / 3 + 1 + 0) / 4)
    assert found.deviation.estimate is not None
    assert found.deviation.estimate.value == near(np.sqrt((2 / 3 + 2) / (2 + 2 + 1 + 1)))
    assert found.alpha.estimate is not None
    assert found.alpha.estimate.value == near(krippendorff_alpha(repeats, measurement="interval"))


def test_a_judge_that_repeats_itself_has_no_deviation_and_text_has_none_at_all() -> None:
    steady = self_consistency([[1, 1], [2, 2], [3, 3]] * 10)
    assert steady.unanimous.estimate is not None
    assert steady.unanimous.estimate.value == 1
    assert steady.deviation.estimate is not None
    assert (steady.deviation.estimate.value, steady.deviation.estimate.low) == (0, None)
    text = self_consistency([["A", "A"], ["B", "A"]])
    assert text.deviation.reason == "the labels are text without an order; give their scale"
    assert text.alpha.estimate is not None
    assert text.alpha.estimate.value == near(krippendorff_alpha([["A", "A"], ["B", "A"]]))
    alone = self_consistency([[1, None], [None, 2]])
    assert (alone.samples, alone.unanimous.reason) == (0, "no sample has two verdicts")


def test_within_sample_deviation_is_recovered_with_its_interval() -> None:
    rng = np.random.default_rng(1)
    repeats = rng.normal(size=(300, 1)) + rng.normal(0, 0.5, (300, 4))
    deviation = self_consistency(repeats).deviation.estimate
    assert deviation is not None
    assert deviation.low is not None
    assert deviation.high is not None
    assert deviation.low < 0.5 < deviation.high < 0.55
    with pytest.raises(ValueError, match="300 samples and 2 cluster codes"):
        self_consistency(repeats, clusters=[1, 2])
