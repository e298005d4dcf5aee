from __future__ import annotations

from math import inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import average_repeats, bca_interval, mean_estimate, quantile, wilson
from llmkit.stats.intervals import dense_codes
from llmkit.types import Estimate

scipy_stats = pytest.importorskip("scipy.stats")

near = pytest.approx
some_values = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40).filter(
    lambda v: float(np.std(v)) > 1e-6 * max(map(abs, v))
)


@given(some_values, st.sampled_from([0.9, 0.95, 0.99]))
def test_graded_values_have_the_t_interval_of_scipy(values: list[float], level: float) -> None:
    found = mean_estimate(np.array(values), binary=False, interval="t", level=level)
    low, high = scipy_stats.t.interval(level, len(values) - 1, np.mean(values), scipy_stats.sem(values))
    scale = max(map(abs, values))
    assert (found.low, found.high) == near((low, high), rel=1e-8, abs=1e-8 * scale)
    assert (found.n, found.method, found.level) == (len(values), "t", level)


def test_graded_values_have_a_bca_interval_from_10_to_10000_rows() -> None:
    values = np.random.default_rng(0).beta(5, 1, 10_001)
    for n, method in (
        (9, "t"),
        (10, "bca bootstrap, 2000 resamples"),
        (10_000, "bca bootstrap, 2000 resamples"),
        (10_001, "t"),
    ):
        assert mean_estimate(values[:n], binary=False, bounds=(0, 1), interval="auto").method == method
    found = mean_estimate(values[:50], binary=False, bounds=(0, 1), interval="auto", seed=3)
    assert (found.low, found.high) == near(bca_interval(np.sort(values[:50]), resamples=2000, seed=3))
    assert found == mean_estimate(values[:50][::-1], binary=False, bounds=(0, 1), interval="auto", seed=3)


@given(st.lists(st.booleans(), min_size=2, max_size=60))
def test_binary_values_have_wilsons_interval(values: list[bool]) -> None:
    found = mean_estimate(np.array(values), binary=True)
    assert found == Estimate(sum(values) / len(values), *wilson(sum(values), len(values)), len(values), "wilson")


def test_the_clustered_error_is_the_formula_of_the_paper() -> None:
    values = np.array([0.0, 1.0, 0.5, 1.0, 1.0, 0.2])
    clusters = np.array([7, 7, 3, 3, 3, 9])
    mean = values.mean()
    squares = sum(float((values[clusters == c] - mean).sum()) ** 2 for c in (3, 7, 9))
    reach = scipy_stats.t.ppf(0.975, 2) * sqrt(3 / 2 * squares) / 6
    found = mean_estimate(values, binary=False, clusters=clusters)
    assert (found.low, found.high) == near((mean - reach, mean + reach))
    assert found.method == "t, 3 clusters"


@given(some_values)
def test_clusters_of_one_row_are_no_clusters(values: list[float]) -> None:
    plain = mean_estimate(np.array(values), binary=False)
    found = mean_estimate(np.array(values), binary=False, interval="t", clusters=np.arange(len(values)) * 3 + 5)
    assert (found.value, found.low, found.high) == near((plain.value, plain.low, plain.high), rel=1e-9, abs=1e-6)


@given(some_values, st.integers(2, 5))
def test_copies_of_every_row_in_one_cluster_add_no_certainty(values: list[float], copies: int) -> None:
    plain = mean_estimate(np.array(values), binary=False)
    codes = np.repeat(np.arange(len(values)), copies)
    found = mean_estimate(np.repeat(values, copies), binary=False, clusters=codes)
    assert (found.low, found.high) == near((plain.low, plain.high), rel=1e-9, abs=1e-6)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=30))
def test_a_clustered_share_stays_a_share(rows: list[tuple[bool, int]]) -> None:
    values = np.array([value for value, _ in rows], dtype=float)
    clusters = np.array([code for _, code in rows])
    found = mean_estimate(values, binary=True, clusters=clusters)
    if len(set(clusters)) == 1:
        assert (found.low, found.high, found.method) == (None, None, "none: one cluster")
        return
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_one_sample_has_no_interval() -> None:
    for binary in (False, True):
        assert mean_estimate(np.array([1.0]), binary=binary) == Estimate(1.0, None, None, 1, "none: one sample")


def test_values_that_do_not_vary_claim_no_certainty() -> None:
    same = mean_estimate(np.full(10, 0.1 + 0.2), binary=False)  # the mean differs from the values by rounding
    assert (same.low, same.high, same.method) == (None, None, "none: all values are equal")
    bounded = mean_estimate(np.ones(10), binary=False, bounds=(0, 1))
    assert (bounded.low, bounded.high) == wilson(10, 10)
    percent = mean_estimate(np.full(10, 100.0), binary=False, bounds=(0, 100))
    assert percent.low == near(100 * wilson(10, 10)[0])
    assert percent.high == 100
    assert percent.method == "wilson: all values are equal"


