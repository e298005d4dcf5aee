from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit.stats import bootstrap, bootstrap_rows, bootstrap_totals, mean_estimate
from llmkit.types import Estimate, Table
from tests.stats.test_intervals import coverage

near = pytest.approx


def ratio(totals: Any) -> Any:
    return totals[:, 0] / totals[:, 1]


def some_stats(n: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    length = rng.poisson(20, n) + 1.0
    return np.stack([rng.binomial(length.astype(int), 0.4), length], axis=1).astype(float)


def by_hand(stats: Any, value: Callable[[Any], Any], resamples: int, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    indices = rng.choice(len(stats), size=(resamples, len(stats)), replace=True)
    values = np.sort(value(stats[indices].sum(axis=1)))
    place = resamples // 40
    return float(values[place]), float(values[-1 - place])


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.sampled_from([40, 200, 1000]), st.integers(0, 2**32))
def test_it_is_the_textbook_bootstrap(n: int, resamples: int, seed: int) -> None:
    stats = some_stats(n, seed)
    found = bootstrap_totals(stats, ratio, resamples=resamples, seed=seed)
    low, high = by_hand(stats, ratio, resamples, seed)
    if low == high:  # few rows: every resample is alike, and that is no interval
        assert (found.low, found.high) in ((None, None), (near(low), near(high)))
        return
    assert (found.low, found.high) == near((low, high))
    assert found.value == near(stats[:, 0].sum() / stats[:, 1].sum())
    assert found.method == f"bootstrap, {resamples} resamples"


def test_numpy_is_imported_only_when_something_is_estimated() -> None:
    code = (
        "import sys, llmkit.stats, llmkit.store; sys.exit(any(m in sys.modules for m in ('numpy', 'scipy', 'asyncio')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_size_of_the_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stats = some_stats(501)
    whole = bootstrap_totals(stats, ratio, seed=7)
    monkeypatch.setattr(bootstrap, "_CHUNK_BYTES", 501 * 8 * 3)
    assert bootstrap_totals(stats, ratio, seed=7) == whole


def test_the_interval_of_sacrebleu_itself() -> None:
    bleu = pytest.importorskip("sacrebleu.metrics").BLEU()
    rng = np.random.default_rng(5)
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "slept", "all", "day"]
    references = [" ".join(rng.choice(words, 12)) for _ in range(200)]
    outputs = [" ".join(w if rng.random() < 0.8 else rng.choice(words) for w in line.split()) for line in references]
    theirs = bleu.corpus_score(outputs, [references], n_bootstrap=1000)
    stats = np.array(bleu._extract_corpus_statistics(outputs, [references]), dtype=float)

    def score(totals: Any) -> Any:
        return np.array([bleu._compute_score_from_stats(row).score for row in totals])

    found = bootstrap_totals(stats, score, resamples=1000, seed=12345)
    assert found.value == near(theirs.score)
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 == near(theirs._ci, rel=1e-4)


def test_clusters_are_drawn_whole() -> None:
    stats = some_stats(300)
    codes = np.repeat(np.arange(100), 3) * 11
    together = bootstrap_totals(stats, ratio, clusters=codes, seed=3)
    added = stats.reshape(100, 3, 2).sum(axis=1)
    expected = bootstrap_totals(added, ratio, seed=3)
    assert (together.low, together.high) == near((expected.low, expected.high))
    assert (together.n, together.method) == (300, "bootstrap, 1000 resamples of clusters")


def test_many_rows_are_resampled_in_blocks_of_the_same_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    stats = some_stats(20_000)
    plain = bootstrap_totals(stats, ratio, resamples=4000)
    monkeypatch.setattr(bootstrap, "MANY_ROWS", 15_000)
    blocks = bootstrap_totals(stats, ratio, resamples=4000)
    assert blocks.method == "bootstrap, 4000 resamples of 10000 blocks of rows"
    assert blocks.value == plain.value
    assert width(blocks) == near(width(plain), rel=0.08)


def width(estimate: Estimate) -> float:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.high - estimate.low


def test_memory_stays_flat() -> None:
    stats = some_stats(60_000)
    tracemalloc.start()
    bootstrap_totals(stats, ratio, resamples=200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


def test_what_has_no_interval_says_why() -> None:
    assert bootstrap_totals(np.ones((1, 2)), ratio) == Estimate(1.0, None, None, 1, "none: one sample")
    clusters = np.zeros(4)
    assert bootstrap_totals(np.ones((4, 2)), ratio, clusters=clusters).method == "none: one cluster"
    with pytest.raises(ValueError, match="at least one row"):
        bootstrap_totals(np.ones((0, 2)), ratio)
    with pytest.raises(ValueError, match="needs at least 40 resamples, not 39"):
        bootstrap_totals(np.ones((2, 2)), ratio, resamples=39)


def test_resamples_that_are_all_equal_claim_no_certainty() -> None:
    found = bootstrap_totals(np.full((20, 2), 0.1), lambda totals: 100 * ratio(totals))
    assert (found.low, found.high, found.method) == (None, None, "none: all resamples are equal")
    right = Table([[0.0] * 9, [0.0] * 9], [("a",), ("a",)])
    for metric in (Accuracy(), FastAccuracy()):
        perfect = bootstrap_rows(right, metric)
        assert perfect is not None
        assert (perfect.value, perfect.low, perfect.method) == (1.0, None, "none: all resamples are equal")


def test_undefined_resamples_are_left_out_and_counted() -> None:
    stats = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 1.0], [0.0, 0.0]])
    with np.errstate(invalid="ignore"):
        few = bootstrap_totals(stats, ratio)
        most = bootstrap_totals(np.array([[1.0, 1.0]] + [[0.0, 0.0]] * 5), lambda t: np.where(t[:, 1] > 1, 1.0, np.nan))
    assert few.method.startswith("bootstrap, 1000 resamples, ")
    assert few.method.endswith(" undefined")
    assert (few.low, few.high) == (0.5, 1.0)
    assert most.low is None
    assert most.method.startswith("none: undefined in ")


