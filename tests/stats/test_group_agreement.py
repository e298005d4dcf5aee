from __future__ import annotations

import numpy as np
import pytest

from llmkit.stats import by_group, by_system, group_values, mean_estimate

scipy_stats = pytest.importorskip("scipy.stats")
metrics = pytest.importorskip("sklearn.metrics")

near = pytest.approx


def test_values_of_groups_are_those_of_their_rows_alone() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 400)
    human = rng.integers(1, 6, 400)
    judge = np.clip(human + rng.integers(-1, 2, 400), 1, 5)
    names = ["kappa_quadratic", "pearson", "spearman", "kendall"]
    values, reasons = group_values(judge, human, groups, statistics=names, scale=[1, 2, 3, 4, 5])
    assert not reasons
    for group in range(30):
        one, two = judge[groups == group], human[groups == group]
        kappa = metrics.cohen_kappa_score(one, two, weights="quadratic", labels=[1, 2, 3, 4, 5])
        assert values["kappa_quadratic"][group] == near(kappa, abs=1e-9)
        assert values["spearman"][group] == near(scipy_stats.spearmanr(one, two)[0], abs=1e-9)
        assert values["kendall"][group] == near(scipy_stats.kendalltau(one, two)[0], abs=1e-9)
        assert values["pearson"][group] == near(scipy_stats.pearsonr(one, two)[0], abs=1e-9)


def test_many_groups_of_scores_without_steps_are_taken_in_blocks() -> None:
    rng = np.random.default_rng(1)
    groups = np.r_[rng.permutation(np.arange(9000) % 1500), np.full(700, 1500)]
    human = rng.normal(size=9700) * 1e-3 + groups * 10
    judge = human + rng.normal(size=9700) * 1e-3
    values, _ = group_values(judge, human, groups, statistics=["pearson", "kendall"])
    for group in (0, 7, 777, 1499, 1500):
        one, two = judge[groups == group], human[groups == group]
        assert values["pearson"][group] == near(scipy_stats.pearsonr(one, two)[0], abs=1e-9)
        assert values["kendall"][group] == near(scipy_stats.kendalltau(one, two)[0], abs=1e-9)


def test_groups_that_never_vary_are_skipped_and_counted() -> None:
    groups = ["a"] * 3 + ["b"] * 3 + ["c"] * 3 + ["d"]
    judge = [1, 2, 3, 1, 1, 1, 1, 3, 2, 5]
    human = [1, 2, 3, 1, 2, 3, 1, 2, 3, 5]
    found = by_group(judge, human, groups, statistics=["spearman", "accuracy"])
    wanted = mean_estimate(np.array([1.0, 0.5]), binary=False, bounds=(-1.0, 1.0))
    assert found["spearman"].estimate is not None
    assert found["spearman"].estimate.value == near(wanted.value)
    assert found["spearman"].estimate.low == near(wanted.low)
    assert found["spearman"].estimate.n == 2
    assert (found["spearman"].groups, found["spearman"].skipped) == (2, 2)
    assert (found["accuracy"].groups, found["accuracy"].skipped) == (4, 0)
    nothing = by_group([1, 1, 1], [1, 2, 3], ["a", "a", "b"], statistics=["kendall"])["kendall"]
    assert (nothing.estimate, nothing.reason, nothing.skipped) == (None, "it is undefined in every group", 2)


def test_clusters_hold_whole_groups() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(40), 8)
    human, judge = rng.normal(size=320), rng.normal(size=320)
    found = by_group(judge, human, groups, statistics=["pearson"], clusters=groups // 2)["pearson"].estimate
    assert found is not None
    assert found.method == "t, 20 clusters"
    with pytest.raises(ValueError, match="a group lies in two clusters"):
        by_group(judge, human, groups, clusters=np.arange(320) // 12)
    with pytest.raises(ValueError, match="320 rows and 3 groups"):
        by_group(judge, human, [1, 2, 3])


def test_text_without_an_order_has_no_correlation_in_any_group() -> None:
    found = by_group(["x", "y"], ["y", "x"], [1, 1])
    assert all(statistic.estimate is None and "scale" in statistic.reason for statistic in found.values())


def systems(seed: int, count: int = 12, rows: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    of, documents = np.repeat(np.arange(count), rows), np.tile(np.arange(rows), count)
    quality, hard = rng.normal(size=count), rng.normal(size=rows)
    human = quality[of] + hard[documents] + rng.normal(size=count * rows)
    judge = quality[of] + rng.normal(size=count)[of] * 0.3 + hard[documents] + rng.normal(size=count * rows)
    return judge, human, of, documents


@pytest.mark.parametrize("over", ["rows", "systems", "both"])
@pytest.mark.parametrize("clustered", [False, True])
def test_correlations_of_systems_are_those_of_their_means(over: str, clustered: bool) -> None:
    judge, human, of, documents = systems(0)
    found = by_system(judge, human, of, over=over, clusters=documents if clustered else None, resamples=500)  # type: ignore[arg-type]
    means = [[side[of == system].mean() for system in range(12)] for side in (judge, human)]
    for name, function in (("pearson", "pearsonr"), ("spearman", "spearmanr"), ("kendall", "kendalltau")):
        estimate = found[name].estimate
        assert estimate is not None
        assert estimate.value == near(getattr(scipy_stats, function)(*means)[0], abs=1e-9)
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.high - estimate.low > 0.02
        assert found[name].groups == 12
    assert found == by_system(judge, human, of, over=over, clusters=documents if clustered else None, resamples=500)  # type: ignore[arg-type]


def test_systems_to_come_are_less_certain_than_these_systems() -> None:
    judge, human, of, documents = systems(1)
    widths = {}
    for over in ("rows", "both"):
        estimate = by_system(judge, human, of, over=over, clusters=documents)["pearson"].estimate
        assert estimate is not None
        assert estimate.low is not None
        assert estimate.high is not None
        widths[over] = estimate.high - estimate.low
    assert widths["both"] > 1.3 * widths["rows"]


def test_documents_that_not_all_systems_answered_are_no_matter() -> None:
    judge, human, of, documents = systems(2)
    kept = np.random.default_rng(3).random(len(of)) < 0.15
    estimate = by_system(judge[kept], human[kept], of[kept], clusters=documents[kept])["pearson"].estimate
    assert estimate is not None
    assert estimate.low is not None


def test_what_systems_cannot_tell_is_said() -> None:
    assert by_system([1, 2], [1, 2], ["a", "a"])["pearson"].reason == "there is one system only"
    assert by_system([1, 1], [1, 2], ["a", "b"])["kendall"].reason == "all systems have one mean"
    with pytest.raises(ValueError, match="means over systems need numbers"):
        by_system(["x", "y"], ["x", "y"], ["a", "b"])
    with pytest.raises(ValueError, match="between systems there are"):
        by_system([1, 2], [1, 2], ["a", "b"], statistics=["kappa"])
    with pytest.raises(ValueError, match="2 rows and 1 systems"):
        by_system([1, 2], [1, 2], ["a"])
