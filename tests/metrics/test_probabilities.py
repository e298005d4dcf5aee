"""Where scores come from; brier and log_loss beside scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from llmkit.metrics._label_tokens import label_probabilities
from llmkit.metrics.brier import Brier
from llmkit.metrics.log_loss import LogLoss
from llmkit.metrics.roc_auc import RocAuc
from llmkit.text.normalise import normaliser
from llmkit.types import Loglikelihood, Output, Response, Sample, Skipped, TokenLogprob

LABELS = ("a", "b", "c")


def said(text: str, **fields: Any) -> Output:
    return Output("1", text, response=Response(text=text, **fields))


def token(text: str, *top: tuple[str, float]) -> TokenLogprob:
    """Make a token of probabilities; its own is that of its text among them."""
    return TokenLogprob(text, math.log(dict(top).get(text, 0.9)), tuple((one, math.log(p)) for one, p in top))


@given(rows=st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=30))
def test_brier_and_log_loss_equal_scikit_learn_for_two_labels(rows: list[tuple[bool, float]]) -> None:
    pairs = [(Sample("1", answer="yes" if gold else "no"), Output("1", repr(p))) for gold, p in rows]
    gold, p = zip(*rows, strict=True)
    found = np.mean([Brier().score(*pair) for pair in pairs])
    assert found == pytest.approx(sk.brier_score_loss(gold, p, labels=[False, True]), abs=1e-12)
    found = np.mean([LogLoss().score(*pair) for pair in pairs])
    assert found == pytest.approx(sk.log_loss(gold, p, labels=[False, True]), abs=1e-12)


@given(gold=st.lists(st.sampled_from(LABELS), min_size=1, max_size=20), seed=st.integers(0, 1000))
def test_brier_and_log_loss_equal_scikit_learn_for_three_labels(gold: list[str], seed: int) -> None:
    probabilities = np.random.default_rng(seed).dirichlet([0.3, 1, 1], len(gold))
    pairs = [
        (Sample("1", answer=label, meta={"p": dict(zip(LABELS, map(float, row), strict=True))}), Output("1", ""))
        for label, row in zip(gold, probabilities, strict=True)
    ]
    brier, loss = Brier(source="meta", key="p"), LogLoss(source="meta", key="p")
    expected = sk.brier_score_loss(gold, probabilities, labels=list(LABELS))
    assert np.mean([brier.score(*pair) for pair in pairs]) == pytest.approx(expected, abs=1e-12)
    half = Brier(scale="half", source="meta", key="p")
    assert np.mean([half.score(*pair) for pair in pairs]) == pytest.approx(expected / 2, abs=1e-12)
    expected = sk.log_loss(gold, probabilities, labels=list(LABELS))
    assert np.mean([loss.score(*pair) for pair in pairs]) == pytest.approx(expected, abs=1e-12)


@given(p=st.floats(0, 1), gold=st.booleans())
def test_the_truth_is_best_and_ranges_hold(p: float, gold: bool) -> None:
    sample = Sample("1", answer="1" if gold else "0")
    for metric in (Brier(), LogLoss()):
        value, best = (metric.score(sample, Output("1", repr(x))) for x in (p, 1.0 if gold else 0.0))
        assert not isinstance(value, Skipped)
        assert not isinstance(best, Skipped)
        assert metric.bounds[0] <= best <= value <= metric.bounds[1] + 1e-9
        assert best == pytest.approx(0, abs=1e-12)


def test_two_labels_in_full_are_twice_the_half() -> None:
    sample, output = Sample("1", answer="yes"), Output("1", "0.7")
    assert Brier().score(sample, output) == pytest.approx(0.09)
    assert Brier(scale="full").score(sample, output) == pytest.approx(0.18)


def test_a_gold_label_without_a_probability_has_none() -> None:
    sample = Sample("1", answer="eel", meta={"p": {"cat": 0.4, "dog": 0.6}})
    assert Brier(source="meta", key="p").score(sample, Output("1", "")) == pytest.approx(1 + 0.16 + 0.36)
    assert LogLoss(source="meta", key="p").score(sample, Output("1", "")) == pytest.approx(36.04, abs=0.01)


@pytest.mark.parametrize("text", ["0.75", " 75% ", "7.5e-1"])
def test_an_output_that_is_a_number(text: str) -> None:
    assert RocAuc().stats(Sample("1", references=("Yes",)), Output("1", text)) == pytest.approx((1.0, 0.75))


@pytest.mark.parametrize("text", ["", "about 0.75", "nan", "inf", "true", "yes"])
def test_an_output_that_is_no_number_is_skipped(text: str) -> None:
    found = RocAuc().stats(Sample("1", answer="yes"), Output("1", text))
    assert isinstance(found, Skipped)
    assert "number" in found.reason


@pytest.mark.parametrize(("gold", "expected"), [("true", 1.0), ("1", 1.0), ("-1", 0.0), ("No.", 0.0), (0, 0.0)])
def test_plain_truth_needs_no_positive_label(gold: str | int, expected: float) -> None:
    assert RocAuc().stats(Sample("1", answer=gold), Output("1", "3")) == (expected, 3.0)


@pytest.mark.parametrize(
    ("metric", "sample", "text", "reason"),
    [
        (RocAuc(), Sample("1", answer="spam"), "0.5", "give positive=LABEL"),
        (RocAuc(), Sample("1"), "0.5", "no gold label"),
        (RocAuc(), Sample("1", answer=0, choices=("cat", "dog")), "0.5", "positive=LABEL"),
        (RocAuc(positive="eel"), Sample("1", answer=0, choices=("cat", "dog")), "0.5", "none of the labels of the row"),
        (RocAuc(source="json", key="p"), Sample("1", answer="1"), "no json", "no JSON"),
        (RocAuc(source="json", key="p"), Sample("1", answer="1"), '{"q": 1}', "source and key"),
        (RocAuc(source="json", key="p"), Sample("1", answer="1"), '{"p": true}', "source and key"),
        (RocAuc(source="json"), Sample("1", answer=0, choices=("1", "0")), "[0.1]", "not as long"),
        (RocAuc(source="json"), Sample("1", answer="1"), '{"1": "x"}', "source and key"),
        (RocAuc(source="json"), Sample("1", answer="1"), '{"cat": 0.5}', "positive label is none"),
        (RocAuc(source="json", labels=("a", "b")), Sample("1", answer="a"), '{"a": 1}', "each of the labels"),
        (RocAuc(source="json", labels=("a", "b")), Sample("1", answer="a"), '{"a": 1, "z": 2}', "none of the known"),
        (
            RocAuc(source="json", labels=("a", "b")),
            Sample("1", answer="a"),
            '{"a": 1, "A": 2, "b": 3}',
            "belong to one",
        ),
        (RocAuc(source="json", labels=("a", "b")), Sample("1", answer="z"), '{"a": 1, "b": 2}', "gold label is none"),
        (RocAuc(source="logprobs"), Sample("1", answer="1"), "1", "needs known labels"),
        (RocAuc(source="logprobs", labels=("1", "0"), positive="1"), Sample("1", answer="1"), "1", "top_logprobs"),
        (RocAuc(source="loglikelihoods"), Sample("1", answer=0, choices=("yes", "no")), "", "each choice"),
        (Brier(), Sample("1", answer="1"), "1.2", "between 0 and 1"),
        (Brier(source="json"), Sample("1", answer="a"), '{"a": 0.5, "b": 0.7}', "no probabilities"),
        (Brier(source="json"), Sample("1", answer="a"), '{"a": -0.5, "b": 1.5}', "no probabilities"),
    ],
)
def test_what_cannot_be_scored_is_skipped_with_the_reason(metric: Any, sample: Sample, text: str, reason: str) -> None:
    found = metric.stats(sample, Output("1", text))
    assert isinstance(found, Skipped)
    assert reason in found.reason


def test_json_and_rows_hold_numbers_at_dotted_keys() -> None:
    output = Output("1", 'Sure: {"scores": {"spam": 0.8, "ham": 0.2}}')
    metric = RocAuc(positive="Spam", source="json", key="scores")
    assert metric.stats(Sample("1", answer="ham"), output) == (0.0, 0.8)
    metric = RocAuc(positive="spam", source="meta", key="model.p")
    assert metric.stats(Sample("1", answer="spam", meta={"model": {"p": 0.3}}), Output("1", "")) == (1.0, 0.3)
    assert metric.stats(Sample("1", answer="spam", meta={"model.p": "40%"}), Output("1", "")) == (1.0, 0.4)


def test_a_list_follows_the_choices_or_the_labels() -> None:
    sample = Sample("1", answer="no", choices=("No", "Yes"))
    assert RocAuc(source="json").stats(sample, Output("1", "[0.9, 0.1]")) == (0.0, 0.1)
    metric = RocAuc(source="json", labels=("x", "y"))
    assert metric.stats(Sample("1", answer="x"), Output("1", "[3, 1]")) == ("x", 3, 1)
    assert metric.stats(Sample("1", answer="x", choices=("y", "x")), Output("1", "[3, 1]")) == ("x", 1, 3)


def test_loglikelihoods_go_through_a_softmax() -> None:
    sample = Sample("1", answer=1, choices=("cat", "dog", "eel"))
    lls = tuple(Loglikelihood(logprob, tokens, greedy=False) for logprob, tokens in ((-1.0, 1), (-4.0, 4), (-6.0, 2)))
    loss = LogLoss(source="loglikelihoods").score(sample, said("", loglikelihoods=lls))
    assert loss == pytest.approx(4 + math.log(math.exp(-1) + math.exp(-4) + math.exp(-6)))
    per_token = LogLoss(source="loglikelihoods", per="token").score(sample, said("", loglikelihoods=lls))
    assert per_token == pytest.approx(1 + math.log(2 * math.exp(-1) + math.exp(-3)))
    far = tuple(Loglikelihood(-1e5 - k, 1, greedy=False) for k in range(3))
    loss = LogLoss(source="loglikelihoods").score(sample, said("", loglikelihoods=far))
    assert loss == pytest.approx(1 + math.log(1 + math.exp(-1) + math.exp(-2)))


def test_token_alternatives_are_renormalised_over_the_labels() -> None:
    sample = Sample("1", answer=1, choices=("Paris", "Rome"))
    tokens = (
        token("The"),
        token(" answer"),
        token(" is"),
        token(" B", (" B", 0.5), ("B", 0.1), (" A", 0.2), (" the", 0.1)),
    )
    loss = LogLoss(source="logprobs").score(sample, said("The answer is B", logprobs=tokens))
    assert loss == pytest.approx(-math.log(0.6 / 0.8))


PLAIN = normaliser("label")
SAFE = {"safe": "safe", "unsafe": "unsafe"}


def test_a_label_of_several_tokens_is_known_by_its_first() -> None:
    tokens = (token("uns", ("uns", 0.6), ("Safe", 0.2), ("s", 0.1)), token("afe"))
    assert label_probabilities(tokens, SAFE, PLAIN) == pytest.approx({"unsafe": 0.75, "safe": 0.25})


def test_a_token_that_is_not_among_its_alternatives_counts() -> None:
    tokens = (TokenLogprob("safe", math.log(0.25), (("unsafe", math.log(0.75)),)),)
    assert label_probabilities(tokens, SAFE, PLAIN) == pytest.approx({"unsafe": 0.75, "safe": 0.25})


def test_a_small_letter_in_an_answer_is_a_word() -> None:
    known = {"a": "A", "b": "B"}
    words = [
        token(" is"),
        token(" a", (" a", 0.9), (" B", 0.1)),
        token(" capital"),
        token(" B", (" B", 0.8), (" A", 0.2)),
    ]
    assert label_probabilities([token("It"), *words], known, PLAIN) == pytest.approx({"A": 0.2, "B": 0.8})
    assert label_probabilities([token("b", ("b", 0.8), ("a", 0.2))], known, PLAIN) == pytest.approx(
        {"A": 0.2, "B": 0.8}
    )


@pytest.mark.parametrize(
    ("tokens", "reason"),
    [
        ([], "no token log-probabilities"),
        ([token("perhaps", ("perhaps", 0.9))], "no known label"),
        ([token("un"), token("safely", ("safely", 0.9))], "no known label"),
        ([token("fail"), token("safe", ("safe", 0.9))], "no known label"),
        ([TokenLogprob("safe", -0.1)], "no alternatives"),
    ],
)
def test_tokens_without_a_label_are_skipped(tokens: list[TokenLogprob], reason: str) -> None:
    found = label_probabilities(tokens, SAFE, PLAIN)
    assert isinstance(found, Skipped)
    assert reason in found.reason


def test_labels_that_begin_alike_are_skipped() -> None:
    tokens = [token("po", ("po", 0.9)), token("sitive")]
    found = label_probabilities(tokens, {"positive": "positive", "possible": "possible"}, PLAIN)
    assert isinstance(found, Skipped)
    assert "tell them apart" in found.reason
