from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import binomial_test, clopper_pearson

scipy_stats = pytest.importorskip("scipy.stats")

near = pytest.approx
counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.sampled_from([0.9, 0.95, 0.99]))
def test_the_exact_interval_is_scipys(count: tuple[int, int], level: float) -> None:
    wanted = scipy_stats.binomtest(*count).proportion_ci(level)
    assert clopper_pearson(*count, level) == near((wanted.low, wanted.high), abs=1e-10)


@given(counts, st.sampled_from([0.5, 0.5, 0.1, 0.37, 0.9]))
def test_the_exact_test_is_scipys(count: tuple[int, int], p: float) -> None:
    assert binomial_test(*count, p) == near(scipy_stats.binomtest(*count, p).pvalue, abs=1e-10)


def test_nothing_to_test_is_no_evidence_and_wrong_counts_are_refused() -> None:
    assert binomial_test(0, 0) == 1
    with pytest.raises(ValueError, match="not 3 of 2"):
        binomial_test(3, 2)
    with pytest.raises(ValueError, match="not 0 of 0"):
        clopper_pearson(0, 0)
