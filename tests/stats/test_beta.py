from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import beta_quantile, jeffreys

scipy_stats = pytest.importorskip("scipy.stats")

near = pytest.approx


@given(st.floats(1e-4, 1 - 1e-4), st.floats(0.3, 1e4), st.floats(0.3, 1e4))
def test_beta_quantiles_are_scipys(p: float, a: float, b: float) -> None:
    assert beta_quantile(p, a, b) == near(float(scipy_stats.beta.ppf(p, a, b)), rel=1e-9)


def test_the_ends_of_a_beta() -> None:
    assert (beta_quantile(0, 2, 3), beta_quantile(1, 2, 3)) == (0, 1)
    for p, a in ((-0.1, 1), (1.1, 1), (float("nan"), 1), (0.5, 0), (0, -1)):
        with pytest.raises(ValueError, match=r"quantile needs a probability|positive"):
            beta_quantile(p, a, 1)


@given(st.integers(1, 500), st.data())
def test_jeffreys_holds_the_share_and_mirrors(n: int, data: st.DataObject) -> None:
    x = data.draw(st.integers(0, n))
    low, high = jeffreys(x, n)
    assert 0 <= low <= x / n <= high <= 1
    assert (1 - high, 1 - low) == near(jeffreys(n - x, n), abs=1e-9)
    if 0 < x < n:
        assert (low, high) == near(tuple(scipy_stats.beta.ppf([0.025, 0.975], x + 0.5, n - x + 0.5)), rel=1e-9)


def test_none_and_all_reach_the_ends() -> None:
    assert jeffreys(0, 10)[0] == 0
    assert jeffreys(10, 10)[1] == 1
    for x, n in ((-1, 5), (6, 5), (0, 0)):
        with pytest.raises(ValueError, match="a proportion needs"):
            jeffreys(x, n)
