from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

from llmkit.metrics.bleu import Bleu
from llmkit.metrics.f1 import F1
from llmkit.metrics.roc_auc import RocAuc
from llmkit.stats import bootstrap, decide, paired_difference, paired_rows, paired_totals
from llmkit.stats.bootstrap import drawn_counts
from llmkit.stats.paired_corpus import compare_totals, drawn_bytes, prepare
from llmkit.types import Output, Sample, Skipped, Table

near = pytest.approx


def bleu_rows(outputs: list[str], references: list[str]) -> np.ndarray[Any, Any]:
    rows = []
    for output, reference in zip(outputs, references, strict=True):
        row = Bleu("none").stats(Sample("", references=(reference,)), Output("", output))
        assert not isinstance(row, Skipped)
        rows.append(row)
    return np.array(rows)


def texts(n: int, errors: float, seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(7)
    references = [" ".join(f"w{k}" for k in rng.integers(0, 50, 12)) for _ in range(n)]
    rng = np.random.default_rng(seed)
    outputs = [" ".join("x" if rng.random() < errors else word for word in text.split()) for text in references]
    return outputs, references


def mean_of(totals: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with np.errstate(invalid="ignore"):
        return np.asarray(totals[:, 0] / totals[:, 1])


def test_both_p_are_those_of_sacrebleu() -> None:
    base, references = texts(120, 0.20, 1)
    for seed, errors in ((2, 0.20), (3, 0.22), (4, 0.24)):
        candidate, _ = texts(120, errors, seed)
        theirs = {}
        for kind in ("ar", "bs"):
            systems = [("base", base), ("candidate", candidate)]
            _, scores = PairedTest(systems, {"BLEU": BLEU(tokenize="none")}, [references], kind, n_samples=500)()
            theirs[kind] = scores["BLEU"][1].p_value
        found = paired_totals(
            bleu_rows(base, references),
            bleu_rows(candidate, references),
            lambda totals: Bleu().value_many(totals, 1),
            resamples=500,
            seed=12345,
        )
        assert found is not None
        assert (found.p, found.p_bootstrap) == (theirs["ar"], theirs["bs"])
        assert found.test == "approximate randomisation, 500 swaps"


def test_a_mean_made_of_totals_agrees_with_the_paired_mean() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(300)
    candidate = base + rng.normal(0.012, 0.1, 300)
    plain = paired_difference(base, candidate, resamples=20_000)
    ones = np.ones(300)
    found = paired_totals(
        np.stack([base, ones], axis=1), np.stack([candidate, ones], axis=1), mean_of, resamples=20_000
    )
    assert found is not None
    assert found.difference.value == near(plain.difference.value)
    assert (found.difference.low, found.difference.high) == near(
        (plain.difference.low, plain.difference.high), abs=0.001
    )
    assert found.p == near(plain.p, abs=0.01)
    assert found.error == near(plain.error, rel=0.03)
    assert decide(found).verdict == decide(plain).verdict


def test_the_size_of_the_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    base, candidate = (np.stack([rng.random(77), np.ones(77)], axis=1) for _ in range(2))
    whole = paired_totals(base, candidate, mean_of, resamples=300)
    monkeypatch.setattr(bootstrap, "_CHUNK_BYTES", 8 * 77 * 64)
    assert paired_totals(base, candidate, mean_of, resamples=300) == whole


def test_swapped_runs_say_the_same() -> None:
    rng = np.random.default_rng(5)
    base, candidate = (np.stack([rng.random(60), np.ones(60)], axis=1) for _ in range(2))
    found, swapped = (paired_totals(*runs, mean_of) for runs in ((base, candidate), (candidate, base)))
    assert found is not None
    assert swapped is not None
    assert (swapped.p, swapped.p_bootstrap) == (found.p, found.p_bootstrap)
    assert found.difference.low is not None
    assert swapped.difference.high == near(-found.difference.low)


def test_a_run_beside_itself_does_not_differ() -> None:
    rows = np.stack([np.random.default_rng(5).random(60), np.ones(60)], axis=1)
    found = paired_totals(rows, rows, mean_of)
    assert found is not None
    assert (found.p, found.up, found.down) == (1.0, 0, 0)
    assert decide(found).verdict == "pass"
    table = Table([[0.0, 1, 1, 0, 1], [0.0, 1, 0, 0, 1]], [("no", "yes"), ("no", "yes")])
    same = paired_rows(table, table, F1(labels=("no", "yes")))
    assert same is not None
    assert (same.p, decide(same).verdict) == (1.0, "pass")


def test_clusters_are_swapped_whole_and_repeats_added_up() -> None:
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(15), 6)
    base = rng.random(90)
    candidate = base + rng.normal(0, 0.2, 15)[clusters]
    first, second = (np.stack([values, np.ones(90)], axis=1) for values in (base, candidate))
    whole = paired_totals(first, second, mean_of, clusters=clusters, resamples=4000)
    plain = paired_totals(first, second, mean_of, resamples=4000)
    repeated = paired_totals(first, second, mean_of, samples=(clusters, clusters), resamples=4000)
    mean = paired_difference(base, candidate, clusters=clusters)
    assert whole is not None
    assert plain is not None
    assert repeated is not None
    assert whole.p == near(mean.p, abs=0.03)
    assert plain.p != near(mean.p, abs=0.03)
    assert whole.error == near(mean.error, rel=0.1)
    assert "15" not in whole.test
    assert "by cluster" in whole.test
    assert (repeated.n, repeated.p) == (15, whole.p)


def test_what_cannot_be_compared_says_why() -> None:
    rows = np.ones((4, 2))
    with pytest.raises(ValueError, match="the base has 4 rows and the candidate 3"):
        paired_totals(rows, rows[:3], mean_of)
    with pytest.raises(ValueError, match="a table of at least one row"):
        paired_totals(rows[:0], rows[:0], mean_of)
    with pytest.raises(ValueError, match="1 of 4 rows are not finite"):
        paired_totals(rows, np.array([[1, nan], [1, 1], [1, 1], [1, 1]]), mean_of)
    with pytest.raises(ValueError, match="needs at least 40 resamples"):
        paired_totals(rows, rows, mean_of, resamples=39)
    with pytest.raises(ValueError, match="not scored the same samples"):
        paired_totals(rows, rows, mean_of, samples=([0, 1, 2, 3], [0, 1, 2, 4]))
    assert paired_totals(rows * 0, rows, mean_of) is None
    one = paired_totals(rows[:1], 2 * rows[:1], mean_of)
    assert one is not None
    assert (one.p, one.difference.method) == (None, "none: one sample")
    with pytest.raises(ValueError, match="the base has 2 rows and the candidate 1"):
        paired_rows(Table([[1.0, 2]], [()]), Table([[1.0]], [()]), Plain())
    with pytest.raises(ValueError, match="the same columns"):
        paired_rows(Table([[1.0, 2]], [()]), Table([[1.0], [2.0]], [(), ()]), Plain())


@dataclass(frozen=True)
class Plain:
    """The median: a metric of rows without a vectorised form."""

    def value_of(self, table: Table) -> float | None:
        return float(np.median(np.asarray(table.columns[0]))) if len(table.columns[0]) else None


def test_rows_without_a_vectorised_form_are_the_textbook_paired_bootstrap() -> None:
    rng = np.random.default_rng(0)
    base, candidate = rng.normal(size=(2, 25))
    found = paired_rows(Table([base.tolist()], [()]), Table([candidate.tolist()], [()]), Plain(), resamples=200, seed=3)
    drawn = np.random.default_rng(3).integers(0, 25, size=(200, 25))
    changes = np.sort(np.median(candidate[drawn], axis=1) - np.median(base[drawn], axis=1))
    assert found is not None
    assert (found.difference.low, found.difference.high) == near((changes[5], changes[-6]))
    kept = np.random.default_rng(3).integers(2, size=(200, 25), dtype=bool)
    swapped = [np.median(np.where(k, candidate, base)) - np.median(np.where(k, base, candidate)) for k in kept]
    observed = abs(np.median(candidate) - np.median(base))
    assert found.p == near(((np.abs(swapped) >= observed - 1e-12).sum() + 1) / 201)


def labels(n: int, right: float, seed: int) -> Table:
    rng = np.random.default_rng(3)
    gold = rng.integers(0, 3, n)
    rng = np.random.default_rng(seed)
    predicted = np.where(rng.random(n) < right, gold, rng.integers(0, 3, n))
    return Table([gold.astype(float).tolist(), predicted.astype(float).tolist()], [("a", "b", "c")] * 2)


def test_equal_pairs_drawn_together_are_those_drawn_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    metric = F1(labels=("a", "b", "c"), average="macro")
    base, candidate = labels(300, 0.75, 1), labels(300, 0.66, 2)
    counted = paired_rows(base, candidate, metric, resamples=4000)
    alone = paired_rows(base, candidate, metric, resamples=4000, clusters=np.arange(300))
    assert counted is not None
    assert alone is not None
    assert counted.difference.value == alone.difference.value
    assert (counted.difference.low, counted.difference.high) == near(
        (alone.difference.low, alone.difference.high), abs=0.012
    )
    assert counted.p == near(alone.p, abs=0.03)
    monkeypatch.setattr(bootstrap, "MANY_ROWS", 100)
    jackknife = paired_rows(base, candidate, metric, clusters=np.arange(300))
    assert jackknife is not None
    assert jackknife.difference.method == "jackknife, 100 groups of clusters"
    assert jackknife.error == near(alone.error, rel=0.25)
    assert jackknife.p == near(alone.p, abs=0.06)


def test_words_are_matched_whatever_their_codes() -> None:
    metric = F1(labels=("a", "b"), average="macro")
    base = Table([[0.0, 1, 0, 1] * 10, [0.0, 1, 1, 1] * 10], [("a", "b"), ("a", "b")])
    candidate = Table([[1.0, 0, 1, 0] * 10, [2.0, 0, 2, 1] * 10], [("b", "a"), ("b", "c", "a")])
    found = paired_rows(base, candidate, metric)
    assert found is not None
    assert (found.base, found.candidate) == (metric.value_of(base), metric.value_of(candidate))
    recoded = Table([[0.0, 1, 0, 1] * 10, [0.0, 1, 1, 1] * 10], [("a", "b"), ("a", "b")])
    again = paired_rows(base, recoded, metric)
    assert again is not None
    assert again.p == 1.0


def test_an_area_under_the_curve() -> None:
    rng = np.random.default_rng(0)
    gold = (rng.random(200) < 0.4).astype(float)
    tables = [Table([gold.tolist(), (gold + rng.normal(0, s, 200)).tolist()], [(), ()]) for s in (1.0, 1.0, 4.0)]
    alike, worse = (paired_rows(tables[0], other, RocAuc(), resamples=400) for other in tables[1:])
    assert alike is not None
    assert worse is not None
    assert decide(alike).verdict == "inconclusive"
    assert decide(worse).verdict == "regressed"


def test_metrics_that_share_their_draws_get_what_they_get_alone() -> None:
    rng = np.random.default_rng(3)
    runs = []
    for k, units in enumerate((90, 90, 60)):
        base, candidate = rng.random((units, 2 + k)), rng.random((units, 2 + k))
        runs.append((base + 1, candidate + 1))
    equal = np.ones((90, 2))
    runs.append((equal, equal))
    together = compare_totals(
        [one for run in runs if (one := prepare(*run, mean_of, seed=5)) is not None], resamples=400, seed=5
    )
    alone = [paired_totals(*run, mean_of, resamples=400, seed=5) for run in runs]
    assert together == alone
    assert [result.p_bootstrap is None for result in together] == [False, False, False, True]


def test_draws_of_a_byte_each_are_sacrebleus_draws() -> None:
    for units in (1, 7, 300):
        bytes_, floats = (
            np.concatenate(list(draw(units, 50, np.random.default_rng(12345)))) for draw in (drawn_bytes, drawn_counts)
        )
        assert np.array_equal(bytes_, floats)
