"""pr_auc, roc_auc, precision_at_recall and recall_at_precision beside scikit-learn."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.preprocessing import label_binarize

from llmkit.errors import ConfigError
from llmkit.metrics._curves import RankedRows
from llmkit.metrics.pr_auc import PrAuc
from llmkit.metrics.precision_at_recall import PrecisionAtRecall
from llmkit.metrics.recall_at_precision import RecallAtPrecision
from llmkit.metrics.roc_auc import RocAuc
from llmkit.types import Output, Sample, Skipped, Table

Rows = Sequence[tuple[int, float]]
LABELS = ("a", "b", "c")
TIED = st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.7, 0.9, 1.0])
FREE = st.floats(-1e6, 1e6, allow_nan=False, width=64)
ROWS = st.lists(st.tuples(st.integers(0, 1), TIED | FREE), min_size=1, max_size=40)
METRICS: tuple[RankedRows, ...] = (
    PrAuc(),
    RocAuc(),
    PrecisionAtRecall(),
    PrecisionAtRecall(recall=0.5),
    RecallAtPrecision(),
    RecallAtPrecision(precision=0.5),
)


def table(rows: Rows) -> Table:
    return Table([[float(gold) for gold, _ in rows], [score for _, score in rows]], [(), ()])


def by_sklearn(metric: RankedRows, rows: Rows) -> float:
    gold, scores = zip(*rows, strict=True)
    if isinstance(metric, PrAuc):
        return float(sk.average_precision_score(gold, scores))
    if isinstance(metric, RocAuc):
        return float(sk.roc_auc_score(gold, scores))
    precision, recall, _ = sk.precision_recall_curve(gold, scores)
    if isinstance(metric, PrecisionAtRecall):
        return float(max(precision[recall >= metric.recall]))
    assert isinstance(metric, RecallAtPrecision)
    return float(max(recall[precision >= metric.precision]))


@pytest.mark.parametrize("metric", METRICS, ids=str)
@given(rows=ROWS)
def test_they_equal_scikit_learn_ties_included(metric: RankedRows, rows: Rows) -> None:
    found = metric.value_of(table(rows))
    if len({gold for gold, _ in rows}) == 1:
        assert found is None
        assert "gold label" in metric.details(table(rows))["no_value"]
        return
    assert found == pytest.approx(by_sklearn(metric, rows), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_they_equal_scikit_learn_on_many_rows(metric: RankedRows) -> None:
    rng = np.random.default_rng(3)
    gold = rng.random(20_000) < 0.1
    scores = np.round(rng.normal(gold * 1.5, 1.0), 3)
    rows = list(zip(gold.astype(int).tolist(), scores.tolist(), strict=True))
    assert metric.value_of(table(rows)) == pytest.approx(by_sklearn(metric, rows), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=str)
@given(rows=ROWS, data=st.data())
def test_range_order_and_rising_functions(metric: RankedRows, rows: Rows, data: st.DataObject) -> None:
    found = metric.value_of(table(rows))
    assert found is None or 0 <= found <= 1 + 1e-12
    same = None if found is None else pytest.approx(found, abs=1e-12)
    assert metric.value_of(table(data.draw(st.permutations(rows)))) == same
    ranks = {score: float(rank) for rank, score in enumerate(sorted({score for _, score in rows}))}
    assert metric.value_of(table([(gold, ranks[score]) for gold, score in rows])) == same


@pytest.mark.parametrize("metric", METRICS, ids=str)
@given(gold=st.lists(st.integers(0, 1), min_size=2, max_size=20).filter(lambda gold: 0 < sum(gold) < len(gold)))
def test_a_score_that_is_the_gold_label_is_best(metric: RankedRows, gold: list[int]) -> None:
    assert metric.value_of(table([(one, float(one)) for one in gold])) == 1


@pytest.mark.parametrize("metric", METRICS, ids=str)
@given(rows=ROWS, data=st.data())
def test_resamples_by_weight_equal_resamples_by_rows(metric: RankedRows, rows: Rows, data: st.DataObject) -> None:
    counts = st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)).filter(any)
    weights = np.array(data.draw(st.lists(counts, min_size=1, max_size=3)), dtype=np.float64)
    found = metric.value_many(table(rows), weights)
    assert found.shape == (len(weights),)
    for got, row in zip(found, weights, strict=True):
        expected = metric.value_of(
            table([one for one, times in zip(rows, row, strict=True) for _ in range(int(times))])
        )
        assert (math.isnan(got) and expected is None) or got == pytest.approx(expected, abs=1e-12)


def test_constant_scores_are_said_to_rank_nothing() -> None:
    rows = [(1, 0.5), (0, 0.5), (0, 0.5)]
    assert RocAuc().value_of(table(rows)) == 0.5
    assert PrAuc().value_of(table(rows)) == pytest.approx(1 / 3)
    assert "same score" in RocAuc().details(table(rows))["notes"][0]


def test_no_rows_have_no_value() -> None:
    assert PrAuc().value_of(Table([], [])) is None


def test_an_unreachable_precision_is_said() -> None:
    rows = [(0, 0.9), (1, 0.5), (0, 0.1)]
    metric = RecallAtPrecision(precision=0.9)
    assert metric.value_of(table(rows)) == 0
    assert "No threshold reaches a precision of 0.9" in metric.details(table(rows))["notes"][0]


@pytest.mark.parametrize("metric", [PrecisionAtRecall(recall=0.6), RecallAtPrecision(precision=0.6)], ids=str)
@given(rows=ROWS)
def test_the_threshold_in_the_details_gives_the_value(metric: RankedRows, rows: Rows) -> None:
    details = metric.details(table(rows))
    assert json.loads(json.dumps(details)) == details
    assume(len(details["tables"]) == 2)
    threshold, precision, recall, taken = details["tables"][1]["rows"][0]
    kept = [gold for gold, score in rows if score >= threshold]
    assert taken == len(kept)
    assert precision == pytest.approx(sum(kept) / len(kept))
    assert recall == pytest.approx(sum(kept) / sum(gold for gold, _ in rows))
    assert metric.value_of(table(rows)) == pytest.approx(precision if isinstance(metric, PrecisionAtRecall) else recall)


def of_labels(metric: Any, gold: Sequence[str], scores: Any) -> Table:
    rows = []
    for label, row in zip(gold, scores, strict=True):
        found = metric.stats(
            Sample("1", answer=label, meta={"p": dict(zip(LABELS, row, strict=True))}), Output("1", "whatever")
        )
        assert not isinstance(found, Skipped)
        rows.append(found)
    words = sorted(set(gold))
    columns = [[float(words.index(str(row[0]))) for row in rows], *([float(row[k]) for row in rows] for k in (1, 2, 3))]
    return Table(columns, [words, (), (), ()])


@given(gold=st.lists(st.sampled_from(LABELS), min_size=4, max_size=25), seed=st.integers(0, 1000))
def test_over_labels_they_equal_scikit_learn(gold: list[str], seed: int) -> None:
    scores = np.round(np.random.default_rng(seed).dirichlet([1, 1, 1], len(gold)), 2)
    scores[:, 0] = 1 - scores[:, 1:].sum(axis=1)
    ap, auc = (cls(labels=LABELS, source="meta", key="p") for cls in (PrAuc, RocAuc))
    rows = of_labels(ap, gold, scores)
    present = [label for label in LABELS if label in gold]
    if len(present) < 2:
        assert ap.value_of(rows) is None
        assert auc.details(rows)["no_value"] == "all rows have one gold label"
        return
    truth = label_binarize(gold, classes=list(LABELS))
    columns = [LABELS.index(label) for label in present]
    expected = sk.average_precision_score(truth[:, columns], scores[:, columns], average="macro")
    assert ap.value_of(rows) == pytest.approx(expected, abs=1e-12)
    if len(present) == len(LABELS):
        expected = sk.roc_auc_score(gold, scores, multi_class="ovr", average="macro", labels=list(LABELS))
        assert auc.value_of(rows) == pytest.approx(expected, abs=1e-12)
        assert "notes" not in auc.details(rows)
    else:
        assert "Not in the mean" in auc.details(rows)["notes"][0]
        each = [sk.roc_auc_score(truth[:, column], scores[:, column]) for column in columns]
        assert auc.value_of(rows) == pytest.approx(np.mean(each), abs=1e-12)


@pytest.mark.parametrize(
    ("cls", "arguments", "said"),
    [
        (PrecisionAtRecall, {"recall": 0.0}, "recall must be above 0"),
        (RecallAtPrecision, {"precision": 1.5}, "precision must be above 0"),
        (PrecisionAtRecall, {"labels": ("a", "b"), "source": "logprobs"}, "positive=LABEL"),
        (PrAuc, {"labels": ("a", "b")}, "the score of one label"),
        (PrAuc, {"labels": ("a", "b"), "positive": "c"}, "none of the labels"),
        (RocAuc, {"source": "meta"}, "needs key=FIELD"),
        (RocAuc, {"key": "x"}, "key has no meaning"),
        (RocAuc, {"per": "token"}, "loglikelihoods only"),
    ],
)
def test_what_does_not_fit_together_is_said(cls: Any, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        cls(**arguments)


def test_the_signature_names_what_makes_the_number() -> None:
    signature = RocAuc(positive="spam", source="json", key="p").signature
    assert "positive:spam|source:json|key:p|" in signature
    assert "impl:llmkit-" in signature
    assert PrecisionAtRecall().signature.startswith("recall:0.9|")
