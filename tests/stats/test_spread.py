"""The distance between the highest and the lowest of several means, and what its interval promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import paired_difference, spread_of_means

near = pytest.approx
columns_of = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.tuples(*[st.booleans()] * width), min_size=2, max_size=30)
)


@given(columns_of)
def test_laws_of_range_and_order(rows: list[tuple[bool, ...]]) -> None:
    columns = np.array(rows, dtype=float).T
    found = spread_of_means(list(columns), binary=True)
    means = columns.mean(axis=1)
    assert found.estimate.value == near(means.max() - means.min())
    assert (means[found.highest], means[found.lowest]) == (means.max(), means.min())
    assert [one.value for one in found.below] == near(list(means - means.max()))
    assert found.estimate.low is not None
    assert found.estimate.high is not None
    assert 0 <= found.estimate.low <= found.estimate.value + 1e-9
    assert found.estimate.value - 1e-9 <= found.estimate.high
    backwards = spread_of_means(list(columns[:, ::-1]), binary=True).estimate
    assert (backwards.low, backwards.high) == near((found.estimate.low, found.estimate.high))
    turned = spread_of_means(list(columns[::-1]), binary=True).estimate
    assert (turned.low, turned.high) == near((found.estimate.low, found.estimate.high))


def test_of_two_columns_it_is_the_size_of_their_difference() -> None:
    rng = np.random.default_rng(1)
    one, other = (rng.random(60) < share for share in (0.8, 0.4))
    less = paired_difference(one, other, binary=True).difference
    found = spread_of_means([one, other], binary=True)
    assert less.high is not None
    assert less.high < 0
    assert (found.estimate.low, found.estimate.high) == near((-less.high, -less.low if less.low else None))
    assert found.estimate.method == "tango"
    [_, below] = found.below
    assert (below.value, below.low, below.high) == near((less.value, less.low, less.high))


def test_columns_that_differ_by_chance_alone_have_0_in_the_interval() -> None:
    rng = np.random.default_rng(2)
    columns = [rng.random(200) < 0.5 for _ in range(5)]
    found = spread_of_means(columns, binary=True).estimate
    assert found.value > 0
    assert found.low == 0
    assert found.method == "tango, 10 pairs (bonferroni)"
    doubled = spread_of_means([*columns, np.ones(200)], binary=True).estimate
    assert doubled.low is not None
    assert 0.3 < doubled.low < doubled.value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shares", "n"), [((0.5, 0.5, 0.5), 60), ((0.5,) * 5, 200), ((0.5, 0.55, 0.6), 200), ((0.3, 0.5), 100)]
)
def test_the_interval_holds_the_true_distance(shares: tuple[float, ...], n: int) -> None:
    rng = np.random.default_rng(3)
    true, held, draws = max(shares) - min(shares), 0, 400
    for _ in range(draws):
        hard = rng.random(n)  # what is hard for one is hard for all, in three rows of five
        columns = [np.where(rng.random(n) < 0.6, hard, rng.random(n)) < share for share in shares]
        found = spread_of_means(columns, binary=True).estimate
        assert found.low is not None
        assert found.high is not None
        held += found.low - 1e-12 <= true <= found.high + 1e-12
    assert held / draws >= 0.93


def test_repeats_are_averaged_and_clusters_widen() -> None:
    rng = np.random.default_rng(4)
    columns = [np.repeat(rng.random(40) < share, 5).astype(float) for share in (0.3, 0.6)]
    groups = np.repeat(np.arange(40), 5)
    rows = spread_of_means([column[::5] for column in columns], binary=True).estimate
    repeated = spread_of_means(columns, binary=True, samples=groups).estimate
    clustered = spread_of_means(columns, binary=True, clusters=groups).estimate
    alone = spread_of_means(columns, binary=True).estimate
    assert rows.n == repeated.n == 40
    assert (repeated.value, clustered.value) == near((rows.value, rows.value))
    widths = [
        one.high - one.low for one in (alone, clustered, repeated) if one.high is not None and one.low is not None
    ]
    assert widths[1:] == near([widths[1], widths[1]], rel=0.2)
    assert widths[1] > 1.5 * widths[0]


def test_one_row_has_no_interval_and_one_column_no_spread() -> None:
    found = spread_of_means([[1.0], [0.0]], binary=True)
    assert (found.estimate.value, found.estimate.low, found.estimate.method) == (1.0, None, "none: one sample")
    with pytest.raises(ValueError, match="at least two columns"):
        spread_of_means([[1.0, 0.0]])
