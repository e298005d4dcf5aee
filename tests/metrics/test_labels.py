from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from llmkit.errors import ConfigError
from llmkit.metrics import RowsMetric
from llmkit.metrics._classes import LabelRows
from llmkit.metrics._labels import OTHER, Extract, letter
from llmkit.metrics.accuracy import Accuracy
from llmkit.metrics.confusion import Confusion
from llmkit.metrics.f1 import F1
from llmkit.metrics.mcc import Mcc
from llmkit.metrics.precision import Precision
from llmkit.metrics.recall import Recall
from llmkit.types import Output, Sample, Skipped, Table

Pairs = Sequence[tuple[str, str]]
LABELS = ("cat", "dog", "eel", "fox")
PAIRS = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, OTHER])), min_size=1, max_size=30)
AVERAGES = ("macro", "micro", "weighted")
METRICS: tuple[RowsMetric, ...] = (
    Precision(),
    Recall("micro"),
    F1(),
    F1("weighted"),
    F1(labels=LABELS),
    Mcc(),
    Confusion(),
)


def table(pairs: Pairs) -> Table:
    """Code the texts in the order in which they come, each column with its own vocabulary."""
    columns, vocabulary = [], []
    for place in (0, 1):
        words = list(dict.fromkeys(pair[place] for pair in pairs))
        columns.append([float(words.index(pair[place])) for pair in pairs])
        vocabulary.append(words)
    return Table(columns, vocabulary)


def value(metric: RowsMetric, pairs: Pairs) -> float | None:
    return metric.value_of(table(pairs))


def score_by_sklearn(metric: Any, pairs: Pairs, labels: Sequence[str], average: str) -> float:
    function = {Precision: sk.precision_score, Recall: sk.recall_score, F1: sk.f1_score}[type(metric)]
    gold, predicted = zip(*pairs, strict=True)
    return float(function(gold, predicted, labels=list(labels), average=average, zero_division=0))


@given(pairs=PAIRS, data=st.data())
def test_accuracy_equals_scikit_learn_in_any_order(pairs: Pairs, data: st.DataObject) -> None:
    metric = Accuracy(labels=LABELS)
    for order in (pairs, data.draw(st.permutations(pairs))):
        stats = [metric.stats(Sample("s", answer=gold), Output("s", predicted)) for gold, predicted in order]
        totals = sum(float(one[0]) for one in stats if not isinstance(one, Skipped))
        expected = sk.accuracy_score(*zip(*pairs, strict=True))
        assert metric.value([totals], len(stats)) == pytest.approx(expected, abs=1e-12)
    right = [metric.stats(Sample("s", answer=gold), Output("s", gold)) for gold, _ in pairs]
    assert right == [(1.0,)] * len(pairs)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("cls", [Precision, Recall, F1])
@given(pairs=PAIRS)
def test_averages_equal_scikit_learn_over_the_gold_labels(cls: Any, average: Any, pairs: Pairs) -> None:
    metric = cls(average)
    expected = score_by_sklearn(metric, pairs, sorted({gold for gold, _ in pairs}), average)
    assert value(metric, pairs) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("cls", [Precision, Recall, F1])
@given(pairs=PAIRS)
def test_with_labels_they_equal_scikit_learn_over_the_labels_that_occur(cls: Any, average: Any, pairs: Pairs) -> None:
    metric = cls(average, labels=LABELS)
    occurring = sorted({label for pair in pairs for label in pair} - {OTHER})
    expected = score_by_sklearn(metric, pairs, occurring, average)
    assert value(metric, pairs) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("cls", [Precision, Recall, F1])
@given(pairs=PAIRS)
def test_binary_equals_scikit_learn_for_the_positive_label(cls: Any, pairs: Pairs) -> None:
    metric = cls("binary", "dog")
    found = value(metric, pairs)
    if not any("dog" in pair for pair in pairs):
        assert found is None
        return
    expected = score_by_sklearn(metric, [(str(g == "dog"), str(p == "dog")) for g, p in pairs], ["True"], "macro")
    assert found == pytest.approx(expected, abs=1e-12)


