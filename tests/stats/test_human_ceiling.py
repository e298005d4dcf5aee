from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import ceiling, cohen_kappa

scipy_stats = pytest.importorskip("scipy.stats")

near = pytest.approx
Table = list[list[int | None]]
tables = st.lists(st.lists(st.one_of(st.none(), st.integers(1, 3)), min_size=3, max_size=3), min_size=1, max_size=12)


def left_out(table: Table, judge: list[int]) -> tuple[list[Any], list[Any], list[Any], list[float]]:
    """Return own, the judge's and the others' modal labels with weights, written plainly."""
    own, judged, other, weight = [], [], [], []
    for row, verdict in zip(table, judge, strict=True):
        for rater, label in enumerate(row):
            rest = Counter(x for i, x in enumerate(row) if i != rater and x is not None)
            if label is None or not rest:
                continue
            modes = [x for x, times in rest.items() if times == max(rest.values())]
            for mode in modes:
                own.append(label)
                judged.append(verdict)
                other.append(mode)
                weight.append(1 / len(modes))
    return own, judged, other, weight


@given(tables, st.data())
def test_accuracy_is_that_of_a_plain_loop(table: Table, data: Any) -> None:
    judge = data.draw(st.lists(st.integers(1, 3), min_size=len(table), max_size=len(table)))
    own, judged, other, weight = left_out(table, judge)
    found = ceiling(table, judge, resamples=40, statistics=["accuracy"])
    if not own:
        assert found.human["accuracy"].reason == "no item has two ratings by people"
        return
    for side, labels in ((found.human, own), (found.judge, judged)):
        estimate = side["accuracy"].estimate
        assert estimate is not None
        assert estimate.value == near(np.average([a == b for a, b in zip(labels, other, strict=True)], weights=weight))
    assert found.ratings == sum(
        sum(cell is not None for cell in row) for row in table if sum(cell is not None for cell in row) > 1
    )


