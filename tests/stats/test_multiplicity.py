from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import adjust, benjamini_hochberg, holm

scipy_stats = pytest.importorskip("scipy.stats")
near = pytest.approx
some_p = st.lists(st.floats(0, 1), max_size=30)


@given(some_p)
def test_benjamini_hochberg_is_scipys(p: list[float]) -> None:
    if p:
        assert benjamini_hochberg(p) == near(scipy_stats.false_discovery_control(p))


@given(some_p)
def test_holm_is_the_step_down_test(p: list[float]) -> None:
    alpha, order = 0.05, sorted(range(len(p)), key=lambda i: p[i])
    refused: set[int] = set()
    for step, i in enumerate(order):
        if p[i] * (len(p) - step) > alpha:
            break
        refused.add(i)
    assert set(np.flatnonzero(holm(p) <= alpha).tolist()) == refused


@given(some_p)
def test_adjusting_only_raises_and_keeps_the_order(p: list[float]) -> None:
    for how in ("holm", "bh", "none"):
        found = adjust(p, how)
        assert (found >= np.array(p) - 1e-12).all()
        assert (found <= 1).all()
        order = np.argsort(p, kind="stable")
        assert (np.diff(found[order]) >= -1e-12).all()
    assert (holm(p) >= benjamini_hochberg(p) - 1e-12).all()


def test_what_is_no_p_is_refused() -> None:
    for bad in ([0.5, 1.5], [float("nan")], [[0.5]]):
        with pytest.raises(ValueError, match="from 0 to 1"):
            holm(bad)