@given(pairs=PAIRS)
def test_mcc_equals_scikit_learn_and_has_no_value_for_one_gold_label(pairs: Pairs) -> None:
    gold, predicted = zip(*pairs, strict=True)
    found = value(Mcc(), pairs)
    if len(set(gold)) == 1:
        assert found is None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = sk.matthews_corrcoef(gold, predicted)
    assert found == pytest.approx(expected, abs=1e-12)


@given(pairs=PAIRS)
def test_details_equal_scikit_learn_and_are_plain_json(pairs: Pairs) -> None:
    gold, predicted = zip(*pairs, strict=True)
    details = F1().details(table(pairs))
    assert json.loads(json.dumps(details)) == details
    labels = sorted(set(gold))
    assert details["labels"] == labels
    lumped = [label if label in labels else OTHER for label in predicted]
    confusion = details["confusion"]
    assert confusion["predicted"] == labels + ([OTHER] if OTHER in lumped else [])
    full = sk.confusion_matrix(gold, lumped, labels=[*labels, OTHER])
    assert confusion["matrix"] == full[: len(labels), : len(confusion["predicted"])].tolist()
    assert details["other"] == lumped.count(OTHER)
    figures = sk.precision_recall_fscore_support(gold, predicted, labels=labels, zero_division=0)
    for k, label in enumerate(labels):
        row = details["per_class"][label]
        assert (row["precision"], row["recall"], row["f1"], row["support"]) == pytest.approx([f[k] for f in figures])


def test_details_of_very_many_classes_leave_the_matrix_out() -> None:
    details = Confusion().details(table([(str(k), str(k)) for k in range(101)]))
    assert "confusion" not in details
    assert len(details["per_class"]) == 101


@pytest.mark.parametrize("metric", METRICS, ids=str)
@given(pairs=PAIRS, data=st.data())
def test_resamples_by_weight_equal_resamples_by_rows(metric: LabelRows, pairs: Pairs, data: st.DataObject) -> None:
    counts = st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)).filter(any)
    weights = np.array(data.draw(st.lists(counts, min_size=1, max_size=3)), dtype=np.float64)
    found = metric.value_many(table(pairs), weights)
    assert found.shape == (len(weights),)
    for got, row in zip(found, weights, strict=True):
        drawn = [pair for pair, times in zip(pairs, row, strict=True) for _ in range(int(times))]
        expected = value(metric, drawn)
        assert (math.isnan(got) and expected is None) or got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=str)
@given(pairs=PAIRS, data=st.data())
def test_range_order_and_identity(metric: LabelRows, pairs: Pairs, data: st.DataObject) -> None:
    found = value(metric, pairs)
    assert found is None or (-1 if isinstance(metric, Mcc) else 0) <= found <= 1 + 1e-12
    shuffled = data.draw(st.permutations(pairs))
    assert value(metric, shuffled) == (None if found is None else pytest.approx(found, abs=1e-12))
    perfect = value(metric, [(gold, gold) for gold, _ in pairs])
    assert perfect is None or perfect == pytest.approx(1)


def test_unsigned_bytes_as_weights_do_not_overflow() -> None:
    pairs = [("a", "a"), ("b", "a")]
    weights = np.array([[200, 200]], dtype=np.uint8)
    assert Mcc().value_many(table(pairs), weights) == pytest.approx([0])
    assert F1("micro").value_many(table(pairs * 2), np.full((1, 4), 200, dtype=np.uint8)) == pytest.approx([0.5])


def test_a_table_of_no_rows_has_no_value() -> None:
    empty = Table([[], []], [[], []])
    assert [metric.value_of(empty) for metric in METRICS] == [None] * len(METRICS)


def test_a_vocabulary_wider_than_the_rows_adds_no_class() -> None:
    wide = Table([[0.0, 1.0], [0.0, 1.0]], [["a", "b", "z"], ["a", "b", "z"]])
    assert F1().value_of(wide) == 1
    assert F1().details(wide)["labels"] == ["a", "b"]


