"""BLEU equals sacreBLEU, value by value and word for word."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU

from llmkit.errors import ConfigError
from llmkit.metrics._tokenize import Tokenizer, tokenizer
from llmkit.metrics.bleu import Bleu
from llmkit.types import Output, Sample, Skipped

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "overlap.json").read_text(encoding="utf-8"))
CASES = [case for case in GOLDEN["sacrebleu"] if case["metric"] == "bleu"]
OWN: tuple[Tokenizer, ...] = ("13a", "none", "char")
WORDS = [
    "the",
    "cat",
    "sat",
    "1,000.5",
    "end.",
    "...",
    "a,b",
    "3-4",
    "-5",
    "(x)",
    "“q”",
    "&amp;",
    "&quot;x",
    "5.",
    ".5",
    "U.S.",
    "日本",
    "<skipped>",
    "A",
    "x-\ny",
    ",,",
    ".,",
    "5.,.6",
    "'s",
    "10-20-30",
    "9,",
]
texts = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.lists(
    st.sampled_from([*WORDS, " ", "\t", "\n", "\u3000", "\x1c"]), max_size=9
).map("".join)
rows = st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=3)), min_size=1, max_size=8)
Row = tuple[str, list[str]]
SMOOTHING: list[tuple[Literal["exp", "floor", "add-k", "none"], float | None]] = [
    ("exp", None), ("floor", None), ("floor", 0.3), ("add-k", None), ("add-k", 2.0), ("none", None)
]  # fmt: skip


def statistics(metric: Bleu, row: Row) -> tuple[float, ...]:
    stats = metric.stats(Sample("s", references=tuple(row[1])), Output("s", row[0]))
    assert not isinstance(stats, Skipped)
    return stats


def totals(metric: Bleu, data: list[Row]) -> list[float]:
    return [float(sum(column)) for column in zip(*(statistics(metric, row) for row in data), strict=True)]


def streams(data: list[Row]) -> list[list[str | None]]:
    return [[refs[i] if i < len(refs) else None for _, refs in data] for i in range(3)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["signature"])
def test_golden(case: dict[str, Any]) -> None:
    metric = Bleu(**case["settings"])
    data = [(output, refs) for output, refs in GOLDEN["rows"]]
    assert metric.value(totals(metric, data), len(data)) == pytest.approx(case["corpus"], abs=1e-12)
    found = [metric.sample_value(statistics(metric, row)) for row in data]
    assert found == pytest.approx(case["sentences"], abs=1e-12)


@pytest.mark.parametrize("tokenize", [*OWN, "intl", "zh"])
@pytest.mark.parametrize("smoothing", SMOOTHING)
@given(data=rows, lowercase=st.booleans(), effective=st.booleans())
@settings(max_examples=15, deadline=None)
def test_equals_sacrebleu(
    tokenize: Tokenizer,
    smoothing: tuple[Literal["exp", "floor", "add-k", "none"], float | None],
    data: list[Row],
    lowercase: bool,
    effective: bool,
) -> None:
    method, value = smoothing
    common = {"tokenize": tokenize, "lowercase": lowercase, "smooth_method": method, "smooth_value": value}
    mine = Bleu(tokenize, lowercase, method, value, effective)
    theirs = BLEU(**common, effective_order=effective)
    score = theirs.corpus_score([output for output, _ in data], streams(data)).score
    assert mine.value(totals(mine, data), len(data)) == score
    nrefs = {len(refs) for _, refs in data}
    assert mine.signature_for(nrefs.pop() if len(nrefs) == 1 else None) == str(theirs.get_signature())
    sentences = BLEU(**common, effective_order=True)
    for output, refs in data:
        assert mine.sample_value(statistics(mine, (output, refs))) == sentences.sentence_score(output, refs).score


@pytest.mark.parametrize("name", OWN)
@given(text=texts | st.text(alphabet=st.sampled_from("a5.,-&;'()\n <>\t{"), max_size=25))
@settings(max_examples=400, deadline=None)
def test_tokens_equal_sacrebleu(name: Tokenizer, text: str) -> None:
    text = text.rstrip()
    assert tokenizer(name)(text) == BLEU(tokenize=name).tokenizer(text).split()


@pytest.mark.parametrize("smoothing", SMOOTHING)
@given(data=rows, effective=st.booleans())
@settings(max_examples=40, deadline=None)
def test_many_values_at_once_are_the_values_one_by_one(
    smoothing: tuple[Literal["exp", "floor", "add-k", "none"], float | None], data: list[Row], effective: bool
) -> None:
    metric = Bleu("none", False, *smoothing, effective)
    table = np.array([*(statistics(metric, row) for row in data), totals(metric, data)], dtype=np.float64)
    one_by_one = [metric.value(row.tolist(), 1) for row in table]
    assert metric.value_many(table, 1).tolist() == pytest.approx(one_by_one, rel=1e-12, abs=1e-12)


@given(data=rows, other=rows, order=st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_laws(data: list[Row], other: list[Row], order: Any) -> None:
    metric = Bleu()
    value = metric.value(totals(metric, data), len(data))
    assert 0.0 <= value <= 100.0 + 1e-9
    shuffled = list(data)
    order.shuffle(shuffled)
    assert metric.value(totals(metric, shuffled), len(data)) == value
    both = [a + b for a, b in zip(totals(metric, data), totals(metric, other), strict=True)]
    assert totals(metric, data + other) == both


@given(texts)
def test_a_text_of_four_tokens_is_best_against_itself(text: str) -> None:
    metric = Bleu()
    row = statistics(metric, (text + " and four more words", [text + " and four more words", "other"]))
    assert metric.sample_value(row) == pytest.approx(100.0)
    assert metric.value(row, 1) == pytest.approx(100.0)


@given(texts, st.lists(texts, min_size=1, max_size=3), texts)
@settings(deadline=None)
def test_another_reference_never_takes_a_match_away(output: str, references: list[str], another: str) -> None:
    fewer, more = (statistics(Bleu(), (output, refs)) for refs in (references, [*references, another]))
    assert all(a <= b for a, b in zip(fewer[2:6], more[2:6], strict=True))


def test_the_closest_reference_length_counts_and_of_two_the_shorter() -> None:
    assert statistics(Bleu(), ("a b c d", ["a b c d e f", "a b c d e", "a b c"]))[1] == 3


def test_statistics_are_those_of_the_docstring() -> None:
    assert statistics(Bleu("none"), ("the the cat", ["the cat sat down"])) == (3, 4, 2, 1, 0, 0, 3, 2, 1, 0)


def test_brevity_is_penalised() -> None:
    metric = Bleu()
    short = statistics(metric, ("a b c d", ["a b c d e f g h"]))
    assert metric.value(short, 1) == pytest.approx(100 * math.exp(1 - 8 / 4))


def test_without_references_it_does_not_apply() -> None:
    assert Bleu().stats(Sample("s"), Output("s", "a")) == Skipped("no reference")
    assert Bleu().sample_value(statistics(Bleu(), ("", ["a"]))) == 0.0


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigError, match="smooth_value has no meaning for smooth_method exp"):
        Bleu(smooth_value=1.0)


@pytest.mark.parametrize(("name", "package"), [("ja-mecab", "sacrebleu[ja]"), ("flores200", "sentencepiece")])
def test_a_tokenizer_without_its_package_names_the_command(
    name: Tokenizer, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmkit.metrics.bleu.find_spec", lambda module: None)
    with pytest.raises(ConfigError) as caught:
        Bleu(name)
    assert f"pip install '{package}'" in str(caught.value)


@pytest.mark.parametrize("name", ["13a", "intl"])
def test_it_can_be_sent_to_another_process(name: Tokenizer) -> None:
    metric = Bleu(name)
    before = statistics(metric, ("a b.", ["a b."]))
    assert statistics(pickle.loads(pickle.dumps(metric)), ("a b.", ["a b."])) == before
