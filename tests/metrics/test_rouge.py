"""ROUGE equals rouge-score, and keeps its laws."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer

from llmkit.errors import ConfigError
from llmkit.metrics._ngrams import overlap
from llmkit.metrics._porter import stem
from llmkit.metrics.rouge import Rouge, read
from llmkit.types import Output, Sample, Skipped

Variant = int | Literal["L", "Lsum"]
GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "overlap.json").read_text(encoding="utf-8"))
VARIANTS: tuple[Variant, ...] = (1, 2, 3, "L", "Lsum")
MEASURES: tuple[Literal["p", "r", "f"], ...] = ("p", "r", "f")

WORDS = [
    "the",
    "The",
    "cat",
    "cats",
    "running",
    "runs",
    "relational",
    "news",
    "x.y",
    "1,000",
    "don't",
    "Größe",
    "\u212a",
    "İs",
    "東京",
]
texts = st.lists(st.sampled_from([*WORDS, "\n", "\n\n", " . "]), max_size=30).map(" ".join)
worded = texts.filter(lambda text: any(read(text, stemmer=False)))
wild = st.text(alphabet=st.sampled_from("abcye sing\nÉİΣ\u212a-.0\t\x1c\u2028"), max_size=60)


def score(metric: Rouge, output: str, *references: str) -> float | Skipped:
    return metric.score(Sample("s", references=references), Output("s", output))


def number(metric: Rouge, output: str, *references: str) -> float:
    value = score(metric, output, *references)
    assert isinstance(value, float)
    return value


@cache
def reference_scorer(stemmer: bool) -> RougeScorer:
    return RougeScorer([f"rouge{variant}" for variant in VARIANTS], use_stemmer=stemmer)


def assert_equal(reference: str, output: str, stemmer: bool, expected: dict[str, Any]) -> None:
    for variant in VARIANTS:
        for place, measure in enumerate(MEASURES):
            mine = score(Rouge(variant, measure, stemmer), output, reference)
            theirs = expected[f"rouge{variant}"][place]
            if isinstance(mine, Skipped):
                assert theirs == 0
                assert not any(read(reference, stemmer=stemmer))
            else:
                assert mine == pytest.approx(theirs, abs=1e-12), (variant, measure)


@pytest.mark.parametrize("stemmer", [False, True])
@pytest.mark.parametrize("place", range(len(GOLDEN["pairs"])))
def test_golden(place: int, stemmer: bool) -> None:
    reference, output = GOLDEN["pairs"][place]
    assert_equal(reference, output, stemmer, GOLDEN["rouge, stemmer" if stemmer else "rouge"][place])


@given(reference=texts | wild, output=texts | wild, stemmer=st.booleans())
@settings(deadline=None)
def test_equals_rouge_score(reference: str, output: str, stemmer: bool) -> None:
    assert_equal(reference, output, stemmer, reference_scorer(stemmer).score(reference, output))


@pytest.mark.parametrize("stemmer", [False, True])
def test_equals_rouge_score_on_long_texts(stemmer: bool) -> None:
    rng = random.Random(7)
    vocabulary = [f"{rng.choice('abcdefg')}{rng.choice(['ing', 'ed', 's', 'ation', 'ly'])}{i % 9}" for i in range(60)]
    for _ in range(6):
        reference, output = (
            "".join(rng.choice(vocabulary) + rng.choice("   \n") for _ in range(150)) for _ in range(2)
        )
        assert_equal(reference, output, stemmer, reference_scorer(stemmer).score(reference, output))


@pytest.mark.parametrize(("word", "expected"), GOLDEN["stems"].items())
def test_golden_stems(word: str, expected: str) -> None:
    assert stem(word) == expected


endings = st.sampled_from(
    [
        "ing",
        "ed",
        "s",
        "ies",
        "ied",
        "eed",
        "y",
        "ly",
        "sses",
        "ll",
        "e",
        "logi",
        "alli",
        "alize",
        "iveness",
        "fulness",
        "ation",
        "ional",
        "ement",
        "ment",
        "ion",
        "bli",
        "biliti",
        "fulli",
        "ness",
    ]
)


@given(st.text("aeioybstlzrwc1", min_size=1, max_size=6), st.lists(endings, max_size=3))
@settings(max_examples=500, deadline=None)
def test_stems_equal_nltk(start: str, suffixes: list[str]) -> None:
    word = start + "".join(suffixes)
    assert stem(word) == (PorterStemmer().stem(word) if len(word) > 3 else word)


@pytest.mark.parametrize("variant", VARIANTS)
@given(output=texts, references=st.lists(texts, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_laws(variant: Variant, output: str, references: list[str]) -> None:
    for measure in MEASURES:
        best = score(Rouge(variant, measure), output, *references)
        if isinstance(best, Skipped):
            assert best.reason == "empty reference"
            continue
        assert 0.0 <= best <= 1.0
        assert number(Rouge(variant, measure), output, *references, "one cat more") >= best
        assert number(Rouge(variant, measure, refs="mean"), output, *references) <= best + 1e-12
    p, r, f = (score(Rouge(variant, m, refs="first"), output, *references) for m in MEASURES)
    if not isinstance(p, Skipped) and not isinstance(r, Skipped) and not isinstance(f, Skipped):
        assert min(p, r) - 1e-12 <= f <= max(p, r) + 1e-12


@pytest.mark.parametrize("variant", VARIANTS)
@given(text=worded)
@settings(max_examples=40, deadline=None)
def test_a_text_is_best_against_itself(variant: Variant, text: str) -> None:
    long_enough = text + " and three more words"
    assert number(Rouge(variant), long_enough, long_enough) == 1.0


@given(
    left=st.lists(st.sampled_from("abcd"), max_size=12),
    rights=st.lists(st.lists(st.sampled_from("abcd"), max_size=12), min_size=1, max_size=3),
)
def test_overlap_equals_plain_counting(left: list[str], rights: list[list[str]]) -> None:
    def count(tokens: list[str], gram: list[str]) -> int:
        return sum(tokens[i : i + len(gram)] == gram for i in range(len(tokens) - len(gram) + 1))

    expected = []
    for n in range(1, 5):
        grams = {tuple(left[i : i + n]) for i in range(len(left) - n + 1)}
        expected.append(sum(min(count(left, list(g)), max(count(r, list(g)) for r in rights)) for g in grams))
    assert [overlap(left, rights, n) for n in range(1, 5)] == expected


def test_references_without_words_are_left_out() -> None:
    assert score(Rouge(), "a", "...", "東京") == Skipped("empty reference")
    assert score(Rouge(), "a") == Skipped("no reference")
    assert number(Rouge(refs="mean"), "a", "...", "a") == 1.0
    assert score(Rouge(refs="first"), "a", "...", "a") == Skipped("empty reference")
    assert number(Rouge("Lsum"), "", "a") == 0.0


def test_reference_rules() -> None:
    references = ("a b", "a b c d")
    assert number(Rouge(1, "r"), "a b", *references) == 1.0
    assert number(Rouge(1, "r", refs="mean"), "a b", *references) == 0.75
    assert number(Rouge(1, "r", refs="first"), "a b", *reversed(references)) == 0.5


def test_lines_matter_to_lsum_only() -> None:
    reference, output = "a b c\nd e f", "d e f\na b c"
    assert number(Rouge("Lsum"), output, reference) == 1.0
    assert number(Rouge("L"), output, reference) == 0.5


def test_variant_is_checked_and_a_written_digit_is_a_digit() -> None:
    assert Rouge("2") == Rouge(2)  # type: ignore[arg-type]
    for wrong in (0, 10, "X", "l"):
        with pytest.raises(ConfigError, match="variant is a digit from 1 to 9, L, Lsum, S, SU or W"):
            Rouge(wrong)  # type: ignore[arg-type]


def test_signature_names_everything() -> None:
    assert Rouge("L", "r", stemmer=True).signature.startswith("variant:L|measure:r|stemmer:yes|refs:max|impl:llmkit-")
    assert Rouge("L").signature != Rouge("Lsum").signature
