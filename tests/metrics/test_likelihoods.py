"""Perplexity and bits per byte of references."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.metrics._likelihoods import EMPTY_REFERENCE, NO_LIKELIHOODS, ReferenceLikelihoods
from llmkit.metrics.bits_per_byte import BitsPerByte
from llmkit.metrics.perplexity import Perplexity
from llmkit.types import Loglikelihood, Output, Response, Sample, Skipped

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "harness.json").read_text("utf-8"))
Found = tuple[str, float, int]
references = st.lists(
    st.tuples(st.text("aé東 ", min_size=1, max_size=9), st.floats(-50, 0), st.integers(1, 9)), min_size=1, max_size=3
)


def row(found: list[Found]) -> tuple[Sample, Output]:
    likelihoods = tuple(Loglikelihood(logprob, tokens, greedy=False) for _, logprob, tokens in found)
    sample = Sample("s", references=tuple(text for text, _, _ in found))
    return sample, Output("s", "", response=Response(loglikelihoods=likelihoods))


def corpus(metric: ReferenceLikelihoods, rows: list[list[Found]]) -> float:
    stats = [metric.stats(*row(found)) for found in rows]
    numbers = [item for item in stats if not isinstance(item, Skipped)]
    return metric.value([sum(column) for column in zip(*numbers, strict=True)], len(numbers))


def test_golden_values_of_the_harness() -> None:
    rows = [[(item["text"], item["logprob"], item["tokens"])] for item in GOLDEN["texts"]]
    for one in (rows, [[found for row in rows for found in row]]):
        assert corpus(Perplexity(), one) == pytest.approx(GOLDEN["figures"]["perplexity"], rel=1e-12)
        assert corpus(BitsPerByte(), one) == pytest.approx(GOLDEN["figures"]["bits_per_byte"], rel=1e-12)


@given(rows=st.lists(references, min_size=1, max_size=4))
def test_equals_the_formula(rows: list[list[Found]]) -> None:
    every = [item for found in rows for item in found]
    loss = -sum(logprob for _, logprob, _ in every)
    expected = math.exp(loss / sum(tokens for _, _, tokens in every))
    assert corpus(Perplexity(), rows) == pytest.approx(expected, rel=1e-12)
    bits = loss / (math.log(2) * sum(len(text.encode()) for text, _, _ in every))
    assert corpus(BitsPerByte(), rows) == pytest.approx(bits, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("metric", [Perplexity(), BitsPerByte(), Perplexity("first"), BitsPerByte("first")], ids=str)
@given(rows=st.lists(references, min_size=1, max_size=4), data=st.data())
def test_range_order_and_certainty(metric: ReferenceLikelihoods, rows: list[list[Found]], data: st.DataObject) -> None:
    least = metric.bounds[0] if metric.bounds else math.nan
    found = corpus(metric, rows)
    assert found >= least
    assert corpus(metric, data.draw(st.permutations(rows))) == pytest.approx(found)
    assert corpus(metric, [[(text, 0.0, tokens) for text, _, tokens in one] for one in rows]) == least
    stats = metric.stats(*row(rows[0]))
    assert not isinstance(stats, Skipped)
    assert metric.sample_value(stats) == corpus(metric, rows[:1])


def test_values_of_many_resamples_are_those_of_one() -> None:
    totals = np.array([[3.0, 2.0], [0.0, 5.0], [700.0, 1.0]])
    for metric in (Perplexity(), BitsPerByte()):
        assert metric.value_many(totals, 3).tolist() == [metric.value(list(one), 3) for one in totals]


def test_the_first_reference_alone() -> None:
    found: list[Found] = [("ab", -4.0, 2), ("abcd", -1.0, 1)]
    assert Perplexity("first").stats(*row(found)) == (4.0, 2)
    assert Perplexity().stats(*row(found)) == (5.0, 3)
    assert BitsPerByte().stats(*row(found)) == (5.0, 6)


def test_empties_are_skipped() -> None:
    for metric in (Perplexity(), BitsPerByte()):
        assert metric.stats(Sample("s"), Output("s", "")) == Skipped("no reference")
        assert metric.stats(Sample("s", references=("a",)), Output("s", "text")) == NO_LIKELIHOODS
        assert metric.stats(*row([("", -3.0, 1)])) == EMPTY_REFERENCE
        stats = metric.stats(*row([("", -3.0, 1), ("a", -2.0, 1)]))
        assert not isinstance(stats, Skipped)
        assert stats[0] == 2.0


def test_signature_names_the_settings() -> None:
    assert Perplexity("first").signature.startswith("refs:first|impl:llmkit-")
    assert BitsPerByte().signature.startswith("refs:all|impl:llmkit-")