@pytest.mark.parametrize(
    ("fields", "sample", "output", "expected"),
    [
        ({}, Sample("s", references=("Positive",)), " **positive.**", ("positive", "positive")),
        ({}, Sample("s", references=("-1",)), "1", ("-1", "1")),
        ({}, Sample("s", answer=1), "1", ("1", "1")),
        ({}, Sample("s", answer="no", references=("ignored",)), "No!", ("no", "no")),
        ({}, Sample("s", references=("x",)), "", ("x", OTHER)),
        ({}, Sample("s", references=("x",)), "w" * 201, ("x", OTHER)),
        ({}, Sample("s", references=("w" * 201,)), "W" * 201, ("w" * 201, "w" * 201)),
        ({"normalise": "none"}, Sample("s", references=("x",)), "X", ("x", "X")),
        ({"labels": ("Yes", "No")}, Sample("s", references=("yes",)), "NO.", ("Yes", "No")),
        ({"labels": ("Yes", "No")}, Sample("s", references=("yes",)), "maybe", ("Yes", OTHER)),
        ({"labels": ("Yes", "No")}, Sample("s", references=("yes",)), "Yes, or no?", ("Yes", OTHER)),
        (
            {"labels": ("Yes", "No"), "extract": "first"},
            Sample("s", references=("yes",)),
            "Yes, or no?",
            ("Yes", "Yes"),
        ),
        ({"labels": ("Yes", "No"), "extract": "last"}, Sample("s", references=("yes",)), "Yes, or no?", ("Yes", "No")),
        (
            {"labels": ("Yes", "No"), "extract": "first"},
            Sample("s", references=("yes",)),
            "Nobody knows",
            ("Yes", OTHER),
        ),
        (
            {"labels": ("a", "not a"), "extract": "first"},
            Sample("s", references=("a",)),
            "It is not a.",
            ("a", "not a"),
        ),
        ({"labels": ("a", "not a"), "extract": "last"}, Sample("s", references=("a",)), "It is not a.", ("a", "not a")),
        ({"labels": ("a", "a b"), "extract": "first"}, Sample("s", references=("a",)), "so: a b", ("a", "a b")),
        ({"labels": ("a",), "extract": "first"}, Sample("s", references=("a",)), "banana or a", ("a", "a")),
        ({"labels": ("a",), "extract": "last"}, Sample("s", references=("a",)), "a or banana", ("a", "a")),
        ({}, Sample("s", choices=("Rome", "Paris"), answer=1), "b", ("B", "B")),
        ({}, Sample("s", choices=("Rome", "Paris"), answer=1), "(B)", ("B", "B")),
        ({}, Sample("s", choices=("Rome", "Paris"), answer=1), "paris.", ("B", "B")),
        ({}, Sample("s", choices=("Rome", "Paris"), answer="Paris"), "B) Paris", ("B", "B")),
        ({}, Sample("s", choices=("Rome", "Paris"), answer="B"), "A. Paris", ("B", OTHER)),
        ({}, Sample("s", choices=("Rome", "Paris"), answer="B"), "C", ("B", OTHER)),
        ({}, Sample("s", choices=("Rome", "Paris"), answer="B"), "", ("B", OTHER)),
        ({}, Sample("s", choices=("B", "A"), answer=0), "B", ("A", "A")),
        ({}, Sample("s", choices=("x", "x"), answer=1), "B", ("B", "B")),
        ({}, Sample("s", choices=("x", "x"), answer=0), "x", ("A", "A")),
        ({}, Sample("s", choices=("", "x"), answer=0), "", ("A", OTHER)),
        ({"extract": "last"}, Sample("s", choices=("Rome", "Paris"), answer=1), "Not A, so it's B.", ("B", "B")),
        ({"extract": "first"}, Sample("s", choices=("Rome", "Paris"), answer=1), "Not A, so it's B.", ("B", "A")),
        ({"extract": "last"}, Sample("s", choices=("Rome", "Paris"), answer=1), "It must be Paris!", ("B", "B")),
        ({"extract": "last"}, Sample("s", choices=("Rome", "Paris"), answer=1), "I cannot say", ("B", OTHER)),
        ({"labels": ("Rome", "Paris")}, Sample("s", choices=("Rome", "Paris"), answer=1), "Paris", ("Paris", "Paris")),
    ],
)
def test_reads_gold_and_predicted_labels(
    fields: dict[str, Any], sample: Sample, output: str, expected: tuple[str, str]
) -> None:
    assert F1(**fields).stats(sample, Output("s", output)) == expected
    assert Accuracy(**fields).score(sample, Output("s", output)) == float(expected[0] == expected[1])
    assert Confusion(**fields).sample_value(expected) == float(expected[0] == expected[1])


