"""ROUGE-S and SU equal ROUGE-1.5.5, ROUGE-W its definition; all three keep the laws."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import ConfigError
from llmkit.metrics._sequences import lcs_length, weighted_lcs
from llmkit.metrics._skip_bigrams import shared_skip_bigrams, skip_bigrams
from llmkit.metrics.rouge import ONE_WORD, Rouge
from llmkit.types import Output, Sample, Skipped
from tests.golden.plain_rouge import rouge_s, rouge_w, units

Variant = Literal["S", "SU", "W"]
GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "rouge_s.json").read_text(encoding="utf-8"))
MEASURES: tuple[Literal["p", "r", "f"], ...] = ("p", "r", "f")

words = st.lists(st.sampled_from("abcdef"), max_size=12)
long_words = st.builds(
    lambda seed, size, kinds: [f"w{random.Random(seed + i).randrange(kinds)}" for i in range(size)],
    st.integers(0, 1000),
    st.integers(30, 90),
    st.integers(2, 60),
)
gaps = st.none() | st.integers(0, 6)


def score(metric: Rouge, output: str, *references: str) -> float | Skipped:
    return metric.score(Sample("s", references=references), Output("s", output))


def all_three(output: str, reference: str, **settings: Any) -> list[Any]:
    return [score(Rouge(measure=measure, **settings), output, reference) for measure in MEASURES]


@pytest.mark.parametrize("variant", ["S", "SU"])
@pytest.mark.parametrize("gap", [0, 1, 4, None])
def test_golden(gap: int | None, variant: Variant) -> None:
    expected = GOLDEN[f"gap {'none' if gap is None else gap}"][variant]
    for (reference, output), figures in zip(GOLDEN["pairs"], expected, strict=True):
        assert all_three(output, reference, variant=variant, gap=gap) == pytest.approx(figures, abs=1.1e-5), reference


@pytest.mark.parametrize("variant", ["S", "SU"])
@given(reference=words.filter(lambda found: len(found) > 1), output=words, gap=gaps)
def test_equals_the_plain_definition(
    variant: Variant, reference: list[str], output: list[str], gap: int | None
) -> None:
    expected = rouge_s(reference, output, gap, unigrams=variant == "SU")
    found = all_three(" ".join(output), " ".join(reference), variant=variant, gap=gap)
    assert found == pytest.approx(expected, abs=1e-12)


@given(reference=words.filter(bool), output=words, weight=st.sampled_from([1.0, 1.2, 2.0]))
def test_w_equals_the_plain_definition(reference: list[str], output: list[str], weight: float) -> None:
    found = all_three(" ".join(output), " ".join(reference), variant="W", weight=weight)
    assert found == pytest.approx(rouge_w(reference, output, weight), abs=1e-12)


@given(left=long_words, right=long_words, gap=gaps, single=st.booleans())
def test_long_texts_are_counted_as_short_ones(left: list[str], right: list[str], gap: int | None, single: bool) -> None:
    one, other = (units(words, gap, unigrams=single) for words in (left, right))
    assert shared_skip_bigrams(left, right, gap, single=single) == (one & other).total()
    assert [skip_bigrams(len(words), gap, single=single) for words in (left, right)] == [one.total(), other.total()]


def test_a_gap_longer_than_the_text_is_any_gap() -> None:
    left, right = ([f"w{random.Random(seed + i).randrange(20)}" for i in range(70)] for seed in (1, 2))
    assert shared_skip_bigrams(left, right, 10**9) == shared_skip_bigrams(left, right, None)


@pytest.mark.parametrize("gap", [0, 2, None])
def test_very_many_different_words(gap: int | None) -> None:
    left, right = ([f"w{random.Random(seed + i).randrange(900)}" for i in range(800)] for seed in (5, 50))
    expected = (units(left, gap, unigrams=True) & units(right, gap, unigrams=True)).total()
    assert shared_skip_bigrams(left, right, gap, single=True) == expected


@pytest.mark.parametrize("variant", ["S", "SU", "W"])
@given(output=words, references=st.lists(words, min_size=1, max_size=3))
def test_laws(variant: Variant, output: list[str], references: list[list[str]]) -> None:
    text, texts = " ".join(output), [" ".join(reference) for reference in references]
    p, r, f = (score(Rouge(variant, measure, refs="first"), text, *texts) for measure in MEASURES)
    if isinstance(p, Skipped) or isinstance(r, Skipped) or isinstance(f, Skipped):
        assert p in {ONE_WORD, Skipped("empty reference")}
        assert len(references[0]) < 2
        return
    assert 0 <= min(p, r) <= f + 1e-12 <= max(p, r) + 2e-12
    assert max(p, r) <= 1
    best = score(Rouge(variant), text, *texts)
    assert isinstance(best, float)
    assert best >= f
    if len(output) > 1:
        assert score(Rouge(variant), text, *texts, text) == 1.0  # nothing is better than the reference itself
        assert all_three(texts[0], text, variant=variant)[0] == pytest.approx(r)  # precision is recall turned round


@given(left=words, right=words)
def test_weight_1_is_the_longest_common_subsequence(left: list[str], right: list[str]) -> None:
    assert weighted_lcs(left, right, 1.0) == lcs_length(left, right)


def test_runs_count_more() -> None:
    reference = "a b c d e f g"
    assert score(Rouge("L"), "a b c d h i k", reference) == score(Rouge("L"), "a h b k c i d", reference)
    run, scattered = (score(Rouge("W"), output, reference) for output in ("a b c d h i k", "a h b k c i d"))
    assert isinstance(run, float)
    assert isinstance(scattered, float)
    assert run == pytest.approx(4 / 7)  # the example of the paper: f^-1(4^w / 7^w)
    assert scattered == pytest.approx((4 / 7**1.2) ** (1 / 1.2))


def test_one_word_has_no_skip_bigram() -> None:
    assert score(Rouge("S"), "a", "a") == ONE_WORD
    assert score(Rouge("SU"), "a b", "a", "...") == ONE_WORD
    assert score(Rouge("S"), "a b", "...") == Skipped("empty reference")
    assert score(Rouge("S"), "a b") == Skipped("no reference")
    assert score(Rouge("SU"), "a b", "a", "a b") == 1.0
    assert score(Rouge("SU"), "a", "a b") == 0.0
    assert score(Rouge("S"), "", "a b") == 0.0
    assert score(Rouge("W"), "a", "a") == 1.0
    assert score(Rouge("W"), "", "a") == 0.0


def test_settings_that_mean_nothing_are_refused() -> None:
    for wrong, message in (
        ({"variant": "L", "gap": 2}, "gap has no meaning for ROUGE-L"),
        ({"variant": "S", "weight": 1.5}, "weight has no meaning for ROUGE-S"),
        ({"variant": "S", "gap": -1}, "gap is -1"),
        ({"variant": "W", "weight": 0.5}, "weight is 0.5"),
        ({"variant": "W", "weight": float("nan")}, "weight is nan"),
    ):
        with pytest.raises(ConfigError, match=message):
            Rouge(**wrong)  # type: ignore[arg-type]


def test_signature_names_what_counts() -> None:
    assert Rouge("S").signature.startswith("variant:S|measure:f|stemmer:no|refs:max|gap:4|impl:")
    assert Rouge("SU", gap=None).signature.startswith("variant:SU|measure:f|stemmer:no|refs:max|gap:none|impl:")
    assert Rouge("W").signature.startswith("variant:W|measure:f|stemmer:no|refs:max|weight:1.2|impl:")
