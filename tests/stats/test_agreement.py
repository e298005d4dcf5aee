from __future__ import annotations

import json
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import accuracy, cohen_kappa, gwet_ac, kendall_tau_b, krippendorff_alpha, pearson, pooled, spearman
from llmkit.stats.agreement import STATISTICS, Weighting
from llmkit.stats.alpha import Measurement
from llmkit.stats.cells import pair_up
from llmkit.stats.coefficients import COEFFICIENTS, NEEDS_ORDER, Tables
from llmkit.stats.statistic import Statistic

metrics = pytest.importorskip("sklearn.metrics")
scipy_stats = pytest.importorskip("scipy.stats")

near = pytest.approx
GOLDEN = json.loads((Path(__file__).resolve().parents[1] / "golden" / "agreement.json").read_text("utf-8"))
WEIGHTS = {"nominal": None, "linear": "linear", "quadratic": "quadratic"}

Pairs = list[tuple[Any, Any]]
labels = st.integers(1, 5)
label_pairs = st.lists(st.tuples(labels, labels), min_size=2, max_size=40)
numbers = st.floats(-100, 100).map(lambda x: round(x, 1))
number_pairs = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=30)


def sides(pairs: Pairs) -> tuple[list[Any], list[Any]]:
    return [one for one, _ in pairs], [two for _, two in pairs]


def varied(pairs: Pairs) -> bool:
    return all(len(set(side)) > 1 for side in sides(pairs))


def ends(statistic: Statistic) -> tuple[float, float]:
    """Return the interval, which must be there."""
    estimate = statistic.estimate
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


def all_values(one: list[Any], two: list[Any], scale: list[Any] | None = None) -> dict[str, float]:
    cells, rows = pair_up(one, two, scale)
    counts = np.bincount(rows, minlength=len(cells)).astype(float)[None, :]
    names = [name for name in STATISTICS if cells.values is not None or name not in NEEDS_ORDER]
    return {name: float(COEFFICIENTS[name](Tables(cells, counts))[0]) for name in names}


@given(label_pairs.filter(varied), st.sampled_from(sorted(WEIGHTS)))
def test_accuracy_and_kappa_are_scikit_learns(pairs: Pairs, weights: Any) -> None:
    one, two = sides(pairs)
    assert accuracy(one, two) == near(metrics.accuracy_score(two, one))
    assert cohen_kappa(one, two, weights=weights) == near(
        metrics.cohen_kappa_score(one, two, weights=WEIGHTS[weights]), abs=1e-9
    )


@given(label_pairs.filter(varied), st.sampled_from(sorted(WEIGHTS)))
def test_a_scale_is_scikit_learns_list_of_labels(pairs: Pairs, weights: Any) -> None:
    names = ["poor", "fair", "good", "fine", "best"]
    one, two = ([names[label - 1] for label in side] for side in sides(pairs))
    found = cohen_kappa(one, two, weights=weights, scale=names)
    assert found == near(metrics.cohen_kappa_score(one, two, weights=WEIGHTS[weights], labels=names), abs=1e-9)


@given(number_pairs.filter(varied))
def test_correlations_are_scipys(pairs: Pairs) -> None:
    one, two = sides(pairs)
    assert pearson(one, two) == near(scipy_stats.pearsonr(one, two)[0], abs=1e-9)
    assert spearman(one, two) == near(scipy_stats.spearmanr(one, two)[0], abs=1e-9)
    assert kendall_tau_b(one, two) == near(scipy_stats.kendalltau(one, two)[0], abs=1e-9)


@pytest.mark.parametrize("digits", [0, 1, 8])
def test_correlations_of_many_numbers_are_scipys(digits: int) -> None:
    rng = np.random.default_rng(digits)
    one = rng.normal(size=3000)
    two = (one + rng.normal(size=3000)).round(digits)
    assert kendall_tau_b(one, two) == near(scipy_stats.kendalltau(one, two)[0], abs=1e-12)
    assert kendall_tau_b(two, one) == near(scipy_stats.kendalltau(one, two)[0], abs=1e-12)
    assert spearman(one, two) == near(scipy_stats.spearmanr(one, two)[0], abs=1e-12)