class Accuracy:
    """Share of rows whose two codes agree; counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def value_of(self, table: Table) -> float | None:
        self.calls += 1
        gold, predicted = np.asarray(table.columns[0]), np.asarray(table.columns[1])
        return float((gold == predicted).mean()) if len(gold) else None


class FastAccuracy(Accuracy):
    def value_many(self, table: Table, weights: Any) -> Any:
        right = np.asarray(table.columns[0]) == np.asarray(table.columns[1])
        return weights @ right / weights.sum(axis=1)


def labels(n: int, kinds: int = 3) -> Table:
    rng = np.random.default_rng(1)
    gold = rng.integers(0, kinds, n)
    predicted = np.where(rng.random(n) < 0.7, gold, rng.integers(0, kinds, n))
    return Table([gold.tolist(), predicted.tolist()], [("a", "b", "c"), ("a", "b", "c")])


def test_rows_by_value_of_are_the_textbook_bootstrap() -> None:
    table = labels(80)
    metric = Accuracy()
    found = bootstrap_rows(table, metric, resamples=200, seed=4)
    assert found is not None
    right = (np.asarray(table.columns[0]) == np.asarray(table.columns[1])).astype(float)
    ones = np.stack([right, np.ones(80)], axis=1)
    assert (found.low, found.high) == near(by_hand(ones, ratio, 200, 4))
    assert metric.calls == 201


def test_value_many_on_distinct_rows_gives_the_same_distribution() -> None:
    table = labels(400)
    metric = FastAccuracy()
    slow = bootstrap_rows(table, Accuracy(), resamples=3000)
    fast = bootstrap_rows(table, metric, resamples=3000)
    assert slow is not None
    assert fast is not None
    assert metric.calls == 1
    assert fast.value == slow.value
    assert width(fast) == near(width(slow), rel=0.1)
    assert fast.method == slow.method


def test_rows_of_a_cluster_are_drawn_together() -> None:
    table = labels(60)
    codes = np.arange(60) // 4
    for metric in (Accuracy(), FastAccuracy()):
        found = bootstrap_rows(table, metric, clusters=codes, resamples=400)
        assert found is not None
        assert found.method == "bootstrap, 400 resamples of clusters"
    doubled = Table([np.repeat(column, 2).tolist() for column in table.columns], table.vocabulary)
    one = bootstrap_rows(doubled, FastAccuracy(), clusters=np.repeat(np.arange(60), 2), seed=1)
    two = bootstrap_rows(Table([list(c) for c in table.columns], table.vocabulary), Accuracy(), seed=1)
    assert one is not None
    assert two is not None
    assert (one.low, one.high) == near((two.low, two.high))  # copies add no certainty


def test_very_many_different_rows_take_the_jackknife(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    table = Table([rng.normal(size=6000).tolist(), rng.normal(size=6000).tolist()], [(), ()])

    class Mean(FastAccuracy):
        def value_of(self, table: Table) -> float | None:
            return float(np.mean(table.columns[0]))

        def value_many(self, table: Table, weights: Any) -> Any:
            return weights @ np.asarray(table.columns[0]) / weights.sum(axis=1)

    monkeypatch.setattr(bootstrap, "MANY_ROWS", 5000)
    found = bootstrap_rows(table, Mean())
    assert found is not None
    assert found.method == "jackknife, 100 groups of rows"
    exact = mean_estimate(np.asarray(table.columns[0]), binary=False)
    assert width(found) == near(width(exact), rel=0.25)


def test_a_metric_without_a_value_has_no_estimate() -> None:
    class Nothing(Accuracy):
        def value_of(self, table: Table) -> float | None:
            return None

    assert bootstrap_rows(labels(5), Nothing()) is None
    with pytest.raises(ValueError, match="at least one row"):
        bootstrap_rows(Table([], []), Nothing())
    alone = bootstrap_rows(labels(1), Accuracy())
    assert alone is not None
    assert alone.method == "none: one sample"


class ShareOfOnes:
    bounds = (0.0, 1.0)

    def value_of(self, table: Table) -> float | None:
        return float(np.mean(table.columns[0]))


def test_the_jackknife_claims_no_certainty_and_stays_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "MANY_ROWS", 200)
    right = [1.0] * 1000
    same = bootstrap_rows(Table([right], [()]), ShareOfOnes())
    assert same is not None
    assert (same.value, same.low, same.high) == (1.0, None, None)
    right[0] = 0.0
    found = bootstrap_rows(Table([right], [()]), ShareOfOnes())
    assert found is not None
    assert found.high == 1.0
    clustered = bootstrap_rows(Table([right], [()]), ShareOfOnes(), clusters=np.arange(1000) // 2)
    assert clustered is not None
    assert clustered.method == "jackknife, 100 groups of clusters"


def test_the_memory_of_many_different_label_pairs_is_bounded() -> None:
    class Many:
        def value_of(self, table: Table) -> float | None:
            return 0.5

        def value_many(self, table: Table, weights: Any) -> Any:
            return weights.mean(axis=1)

    column = [float(i // 2) for i in range(30_000)]
    tracemalloc.start()
    try:
        bootstrap_rows(Table([column], [()]), Many())
        assert tracemalloc.get_traced_memory()[1] < 120e6  # 1,000 resamples of 15,000 pairs at once would be 240 MB
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 400])
def test_the_bootstrap_covers_as_it_says(n: int) -> None:
    found = [bootstrap_totals(some_stats(n, seed), ratio, resamples=400, seed=seed) for seed in range(1500)]
    assert 0.93 <= coverage(found, 0.4) <= 0.97


@pytest.mark.slow
def test_the_bootstrap_in_blocks_covers_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "MANY_ROWS", 1000)
    monkeypatch.setattr(bootstrap, "BLOCKS", 200)
    found = [bootstrap_totals(some_stats(2000, seed), ratio, resamples=400, seed=seed) for seed in range(1500)]
    assert 0.93 <= coverage(found, 0.4) <= 0.97


@pytest.mark.slow
def test_the_bootstrap_of_clusters_covers_as_it_says() -> None:
    found = []
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        codes = np.repeat(np.arange(60), 4)
        values = rng.normal(size=60)[codes] + rng.normal(size=240)
        stats = np.stack([values, np.ones(240)], axis=1)
        found.append(bootstrap_totals(stats, ratio, resamples=400, seed=seed, clusters=codes))
    assert 0.93 <= coverage(found, 0.0) <= 0.97
