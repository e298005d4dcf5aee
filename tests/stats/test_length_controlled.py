from __future__ import annotations

from math import nan
from typing import Any

import numpy as np
import pytest

from llmkit.stats import LengthControlled, length_controlled_win_rate
from llmkit.stats.length_controlled import STRENGTHS, _features, _fitted

near = pytest.approx


def judged(
    seed: int, n: int = 400, *, longer: float = 0.0, likes_length: float = 0.0, better: float = 0.0
) -> tuple[Any, Any, Any]:
    """Return preferences and lengths: how much longer the candidate is, how far the judge likes that, how good it is."""
    rng = np.random.default_rng(seed)
    base = rng.gamma(4, 100, n).round()
    candidate = np.maximum(1, base + rng.normal(size=n) * 200 + longer * 200).round()
    delta = base - candidate
    margin = better - likes_length * np.tanh(delta / delta.std(ddof=1))
    return (rng.random(n) < 1 / (1 + np.exp(-margin))).astype(float), base, candidate


def value(found: LengthControlled) -> float:
    assert found.win_rate is not None
    return found.win_rate.value


def test_a_win_that_is_only_length_is_taken_away() -> None:
    preferences, base, candidate = judged(1, 3000, longer=1.5, likes_length=2)
    found = length_controlled_win_rate(preferences, base, candidate, resamples=200)
    assert found.raw.win_rate.value > 0.75
    assert value(found) == near(0.5, abs=0.06)
    assert found.coefficients["length"] == near(-2, abs=0.3)
    assert "far from the raw one" in found.warning


def test_a_judge_that_does_not_mind_length_leaves_the_win_rate() -> None:
    preferences, base, candidate = judged(2, 3000, longer=1, better=1)
    found = length_controlled_win_rate(preferences, base, candidate, resamples=200)
    assert value(found) == near(found.raw.win_rate.value, abs=0.03)
    assert found.warning == ""
    assert found.win_rate is not None
    assert found.win_rate.low is not None
    assert found.win_rate.high is not None
    assert found.win_rate.low < found.win_rate.value < found.win_rate.high
    assert found.win_rate.method == "bootstrap, 200 resamples"


def test_swapped_sides_give_one_less_it() -> None:
    preferences, base, candidate = judged(3, longer=1, likes_length=1, better=0.3)
    plain = length_controlled_win_rate(preferences, base, candidate, resamples=100)
    swapped = length_controlled_win_rate(1 - preferences, candidate, base, resamples=100)
    assert value(swapped) == near(1 - value(plain), abs=1e-6)
    assert swapped.win_rate is not None
    assert plain.win_rate is not None
    assert swapped.win_rate.low == near(1 - (plain.win_rate.high or 0), abs=1e-6)


def test_the_unit_of_length_does_not_matter() -> None:
    preferences, base, candidate = judged(4, longer=1, likes_length=1)
    one = length_controlled_win_rate(preferences, base, candidate, resamples=50)
    other = length_controlled_win_rate(preferences, base / 4.5, candidate / 4.5, resamples=50)
    assert value(other) == near(value(one), abs=1e-9)


@pytest.mark.parametrize("strength", [STRENGTHS[3], STRENGTHS[5], STRENGTHS[9]])
@pytest.mark.parametrize("with_difficulty", [False, True])
def test_the_fit_is_scikit_learns(strength: float, with_difficulty: bool) -> None:
    """As AlpacaEval calls it: liblinear, L1, no free intercept, soft labels as weighted rows of both kinds."""
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(5)
    _, base, candidate = judged(5)
    y = rng.random(400)
    hard = rng.normal(size=400) if with_difficulty else None
    features = _features(base - candidate, hard, np.ones((1, 400)))
    design = np.stack([np.broadcast_to(x, (1, 400))[0] for x in features], axis=1)
    model = linear.LogisticRegression(
        l1_ratio=1, C=strength, solver="liblinear", fit_intercept=False, tol=1e-12, max_iter=100_000
    )
    model.fit(np.tile(design, (2, 1)), np.repeat([1, 0], 400), sample_weight=np.concatenate([y, 1 - y]))
    found = _fitted(features, y, np.ones((1, 400)), strength)
    assert found[0].tolist() == near(model.coef_[0].tolist(), abs=2e-5)