def test_pearson_survives_huge_and_far_away_numbers() -> None:
    one, two = np.array([1.0, 2.0, 4.0, 3.0]), np.array([2.0, 1.0, 4.0, 3.5])
    plain = pearson(one, two)
    assert pearson(one * 1e300, two * 1e-300) == near(plain, rel=1e-9)
    assert pearson(one / 1024 + 1e9, two) == near(plain, rel=1e-9)
    cells, rows = pair_up(np.r_[one * 1e-6 + 1, -1.0], np.r_[two, 0.0])
    without = (np.bincount(rows[:4], minlength=len(cells))).astype(float)[None, :]
    assert COEFFICIENTS["pearson"](Tables(cells, without))[0] == near(plain, rel=1e-8)


@pytest.mark.parametrize("row", GOLDEN["gwet"], ids=lambda row: f"{len(row['first'])} rows, {len(row['scale'])} labels")
def test_gwets_coefficients_are_irrcacs(row: dict[str, Any]) -> None:
    names: dict[str, Weighting] = {"ac1": "nominal", "ac2_linear": "linear", "ac2_quadratic": "quadratic"}
    for name, weights in names.items():
        found = gwet_ac(row["first"], row["second"], weights=weights, scale=row["scale"])
        assert found == near(row[name], abs=1e-9)


@given(label_pairs)
def test_alpha_of_two_raters_is_alpha_of_the_matrix(pairs: Pairs) -> None:
    one, two = sides(pairs)
    found = all_values(one, two)
    measurements: tuple[Measurement, ...] = ("nominal", "ordinal", "interval")
    for measurement in measurements:
        matrix = krippendorff_alpha(pairs, measurement=measurement)
        value = found[f"alpha_{measurement}"]
        assert np.isnan(value) if matrix is None else value == near(matrix, abs=1e-9)


@given(label_pairs)
def test_sides_may_change_places_and_rows_their_order(pairs: Pairs) -> None:
    one, two = sides(pairs)
    found = all_values(one, two)
    swapped, turned = all_values(two, one), all_values(one[::-1], two[::-1])
    for name, value in found.items():
        assert turned[name] == near(value, abs=1e-12, nan_ok=True)
        assert swapped[name] == near(-value if name == "mean_difference" else value, abs=1e-12, nan_ok=True)


@given(label_pairs, st.permutations(["a", "b", "c", "d", "e"]))
def test_names_of_labels_do_not_matter(pairs: Pairs, names: list[str]) -> None:
    found = all_values(*sides(pairs))
    renamed = all_values(*([names[label - 1] for label in side] for side in sides(pairs)))
    assert set(renamed) == set(STATISTICS) - NEEDS_ORDER
    for name, value in renamed.items():
        assert value == near(found[name], abs=1e-12, nan_ok=True)


@given(label_pairs)
def test_values_lie_in_range(pairs: Pairs) -> None:
    for name, value in all_values(*sides(pairs)).items():
        if not np.isnan(value) and name != "mean_difference":
            assert value <= 1, name
            if not name.startswith("ac2"):
                assert value >= (0 if name == "accuracy" else -1 - 1e-9), name


@given(st.lists(labels, min_size=2, max_size=20).filter(lambda side: len(set(side)) > 1))
def test_perfect_agreement_is_one(side: list[int]) -> None:
    for name, value in all_values(side, list(side)).items():
        assert value == near(0 if name == "mean_difference" else 1), name


@given(label_pairs.filter(varied))
def test_ranks_do_not_change_with_a_rising_function(pairs: Pairs) -> None:
    one, two = sides(pairs)
    for statistic in (spearman, kendall_tau_b):
        assert statistic([label**3 for label in one], two) == near(statistic(one, two), abs=1e-12)


def test_what_never_varies_is_undefined_not_zero() -> None:
    assert cohen_kappa([1, 1, 1], [1, 1, 1]) is None
    assert gwet_ac([1, 1, 1], [1, 1, 1]) is None
    assert gwet_ac([1, 1, 1], [1, 1, 1], scale=[0, 1]) == 1
    for statistic in (pearson, spearman, kendall_tau_b):
        assert statistic([1, 1, 1], [1, 2, 3]) is None
        assert statistic([7], [7]) is None
    assert accuracy([1], [1]) == 1


def test_a_label_that_only_one_side_uses_is_a_label() -> None:
    one, two = ["yes", "yes", "maybe", "no"], ["yes", "no", "no", "no"]
    assert cohen_kappa(one, two) == near(metrics.cohen_kappa_score(one, two))
    assert accuracy(one, two) == 0.5


