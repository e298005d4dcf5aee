from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit.stats import (
    Noise,
    connor_size,
    mcnemar_p,
    mcnemar_power,
    noise_of,
    noise_of_run,
    paired_difference,
    plan_size,
    smallest_drop,
    variance_components,
)

scipy_stats = pytest.importorskip("scipy.stats")
near = pytest.approx


def test_connors_size_is_the_formula() -> None:
    # (1.959964 sqrt(0.2) + 0.841621 sqrt(0.2 - 0.0025))^2 / 0.0025, with scipy's quantiles
    z, zb = scipy_stats.norm.ppf([0.975, 0.8])
    assert connor_size(0.05, 0.2) == int(np.ceil((z * 0.2**0.5 + zb * 0.1975**0.5) ** 2 / 0.0025))


@pytest.mark.parametrize(
    ("n", "drop", "discordance"), [(40, 0.15, 0.2), (100, 0.1, 0.3), (25, 0.3, 0.3), (200, 0, 0.1)]
)
def test_mcnemars_power_is_that_of_all_outcomes(n: int, drop: float, discordance: float) -> None:
    lost, gained = (discordance + drop) / 2, (discordance - drop) / 2
    total = 0.0
    for x in range(n + 1):
        for y in range(min(x, n - x) + 1):  # more lost than gained
            if mcnemar_p(y, x) <= 0.05:
                total += scipy_stats.multinomial.pmf([x, y, n - x - y], n, [lost, gained, 1 - discordance])
    assert mcnemar_power(n, drop, discordance) == near(total, abs=1e-9)


def test_the_power_of_many_pairs_nears_that_of_few() -> None:
    assert mcnemar_power(199, 0.09, 0.2) == near(mcnemar_power(201, 0.09, 0.2), abs=0.02)


@settings(max_examples=20)
@given(st.floats(1e-4, 2), st.floats(0, 1), st.integers(10, 5000))
def test_samples_and_drops_are_each_others_inverse(between: float, within: float, n: int) -> None:
    noise = Noise(between, within)
    drop = smallest_drop(noise, n)
    assert drop is not None
    plan = plan_size(noise, drop * (1 + 1e-9))
    assert plan.samples == near(n, abs=1)
    sizes = [needed for _, needed, _ in plan.by_repeats]
    assert sizes == sorted(sizes, reverse=True)


def test_a_paired_t_test_of_the_planned_size_has_the_power() -> None:
    size = plan_size(Noise(0.04), 0.05, power=0.9).samples
    shift = 0.05 / np.sqrt(0.04 / size)
    edge = scipy_stats.t.ppf(0.975, size - 1)
    assert 1 - scipy_stats.nct.cdf(edge, size - 1, shift) == near(0.9, abs=0.005)


def test_more_tests_and_more_power_need_more() -> None:
    noise = Noise(0.0, churn=0.1)
    alone = plan_size(noise, 0.05)
    assert alone.samples < plan_size(noise, 0.05, tests=5).samples
    assert alone.samples < plan_size(noise, 0.05, power=0.95).samples
    assert alone.by_repeats == ((1, alone.samples, alone.samples),)
    drops = [drop for _, drop in alone.curve if drop is not None]
    assert drops == sorted(drops, reverse=True)


def test_noise_of_a_comparison() -> None:
    yes_no = paired_difference([1.0, 1, 0, 0, 1, 1, 0, 1], [1.0, 0, 1, 0, 0, 1, 0, 1], binary=True)
    assert noise_of(yes_no) == Noise(0.0, churn=3 / 9)
    rng = np.random.default_rng(0)
    graded = paired_difference(rng.normal(size=500), rng.normal(size=500))
    assert noise_of(graded).between == near(2, rel=0.15)
    with pytest.raises(ValueError, match="says nothing about noise"):
        noise_of(paired_difference([1.0], [1.0]))
    assert noise_of_run(0.25, correlation=0.5, binary=True) == Noise(0.0, churn=0.25)
    assert noise_of_run(0.04, correlation=0.75) == Noise(0.02)


@pytest.mark.parametrize("bad", [0.0, -0.1, float("nan"), float("inf")])
def test_a_drop_that_is_none_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="must be a positive number"):
        plan_size(Noise(0.1), bad)


def test_what_no_size_can_show_is_said() -> None:
    with pytest.raises(ValueError, match="cannot drop by"):
        plan_size(Noise(0.0, churn=0.5), 0.6)
    with pytest.raises(ValueError, match="too small to be seen"):
        plan_size(Noise(1.0), 1e-9)
    with pytest.raises(ValueError, match="Connor's formula needs"):
        connor_size(0.3, 0.2)
    with pytest.raises(ValueError, match="at least 0"):
        Noise(-1.0)
    assert smallest_drop(Noise(1.0), 5) is None


def test_variance_components_find_what_was_put_in() -> None:
    rng = np.random.default_rng(1)
    samples = np.repeat(np.arange(3000), rng.integers(1, 6, 3000))
    values = rng.normal(0, 0.6, 3000)[samples] + rng.normal(0, 0.8, len(samples))
    found = variance_components(values, samples)
    assert found is not None
    assert (found.within, found.between) == near((0.64, 0.36), rel=0.08)
    assert found.reliability == near(0.36, rel=0.1)


def test_balanced_variance_components_are_the_anova_table() -> None:
    rows = np.random.default_rng(2).normal(size=(12, 4)) + np.arange(12)[:, None]
    found = variance_components(rows.ravel(), np.repeat(np.arange(12), 4))
    assert found is not None
    within = rows.var(axis=1, ddof=1).mean()
    assert (found.within, found.between) == near((within, rows.mean(axis=1).var(ddof=1) - within / 4))
    assert found.repeats == 4


def test_without_repeats_there_are_no_components() -> None:
    assert variance_components([1.0, 2, 3], [0, 1, 2]) is None
    assert variance_components([1.0, 2, 3], [0, 0, 0]) is None
    alike = variance_components([1.0, 1, 1, 1], [0, 0, 1, 1])
    assert alike is not None
    assert (alike.within, alike.between, alike.reliability) == (0, 0, None)
