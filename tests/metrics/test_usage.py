from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.metrics import MeanMetric
from llmkit.metrics.cost import Cost
from llmkit.metrics.latency import Latency
from llmkit.metrics.length import Length
from llmkit.metrics.tokens import Tokens
from llmkit.types import Output, Response, Sample, Skipped

SAMPLE = Sample("s")
ANSWERED = Response("a", tokens_in=10, tokens_out=3, latency=0.25, cost=0.002, cached=True)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [(Latency(), 0.25), (Cost(), 0.002), (Tokens(), 3), (Tokens("in"), 10), (Tokens("total"), 13)],
)
def test_reads_what_the_engine_recorded_also_from_the_cache(metric: MeanMetric, expected: float) -> None:
    assert metric.score(SAMPLE, Output("s", "a", response=ANSWERED)) == expected


@pytest.mark.parametrize("metric", [Latency(), Cost(), Tokens(), Tokens("in"), Tokens("total")])
@pytest.mark.parametrize("response", [None, Response("a")])
def test_what_is_unknown_is_skipped_and_never_0(metric: MeanMetric, response: Response | None) -> None:
    found = metric.score(SAMPLE, Output("s", "a", response=response))
    assert isinstance(found, Skipped)
    assert found.reason


def test_half_of_a_total_is_unknown() -> None:
    found = Tokens("total").score(SAMPLE, Output("s", "a", response=Response("a", tokens_out=3)))
    assert isinstance(found, Skipped)


def test_a_free_answer_costs_0() -> None:
    assert Cost().score(SAMPLE, Output("s", "a", response=Response("a", cost=0.0))) == 0


def test_length_counts_words_or_characters() -> None:
    output = Output("s", "two  wörds\n")
    assert Length().score(SAMPLE, output) == 2
    assert Length("chars").score(SAMPLE, output) == 11
    assert Length().score(SAMPLE, Output("s", "")) == 0
    assert (Length().unit, Length("chars").unit) == ("words", "chars")


def test_directions_and_units() -> None:
    metrics = (Latency(), Cost(), Tokens(), Length())
    assert [(metric.higher_is_better, metric.unit) for metric in metrics] == [
        (False, "s"),
        (False, "$"),
        (False, "tokens"),
        (None, "words"),
    ]
    assert not any(metric.binary for metric in metrics)


answers = st.builds(
    Response,
    text=st.text("ab \n\u3000", max_size=20),
    tokens_in=st.integers(0, 10**6),
    tokens_out=st.integers(0, 10**6),
    latency=st.floats(0.001, 1e4),
    cost=st.floats(0, 1e3),
)


@given(responses=st.lists(answers, min_size=1, max_size=20), data=st.data())
def test_values_are_means_over_answers_in_any_order(responses: list[Response], data: st.DataObject) -> None:
    read = {
        Latency(): lambda one: one.latency,
        Cost(): lambda one: one.cost,
        Tokens("in"): lambda one: one.tokens_in,
        Tokens("out"): lambda one: one.tokens_out,
        Tokens("total"): lambda one: one.tokens_in + one.tokens_out,
        Length("words"): lambda one: len(one.text.split()),
        Length("chars"): lambda one: len(one.text),
    }
    for metric, number in read.items():
        for order in (responses, data.draw(st.permutations(responses))):
            found = [metric.stats(SAMPLE, Output("s", one.text, response=one)) for one in order]
            totals = math.fsum(stats[0] for stats in found if not isinstance(stats, Skipped))
            expected = statistics.fmean(map(number, responses))
            assert metric.value([totals], len(found)) == pytest.approx(expected, rel=1e-12)
        assert metric.bounds is not None
        assert metric.bounds[0] == 0 <= expected <= metric.bounds[1]
