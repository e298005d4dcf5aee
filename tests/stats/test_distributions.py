from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import (
    beta_cdf,
    binomial_cdf,
    binomial_pmf,
    normal_cdf,
    normal_quantile,
    t_cdf,
    t_quantile,
    wilson,
)

scipy_stats = pytest.importorskip("scipy.stats")

DF = st.one_of(st.floats(0.7, 50), st.floats(50, 1e9), st.integers(1, 100))
near = pytest.approx


def same(ours: float, theirs: float) -> bool:
    return bool(ours == near(float(theirs), rel=1e-10, abs=1e-290))


@given(st.floats(-35, 8))
def test_normal_cdf(z: float) -> None:
    assert same(normal_cdf(z), scipy_stats.norm.cdf(z))


@given(st.floats(1e-300, 1 - 1e-15))
def test_normal_quantile(p: float) -> None:
    assert normal_quantile(p) == near(float(scipy_stats.norm.ppf(p)), rel=1e-10, abs=1e-15)


@given(st.floats(-7, 50), DF)
def test_t_cdf(t: float, df: float) -> None:
    assert same(t_cdf(t, df), scipy_stats.t.cdf(t, df))


@given(st.floats(1e-12, 0.499), DF)
def test_t_quantile(p: float, df: float) -> None:
    theirs = float(scipy_stats.t.ppf(p, df))
    assert same(t_quantile(p, df), theirs)
    assert same(t_cdf(t_quantile(1 - p, df), df), 1 - p)


@given(st.floats(1e-300, 1), st.floats(0.05, 1e5), st.floats(0.05, 1e5))  # scipy is coarse where x is denormal
def test_beta_cdf(x: float, a: float, b: float) -> None:
    theirs = float(scipy_stats.beta.cdf(x, a, b))
    assert beta_cdf(x, a, b) == near(theirs, rel=1e-9, abs=1e-250)


@given(st.integers(1, 200_000), st.floats(0, 1), st.floats(1e-9, 1))  # scipy overflows where p is denormal
def test_binomial(n: int, share: float, p: float) -> None:
    k = round(share * n)
    assert binomial_pmf(k, n, p) == near(float(scipy_stats.binom.pmf(k, n, p)), rel=1e-9, abs=1e-250)
    assert binomial_cdf(k, n, p) == near(float(scipy_stats.binom.cdf(k, n, p)), rel=1e-9, abs=1e-250)


@given(st.integers(0, 60), st.floats(0, 1))
def test_binomial_probabilities_add_up(n: int, p: float) -> None:
    assert sum(binomial_pmf(k, n, p) for k in range(-1, n + 2)) == near(1, abs=1e-12)
    assert binomial_cdf(-0.5, n, p) == 0
    assert binomial_cdf(n, n, p) == 1


@given(st.integers(0, 5000), st.integers(1, 5000), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_equals_scipy(successes: int, n: int, level: float) -> None:
    successes = min(successes, n)
    theirs = scipy_stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    low, high = wilson(successes, n, level)
    assert low == near(theirs.low, abs=1e-12)
    assert high == near(theirs.high, abs=1e-12)
    assert 0 <= low <= successes / n <= high <= 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: normal_quantile(0),
        lambda: t_quantile(1, 5),
        lambda: t_quantile(0.5, 0),
        lambda: t_cdf(1, -1),
        lambda: t_cdf(float("nan"), 3),
        lambda: beta_cdf(1.1, 1, 1),
        lambda: binomial_pmf(1, 2, 1.5),
        lambda: wilson(3, 2),
        lambda: wilson(0, 0),
    ],
)
def test_what_has_no_answer_is_a_value_error(call: object) -> None:
    with pytest.raises(ValueError, match="not"):
        call()  # type: ignore[operator]


def test_ends_and_middles() -> None:
    assert t_cdf(0, 3) == 0.5
    assert t_cdf(-1e200, 3) == 0
    assert t_cdf(1e-200, 3) == 0.5
    assert t_cdf(float("inf"), 3) == 1
    assert t_cdf(float("-inf"), 3) == 0
    assert t_quantile(0.5, 3) == 0
    assert beta_cdf(5e-324, 0.5, 1) == near(5e-324**0.5)
    assert (beta_cdf(0, 2, 3), beta_cdf(1, 2, 3)) == (0, 1)
    assert (binomial_pmf(0, 5, 0), binomial_pmf(5, 5, 1), binomial_pmf(2, 5, 1)) == (1, 1, 0)
    assert (binomial_pmf(0, 14, 2.3e-308), binomial_cdf(0, 14, 2.3e-308)) == (1, 1)
    assert binomial_cdf(2, 5, 1) == 0


def test_a_quantile_is_found_in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def counted(t: float, df: float) -> float:
        nonlocal asked
        asked += 1
        return t_cdf(t, df)

    monkeypatch.setattr("llmkit.stats.distributions.t_cdf", counted)
    for df in range(1, 400):
        asked = 0
        t_quantile(0.975, df)
        assert asked <= 12, df
