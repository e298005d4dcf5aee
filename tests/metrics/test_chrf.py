"""chrF and chrF++ equal sacreBLEU's."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import CHRF

from llmkit.errors import ConfigError
from llmkit.metrics._char_ngrams import shared_ngrams
from llmkit.metrics.chrf import Chrf
from llmkit.types import Output, Sample, Skipped

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "overlap.json").read_text(encoding="utf-8"))
CASES = [case for case in GOLDEN["sacrebleu"] if case["metric"] == "chrf"]
texts = st.text(alphabet=st.sampled_from("abAß.,( )東\u3000\t"), max_size=60)
rows = st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=3)), min_size=1, max_size=6)
Row = tuple[str, list[str]]
options = st.fixed_dictionaries(
    {
        "char_order": st.integers(1, 6),
        "word_order": st.integers(0, 2),
        "beta": st.integers(1, 3),
        "lowercase": st.booleans(),
        "whitespace": st.booleans(),
        "eps_smoothing": st.booleans(),
    }
)


def statistics(metric: Chrf, row: Row) -> tuple[float, ...]:
    stats = metric.stats(Sample("s", references=tuple(row[1])), Output("s", row[0]))
    assert not isinstance(stats, Skipped)
    return stats


def totals(metric: Chrf, data: list[Row]) -> list[float]:
    return [float(sum(column)) for column in zip(*(statistics(metric, row) for row in data), strict=True)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["signature"])
def test_golden(case: dict[str, Any]) -> None:
    metric = Chrf(**case["settings"])
    data = [(output, refs) for output, refs in GOLDEN["rows"]]
    assert metric.value(totals(metric, data), len(data)) == pytest.approx(case["corpus"], abs=1e-12)
    found = [metric.sample_value(statistics(metric, row)) for row in data]
    assert found == pytest.approx(case["sentences"], abs=1e-12)
    assert metric.signature == case["signature"]


@given(data=rows, chosen=options)
@settings(max_examples=150, deadline=None)
def test_equals_sacrebleu(data: list[Row], chosen: dict[str, Any]) -> None:
    mine, theirs = Chrf(**chosen), CHRF(**chosen)
    streams = [[refs[i] if i < len(refs) else None for _, refs in data] for i in range(3)]
    assert mine.value(totals(mine, data), len(data)) == theirs.corpus_score([o for o, _ in data], streams).score
    for output, refs in data:
        assert mine.sample_value(statistics(mine, (output, refs))) == theirs.sentence_score(output, refs).score
    table = np.array([*(statistics(mine, row) for row in data), totals(mine, data)], dtype=np.float64)
    one_by_one = [mine.value(row.tolist(), 1) for row in table]
    assert mine.value_many(table, 1).tolist() == pytest.approx(one_by_one, rel=1e-12, abs=1e-12)


@given(data=rows, order=st.randoms(use_true_random=False))
@settings(deadline=None)
def test_laws(data: list[Row], order: Any) -> None:
    metric = Chrf()
    value = metric.value(totals(metric, data), len(data))
    assert 0.0 <= value <= 100.0 + 1e-9
    shuffled = list(data)
    order.shuffle(shuffled)
    assert metric.value(totals(metric, shuffled), len(data)) == value
    for output, refs in data:
        more = statistics(metric, (output, [*refs, "another one"]))
        assert metric.sample_value(more) >= metric.sample_value(statistics(metric, (output, refs)))
        alike = statistics(metric, (output + "ab", [output + "ab"]))
        assert metric.sample_value(alike) == pytest.approx(100.0)


@given(
    left=st.text(alphabet=st.characters(max_codepoint=0x2FF), max_size=80),
    right=st.text(max_size=80),
    alphabet=st.sampled_from(["", "ab", "aé", "ab東京\udc80"]),
    longest=st.integers(1, 9),
)
@settings(deadline=None)
def test_numbers_are_counted_as_slices_are(left: str, right: str, alphabet: str, longest: int) -> None:
    if alphabet:  # few different characters, many repeats
        left, right = ("".join(alphabet[ord(c) % len(alphabet)] for c in text) for text in (left, right))
    one, other = (
        [Counter(text[i : i + n] for i in range(len(text) - n + 1)) for n in range(1, longest + 1)]
        for text in (left, right)
    )
    expected = [(a & b).total() for a, b in zip(one, other, strict=True)]
    found = shared_ngrams(left, right, longest)
    assert found in (None, expected)
    assert longest > 6 or found is not None


def test_ngrams_too_long_for_a_number_are_counted_all_the_same() -> None:
    text, other = "".join(map(chr, range(0x4E00, 0x4E00 + 300))), "".join(map(chr, range(0x4E10, 0x4E10 + 300)))
    assert shared_ngrams(text, other, 12) is None
    expected = CHRF(char_order=12).sentence_score(text, [other]).score
    assert Chrf(char_order=12).sample_value(statistics(Chrf(char_order=12), (text, [other]))) == expected


def test_another_beta_shows_in_the_signature() -> None:
    assert "|beta:3|version:" in Chrf(beta=3).signature
    assert "beta" not in Chrf().signature


def test_without_references_it_does_not_apply() -> None:
    assert Chrf().stats(Sample("s"), Output("s", "a")) == Skipped("no reference")


def test_settings_that_cannot_work_are_refused() -> None:
    for char_order, word_order in ((0, 0), (-1, 3)):
        with pytest.raises(ConfigError, match="char_order and word_order"):
            Chrf(char_order, word_order)
    with pytest.raises(ConfigError, match="beta"):
        Chrf(beta=0)