@pytest.mark.parametrize(
    ("one", "two", "scale", "sentence"),
    [
        ([], [], None, "at least one row"),
        ([1, 2], [1], None, "there are 2 and 1"),
        ([1, nan], [1, 2], None, "row 2 of the first rating is nan; leave out rows that were not rated"),
        ([1, 2], [inf, 2], None, "row 1 of the second rating is inf"),
        ([1, None], [1, 2], None, "row 2 of the first rating is None, neither text nor a number"),
        ([1, "2"], [1, 2], None, "mixes text and numbers"),
        (["1", "2"], [1, 2], None, "one rating is text and the other numbers"),
        ([1, 2], [1, 9], [1, 2, 3], "not on the scale: 9"),
        (["a"], ["b"], ["a", "a"], "names a label twice"),
        ([1], [2], [2, 1], "from the lowest to the highest"),
        ([1], [2], ["1", "2"], "must be of one kind"),
        (np.ones((2, 2)), [1, 2], None, "one label a row, not of shape"),
        (np.array([1j, 2]), [1, 2], None, "must be text or numbers"),
    ],
)
def test_ratings_that_cannot_be_paired_are_refused_with_a_sentence(
    one: Any, two: Any, scale: Any, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        cohen_kappa(one, two, scale=scale)


def test_text_without_an_order_has_no_ranks() -> None:
    with pytest.raises(ValueError, match="text without an order; give their scale"):
        spearman(["a", "b"], ["b", "a"])
    found = pooled(["a", "b", "b"], ["b", "a", "b"])
    assert found["spearman"].estimate is None
    assert "scale" in found["spearman"].reason
    assert found["kappa"].estimate is not None


def test_numbers_of_any_kind_are_labels() -> None:
    assert cohen_kappa([True, False, True], [1, 0, 0]) == near(cohen_kappa(["y", "n", "y"], ["y", "n", "n"]))
    assert accuracy([-0.0], [0.0]) == 1


def test_scores_without_steps_are_no_labels() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=2000)
    found = pooled(one, one + rng.normal(size=2000), statistics=["kappa", "pearson"], resamples=100)
    assert found["kappa"].reason.endswith("are no labels; use correlations or alpha_interval")
    assert found["pearson"].estimate is not None


def test_pooled_gives_every_statistic_with_an_interval_around_it() -> None:
    rng = np.random.default_rng(1)
    human = rng.integers(1, 6, 300)
    judge = np.where(rng.random(300) < 0.6, human, rng.integers(1, 6, 300))
    found = pooled(judge, human, resamples=500, seed=3)
    assert tuple(found) == STATISTICS
    plain = all_values(judge.tolist(), human.tolist())
    for name, statistic in found.items():
        estimate = statistic.estimate
        assert estimate is not None
        low, high = ends(statistic)
        assert estimate.value == near(plain[name], abs=1e-12)
        assert low < estimate.value < high
        assert 0.02 < high - low < 0.6
        assert estimate.n == 300
    assert found["kappa"].estimate is not None
    assert found["kappa"].estimate.method == "bca bootstrap, 500 resamples"
    assert found["accuracy"].estimate is not None
    assert found["accuracy"].estimate.method == "wilson"
    assert found == pooled(judge, human, resamples=500, seed=3)
    assert found["kappa"] != pooled(judge, human, resamples=500, seed=4)["kappa"]


def test_few_cells_and_indices_of_rows_give_like_intervals() -> None:
    rng = np.random.default_rng(2)
    human = rng.integers(0, 8, 400)
    judge = np.clip(human + rng.integers(-2, 3, 400), 0, 7)
    finer = judge + rng.random(400) * 1e-9
    coarse, fine = (pooled(side, human, statistics=["pearson", "kendall"], resamples=3000) for side in (judge, finer))
    assert ends(coarse["pearson"]) == near(ends(fine["pearson"]), abs=0.004)


def test_rows_of_one_cluster_are_drawn_together() -> None:
    rng = np.random.default_rng(3)
    human = rng.integers(0, 2, 60)
    judge = np.where(rng.random(60) < 0.8, human, 1 - human)
    repeated = [np.repeat(side, 10) for side in (judge, human)]
    clusters = np.repeat(np.arange(60), 10)
    found = pooled(*repeated, statistics=["kappa", "accuracy"], clusters=clusters)
    naive = pooled(*repeated, statistics=["kappa"])["kappa"]
    alone = pooled(judge, human, statistics=["kappa"])["kappa"]
    widths = [high - low for low, high in map(ends, (found["kappa"], naive, alone))]
    assert widths[0] == near(widths[2], rel=0.1)
    assert widths[1] < 0.5 * widths[2]
    assert found["kappa"].estimate is not None
    assert found["kappa"].estimate.method == "bca bootstrap, 2000 resamples of clusters"
    assert found["accuracy"].estimate is not None
    assert found["accuracy"].estimate.method == "t, 60 clusters"