@pytest.mark.parametrize(
    ("fields", "sample", "words"),
    [
        ({}, Sample("s"), "no gold label: the row has neither an answer nor a reference"),
        ({}, Sample("s", references=("",)), "the gold label is empty"),
        ({}, Sample("s", choices=("x", "y"), answer=2), "answer 2 is no index into 2 choices"),
        ({}, Sample("s", choices=("x", "y"), answer=-1), "answer -1 is no index into 2 choices"),
        ({}, Sample("s", choices=("x", "y"), answer="z"), "the gold label is none of the known labels"),
        ({"labels": ("a",)}, Sample("s", references=("b",)), "the gold label is none of the known labels"),
        ({"extract": "last"}, Sample("s", references=("b",)), "extract=last needs known labels"),
    ],
)
def test_a_row_without_a_usable_gold_label_is_skipped(fields: dict[str, Any], sample: Sample, words: str) -> None:
    for metric in (F1(**fields), Accuracy(**fields), Mcc(**fields)):
        found = metric.stats(sample, Output("s", "b"))
        assert isinstance(found, Skipped)
        assert found.reason.startswith(words)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: F1("binary"), "average and positive do not fit together"),
        (lambda: F1("macro", "yes"), "average and positive do not fit together"),
        (lambda: F1("binary", "x", labels=("y",)), "positive: 'x' is none of the labels"),
        (lambda: Accuracy(labels=("Yes", "yes.")), "labels: 'Yes' and 'yes.' are the same label once normalised"),
        (lambda: Mcc(labels=(" ",)), "labels: ' ' cannot be a label"),
        (lambda: Mcc(normalise="no such"), "unknown normalisation 'no such'"),
    ],
)
def test_a_wrong_argument_is_a_config_error(make: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.problems[0].message == message


def test_the_positive_label_is_read_as_the_others_are() -> None:
    metric = F1("binary", "yes", labels=("Yes", "No"))
    assert value(metric, [("Yes", "Yes"), ("No", "Yes")]) == pytest.approx(2 / 3)


def test_undefined_ratios_are_0_and_the_signature_says_so() -> None:
    assert value(Precision(), [("a", "b"), ("b", "b")]) == 0.25
    assert "zero_division:0" in Precision().signature


def test_a_single_row_of_a_corpus_metric_has_no_score_of_its_own() -> None:
    assert F1().sample_value(("a", "a")) is None
    assert Accuracy().binary


@given(st.text(alphabet="ABab .,()no-yes", max_size=30), st.sampled_from(["exact", "first", "last"]))
def test_what_is_predicted_is_a_known_label_or_other(output: str, extract: Extract) -> None:
    sample = Sample("s", choices=("yes", "no", "a b"), answer=0)
    found = F1(extract=extract).stats(sample, Output("s", output))
    assert isinstance(found, tuple)
    assert found[1] in {"A", "B", "C", OTHER}


def test_letters_go_on_after_z() -> None:
    assert [letter(index) for index in (0, 25, 26, 27, 52, 701, 702)] == ["A", "Z", "AA", "AB", "BA", "ZZ", "AAA"]