def test_a_score_with_an_end_on_one_side_is_cut_there_and_has_no_interval_where_it_does_not_vary() -> None:
    seconds = mean_estimate(np.array([0.1, 0.1, 5.0]), binary=False, bounds=(0, inf))
    assert seconds.low == 0
    assert seconds.high == mean_estimate(np.array([0.1, 0.1, 5.0]), binary=False).high
    same = mean_estimate(np.full(10, 0.3), binary=False, bounds=(0, inf))
    assert (same.low, same.high) == (None, None)


def test_clusters_that_do_not_vary_count_as_that_many_observations() -> None:
    values, clusters = np.array([0.0, 1.0] * 8), np.repeat(np.arange(8), 2)
    found = mean_estimate(values, binary=True, clusters=clusters)
    assert (found.low, found.high) == near(wilson(4, 8))
    assert mean_estimate(values, binary=False, clusters=clusters).method == "none: all clusters have one mean"


def test_bounds_cut_the_interval() -> None:
    found = mean_estimate(np.array([1.0, 1.0, 1.0, 0.7]), binary=False, bounds=(0, 1))
    assert found.high == 1.0
    assert found.low is not None
    assert found.low < 0.925


def test_what_has_no_mean_is_a_value_error() -> None:
    for values in ([], [1.0, nan], [inf, 0.0]):
        with pytest.raises(ValueError, match="a mean needs"):
            mean_estimate(np.array(values), binary=False)
    with pytest.raises(ValueError, match="3 values and 2 cluster codes"):
        mean_estimate(np.array([1.0, 2.0, 3.0]), binary=False, clusters=np.array([1, 2]))


def test_repeats_become_one_mean_a_sample() -> None:
    means, clusters = average_repeats(
        np.array([1.0, 0.0, 1.0, 1.0, 0.5]), np.array([4, 4, 9, 9, 2]), np.array(["b", "b", "a", "a", "b"])
    )
    assert means.tolist() == [0.5, 0.5, 1.0]
    assert clusters is not None
    assert clusters.tolist() == ["b", "b", "a"]
    assert average_repeats(np.array([1.0]), np.array([0]))[1] is None


@given(st.lists(st.one_of(st.integers(-5, 5), st.integers(-(10**12), 10**12)), min_size=1))
def test_dense_codes_are_those_of_a_sort(codes: list[int]) -> None:
    dense, count = dense_codes(np.array(codes))
    expected = np.unique(codes, return_inverse=True)[1]
    assert dense.tolist() == expected.tolist()
    assert count == len(set(codes))


@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.floats(0, 1))
def test_quantiles_are_rs_type_7(values: list[float], share: float) -> None:
    ordered = sorted(values)
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    by_hand = ordered[below] + (place - below) * (ordered[above] - ordered[below])
    assert quantile(np.array(values), share) == near(by_hand, rel=1e-9, abs=1e-6)
    with pytest.raises(ValueError, match="at least one"):
        quantile(np.array([]), share)


RUNS = 4000


def coverage(estimates: list[Estimate], truth: float) -> float:
    return sum(e.low is not None and e.high is not None and e.low <= truth <= e.high for e in estimates) / len(
        estimates
    )


@pytest.mark.parametrize(("n", "p"), [(30, 0.5), (100, 0.9), (500, 0.3), (1000, 0.98)])
def test_wilson_covers_as_it_says(n: int, p: float) -> None:
    rng = np.random.default_rng(1)
    found = [mean_estimate(rng.random(n) < p, binary=True) for _ in range(RUNS)]
    assert 0.93 <= coverage(found, p) <= 0.97


@pytest.mark.parametrize(("n", "a", "b"), [(10, 3, 3), (50, 2, 5), (200, 0.5, 0.5)])
def test_t_covers_as_it_says(n: int, a: float, b: float) -> None:
    rng = np.random.default_rng(2)
    found = [mean_estimate(rng.beta(a, b, n), binary=False) for _ in range(RUNS)]
    assert 0.93 <= coverage(found, a / (a + b)) <= 0.97


@pytest.mark.parametrize(("clusters", "size"), [(20, 5), (60, 8)])
def test_clustered_intervals_cover_where_plain_ones_do_not(clusters: int, size: int) -> None:
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(clusters), size)
    robust, plain = [], []
    for _ in range(RUNS):
        values = rng.normal(size=clusters)[codes] + rng.normal(size=clusters * size)
        robust.append(mean_estimate(values, binary=False, clusters=codes))
        plain.append(mean_estimate(values, binary=False))
    assert 0.93 <= coverage(robust, 0.0) <= 0.97
    assert coverage(plain, 0.0) < 0.85


@pytest.mark.slow
@pytest.mark.parametrize(("n", "at_least"), [(20, 0.905), (50, 0.93), (200, 0.935)])
def test_the_bootstrap_covers_skewed_grades_where_t_does_not(n: int, at_least: float) -> None:
    rng = np.random.default_rng(4)
    runs = [rng.choice([1.0, 2, 3, 4, 5], p=[0.02, 0.03, 0.05, 0.2, 0.7], size=n) for _ in range(RUNS)]
    found, plain = (
        coverage([mean_estimate(run, binary=False, interval=how, resamples=1000) for run in runs], 4.53)
        for how in ("bca", "t")
    )
    assert at_least <= found <= 0.97
    assert found >= plain - 0.005