def three(seed: int, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(1, 5, (n, 1))
    people = np.where(rng.random((n, 3)) < 0.7, truth, rng.integers(1, 5, (n, 3)))
    return people, np.where(rng.random(n) < 0.7, truth[:, 0], rng.integers(1, 5, n))


def test_kappa_without_ties_is_kappa_of_all_left_out_pairs() -> None:
    people, judge = three(0)
    people = (
        np.concatenate([people, people[:, :1]], axis=1) % 2
    )  # of four people with two labels, three others never tie
    own, judged, other, weight = left_out(people.tolist(), (judge % 2).tolist())
    assert set(weight) == {1.0}
    found = ceiling(people, judge % 2)
    assert found.human["kappa"].estimate is not None
    assert found.human["kappa"].estimate.value == near(cohen_kappa(own, other))
    assert found.judge["kappa"].estimate is not None
    assert found.judge["kappa"].estimate.value == near(cohen_kappa(judged, other))
    assert found.human["kappa"].estimate.method == "bca bootstrap, 2000 resamples"
    assert (found.items, found.ratings) == (200, 800)


def test_each_person_has_a_figure_and_the_odd_one_out_shows() -> None:
    people, judge = three(1)
    people[:, 2] = np.random.default_rng(9).integers(1, 5, 200)
    found = ceiling(people, judge)
    values = found.annotators["accuracy"]
    for rater in range(3):
        others = [[row[i] for i in range(3) if i != rater] for row in people.tolist()]
        plain = np.mean(
            [(row[rater] == a) / 2 + (row[rater] == b) / 2 for row, (a, b) in zip(people, others, strict=True)]
        )
        assert values[rater] == near(plain)
    assert values[2] is not None
    assert values[0] is not None
    assert values[2] < values[0] - 0.2


def test_the_difference_is_judge_less_human_and_a_person_in_disguise_has_none() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(1, 5, (400, 1))
    people = np.where(rng.random((400, 5)) < 0.7, truth, rng.integers(1, 5, (400, 5)))
    found = ceiling(people[:, :4], people[:, 4])
    for name in ("accuracy", "kappa", "ac1"):
        human, judge, difference = (side[name].estimate for side in (found.human, found.judge, found.difference))
        assert human is not None
        assert judge is not None
        assert difference is not None
        assert difference.value == near(judge.value - human.value)
        assert difference.low is not None
        assert difference.high is not None
        assert difference.low < 0 < difference.high
        assert human.low is not None
        assert human.high is not None
        assert difference.high - difference.low < 2 * (human.high - human.low)


def test_means_of_the_others_are_correlated_with_what_was_left_out() -> None:
    people, judge = three(3)
    table = people.astype(float)
    table[::7, 1] = np.nan
    own, judged, mean = [], [], []
    for row, verdict in zip(table, judge, strict=True):
        for rater in range(3):
            rest = [x for i, x in enumerate(row) if i != rater and not np.isnan(x)]
            if rest and not np.isnan(row[rater]):
                own.append(row[rater])
                judged.append(verdict)
                mean.append(np.mean(rest))
    found = ceiling(table, judge, against="mean")
    for name, function in (("pearson", "pearsonr"), ("spearman", "spearmanr"), ("kendall", "kendalltau")):
        for side, values in ((found.human, own), (found.judge, judged)):
            estimate = side[name].estimate
            assert estimate is not None
            assert estimate.value == near(getattr(scipy_stats, function)(values, mean)[0], abs=1e-9)
    assert found.annotators["pearson"][0] is not None
    reason = ceiling(table, judge, against="mean", statistics=["kappa"]).human["kappa"].reason
    assert reason == "a mean is no label; compare with the majority"


def test_scores_without_steps_and_clusters_are_taken_too() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(size=(300, 1))
    people, judge = truth + rng.normal(size=(300, 3)), truth[:, 0] + rng.normal(size=300)
    clusters = np.repeat(np.arange(60), 5)
    found = ceiling(people, judge, against="mean", statistics=["pearson"], clusters=clusters, resamples=400)
    estimate = found.human["pearson"].estimate
    assert estimate is not None
    assert estimate.method == "bca bootstrap, 400 resamples of clusters"
    assert estimate.value == near(1 / np.sqrt(2 * 1.5), abs=0.12)
    difference = found.difference["pearson"].estimate
    assert difference is not None
    assert abs(difference.value) < 0.1


def test_without_a_judge_there_is_only_the_ceiling() -> None:
    people, _ = three(5)
    found = ceiling(people)
    assert found.human["accuracy"].estimate is not None
    assert (found.judge, found.difference) == ({}, {})
    for name, statistic in ceiling(people, people[:, 0]).human.items():
        plain = found.human[name].estimate
        assert statistic.estimate is not None
        assert plain is not None
        assert statistic.estimate.value == plain.value


def test_items_that_the_judge_did_not_answer_are_left_out() -> None:
    people, judge = three(6, 50)
    verdicts = [None if i % 5 == 0 else int(verdict) for i, verdict in enumerate(judge)]
    found = ceiling(people.tolist(), verdicts)
    assert found.items == 40
    kept = [i for i, verdict in enumerate(verdicts) if verdict is not None]
    assert found == ceiling(people[kept].tolist(), judge[kept])


def test_what_never_varies_says_whose_side_it_is() -> None:
    people = [[1, 2, 1], [2, 1, 2], [1, 1, 2], [2, 2, 1]]
    found = ceiling(people, [1, 1, 1, 1], against="mean", statistics=["pearson"])
    assert found.human["pearson"].estimate is not None
    assert found.judge["pearson"].reason == "the judge gives one label only"
    assert found.difference["pearson"].reason == "the judge gives one label only"
    same = ceiling([[1, 1], [1, 1]], against="mean", statistics=["pearson"])
    assert same.human["pearson"].reason == "both sides give one label only"


def test_what_cannot_be_compared_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="2 items and 1 ratings by the judge"):
        ceiling([[1, 2], [1, 2]], [1])
    with pytest.raises(ValueError, match="the others' mean needs numbers"):
        ceiling([["a", "b"]], against="mean")
    with pytest.raises(ValueError, match="2 items and 1 cluster codes"):
        ceiling([[1, 2], [1, 2]], clusters=[1])
    with pytest.raises(ValueError, match="have no majority; compare with the mean"):
        ceiling(np.random.default_rng(0).normal(size=(600, 2)))