def test_many_fits_at_once_are_those_fits() -> None:
    preferences, base, candidate = judged(6, likes_length=1)
    counts = np.random.default_rng(0).multinomial(400, np.full(400, 1 / 400), size=5).astype(float)
    together = _fitted(_features(base - candidate, None, counts), preferences, counts, 1.0)
    for row, wanted in zip(counts, together, strict=True):
        drawn = np.repeat(np.arange(400), row.astype(int))
        ones = np.ones((1, 400))
        alone = _fitted(_features((base - candidate)[drawn], None, ones), preferences[drawn], ones, 1.0)
        assert alone[0].tolist() == near(wanted.tolist(), abs=1e-7)


def test_difficulty_that_explains_preferences_is_used() -> None:
    rng = np.random.default_rng(7)
    _, base, candidate = judged(7, 1000)
    hard = rng.normal(size=1000) * 2
    preferences = (rng.random(1000) < 1 / (1 + np.exp(-hard))).astype(float)
    found = length_controlled_win_rate(preferences, base, candidate, difficulty=hard, resamples=50)
    assert found.coefficients["difficulty"] == near(1, abs=0.25)
    assert list(found.coefficients) == ["length", "difficulty", "constant"]
    assert value(found) == near(found.raw.win_rate.value, abs=0.03)


def test_clusters_are_drawn_together() -> None:
    preferences, base, candidate = judged(8, 400, likes_length=1, better=0.5)
    thrice = [np.tile(one, 3) for one in (preferences, base, candidate)]
    once = length_controlled_win_rate(preferences, base, candidate, resamples=400)
    copies = length_controlled_win_rate(*thrice, clusters=np.tile(np.arange(400), 3), resamples=400)
    assert once.win_rate is not None
    assert copies.win_rate is not None
    wide = (once.win_rate.high or 0) - (once.win_rate.low or 0)
    assert (copies.win_rate.high or 0) - (copies.win_rate.low or 0) == near(wide, rel=0.25)
    assert copies.win_rate.method == "bootstrap, 400 resamples of clusters"


def test_one_sided_preferences_still_have_a_fit() -> None:
    _, base, candidate = judged(9)
    found = length_controlled_win_rate(np.ones(400), base, candidate, resamples=50)
    assert 0.9 < value(found) <= 1


def test_too_few_rows_and_equal_differences_are_refused() -> None:
    preferences, base, candidate = judged(10, 19)
    few = length_controlled_win_rate(preferences, base, candidate)
    assert few.win_rate is None
    assert few.reason == "19 rows are too few to fit; 20 are needed"
    same = length_controlled_win_rate(np.tile([1.0, 0.0], 20), np.full(40, 5), np.full(40, 9))
    assert same.win_rate is None
    assert "the same in every row" in same.reason
    assert same.raw.win_rate.value == 0.5


def test_a_fit_with_nothing_left_of_it_is_no_win_rate_of_a_half() -> None:
    preferences = np.random.default_rng(0).permutation([1.0] * 18 + [0.0] * 12)  # whatever the length
    found = length_controlled_win_rate(preferences, np.arange(30) % 7, np.arange(30) % 5)
    assert found.raw.win_rate.value == near(0.6)
    assert found.win_rate is None
    assert "would say 50% whatever they are" in found.reason
    certain = length_controlled_win_rate(np.ones(30), np.arange(30) % 7, np.arange(30) % 5, resamples=50)
    assert value(certain) > 0.9


def test_what_is_no_data_is_refused() -> None:
    ones = np.ones(30)
    with pytest.raises(ValueError, match="30 preferences and 29 base lengths"):
        length_controlled_win_rate(ones, np.ones(29), ones)
    with pytest.raises(ValueError, match="candidate lengths must be finite"):
        length_controlled_win_rate(ones, ones, np.full(30, nan))
    with pytest.raises(ValueError, match="30 preferences and 1 difficulties"):
        length_controlled_win_rate(ones, ones, ones, difficulty=np.ones(1))
    with pytest.raises(ValueError, match="outside 0 to 1"):
        length_controlled_win_rate(ones * 2, ones, ones)


@pytest.mark.slow
def test_intervals_cover_with_the_fit_in_them() -> None:
    held, runs = 0, 300
    for seed in range(runs):
        preferences, base, candidate = judged(seed, 300, longer=0.5, likes_length=1.2, better=0.6)
        found = length_controlled_win_rate(preferences, base, candidate, resamples=300, seed=seed).win_rate
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 1 / (1 + np.exp(-0.6)) <= found.high
    assert 0.91 <= held / runs <= 0.98