def test_clusters_of_scores_without_steps_take_the_same_way() -> None:
    rng = np.random.default_rng(4)
    human = rng.normal(size=80)
    judge = human + rng.normal(size=80)
    alone = pooled(judge, human, statistics=["spearman"])["spearman"]
    clustered = pooled(judge, human, statistics=["spearman"], clusters=rng.permutation(80))["spearman"]
    assert ends(clustered) == near(ends(alone), abs=0.03)


def test_where_nobody_disagrees_the_lower_end_is_not_one() -> None:
    side = [0, 1] * 20
    found = pooled(side, side, statistics=["kappa", "ac1", "alpha_nominal", "pearson"])
    for name in ("kappa", "ac1", "alpha_nominal"):
        estimate = found[name].estimate
        assert estimate is not None
        assert estimate.method == "wilson: no disagreement"
        assert estimate.low == near(1 - 0.0876 / 0.5, abs=0.001)
        assert estimate.high == 1
    assert found["pearson"].estimate is not None
    assert found["pearson"].estimate.method == "none: all resamples are equal"


def test_one_row_and_one_cluster_have_no_interval() -> None:
    found = pooled([1], [2])
    assert found["accuracy"].estimate is not None
    assert found["accuracy"].estimate.method == "none: one sample"
    assert found["pearson"].reason == "there is one row only"
    clustered = pooled([1, 2, 2], [1, 2, 1], statistics=["kappa"], clusters=["a", "a", "a"])["kappa"].estimate
    assert clustered is not None
    assert (clustered.low, clustered.method) == (None, "none: one cluster")


def test_reasons_say_which_side_never_varies() -> None:
    assert pooled([1, 1], [1, 2], statistics=["pearson"])["pearson"].reason == "the judge gives one label only"
    assert pooled([1, 2], [1, 1], statistics=["pearson"])["pearson"].reason == "the human side gives one label only"
    assert pooled([1, 1], [1, 1], statistics=["kappa"])["kappa"].reason == "both sides give one label only"


def test_requests_that_cannot_be_met_are_refused() -> None:
    with pytest.raises(ValueError, match="no statistic of agreement 'kapa'; did you mean 'kappa'"):
        pooled([1], [1], statistics=["kapa"])
    with pytest.raises(ValueError, match="at least 40 resamples"):
        pooled([1], [1], resamples=10)
    with pytest.raises(ValueError, match="2 rows and 3 cluster codes"):
        pooled([1, 2], [1, 2], clusters=[1, 2, 3])


@pytest.mark.parametrize("clustered", [False, True])
def test_the_jackknife_of_very_many_different_rows_is_as_wide_as_the_bootstrap(
    monkeypatch: pytest.MonkeyPatch, clustered: bool
) -> None:
    rng = np.random.default_rng(5)
    shared = rng.normal(size=400)[np.arange(4000) // 10]
    human = rng.normal(size=4000) + shared
    judge = human + rng.normal(size=4000) + shared
    names = ["pearson", "spearman", "kendall", "alpha_ordinal"]
    clusters = np.arange(4000) // 10 if clustered else None
    drawn = pooled(judge, human, statistics=names, clusters=clusters, resamples=1000)
    monkeypatch.setattr("llmkit.stats.draws.MANY_DIFFERENT", 3000)
    left_out = pooled(judge, human, statistics=names, clusters=clusters, resamples=1000)
    for name in names:
        estimate = left_out[name].estimate
        assert estimate is not None
        assert estimate.method == f"jackknife, 200 groups of {'clusters' if clustered else 'rows'}"
        assert np.diff(ends(left_out[name])) == near(np.diff(ends(drawn[name])), rel=0.2)
        assert ends(left_out[name])[0] < estimate.value < ends(left_out[name])[1]
    few = pooled(judge, human, statistics=["pearson"], clusters=np.arange(4000) // 100)["pearson"].estimate
    assert few is not None
    assert few.method == "jackknife, 40 groups of clusters"
    one = pooled(judge, human, statistics=["pearson"], clusters=np.zeros(4000))["pearson"].estimate
    assert one is not None
    assert one.method == "none: one cluster"
