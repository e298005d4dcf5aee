"""What holds for every perturbation, and for each of them."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import registry
from llmkit.perturbations._words import WORD
from llmkit.perturbations.filler import FILLERS
from llmkit.perturbations.typos import NEIGHBOURS

NAMES = registry.builtin_names("perturbations")
RATED = [name for name in NAMES if any(a.name == "rate" for a in registry.describe("perturbations", name).arguments)]
WORDS = (
    *(
        "The",
        "the",
        "I",
        "he",
        "HIS",
        "her",
        "Emily",
        "Greg's",
        "father",
        "is",
        "not",
        "isn't",
        "going",
        "to",
        "because",
    ),
    *(
        "receive",
        "big",
        "children",
        "it\u2019s",
        "42",
        "C3PO",
        "don't",
        "BUY",
        "definitely",
        "über",
        "-",
        "'quoted'",
        "well.",
    ),
)
texts = st.lists(st.sampled_from(WORDS), max_size=20).flatmap(
    lambda words: st.sampled_from([" ", "  ", "\n", ", "]).map(lambda gap: gap.join(words))
) | st.text(max_size=60)
seeds = st.integers(0, 2**64)


def perturbed(spec: str | dict[str, Any], text: str, seed: int = 0) -> str:
    return str(registry.build("perturbations", spec).plugin.perturb(text, random.Random(seed)))


def share(spec: str, text: str, pattern: str) -> float:
    """Return how much of 400 texts bears the mark of the perturbation."""
    plugin = registry.build("perturbations", spec).plugin
    return sum(len(re.findall(pattern, plugin.perturb(text, random.Random(seed)))) for seed in range(400)) / 400


@pytest.mark.parametrize("name", NAMES)
@given(text=texts, seed=seeds)
def test_the_same_draws_give_the_same_text_and_nothing_else_is_drawn(name: str, text: str, seed: int) -> None:
    random.seed(seed)
    first = perturbed(name, text, seed)
    random.seed(seed + 1)
    assert perturbed(name, text, seed) == first


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds)
def test_nothing_stays_nothing_and_digits_stay_digits(name: str, seed: int) -> None:
    assert perturbed(name, "", seed) == ""
    if name not in ("filler", "spaces", "mild_mix"):
        assert perturbed(name, "3.14 % of 1,024\n\t{x} <b> C3PO 7th", seed).lower().startswith("3.14 % ")


@pytest.mark.parametrize("name", RATED)
@given(text=texts, seed=seeds)
def test_at_rate_0_every_text_stays(name: str, text: str, seed: int) -> None:
    assert perturbed({name: {"rate": 0}}, text, seed) == text


@pytest.mark.parametrize("name", RATED)
def test_a_rate_is_a_probability(name: str) -> None:
    for rate in (-0.1, 1.5):
        with pytest.raises(Exception, match=f"rate must be between 0 and 1, not {rate:g}"):
            registry.build("perturbations", {name: {"rate": rate}})


@pytest.mark.parametrize(
    ("spec", "text", "pattern", "wanted"),
    [
        ("typos(rate=0.3)", "aaaaaaaaaa", "[^a]", 3.0),
        ("filler(rate=0.3)", "x x x x x x x x x x", f"(?:{'|'.join(FILLERS)}) ", 3.0),
        ("misspellings(rate=0.3)", "receive " * 10, "recieve", 3.0),
        ("synonyms(rate=0.3)", "buy " * 10, "purchase", 3.0),
        ("dialect(rate=0.3)", "trying to " * 10, "tryna", 3.0),
        ("gender_terms(rate=0.3)", "father", "mother", 0.3),
        ("gender_pronouns(rate=0.3)", "he he", "she", 0.6),
        ("names(rate=0.3)", "Emily met Emily", "^(?!Emily)", 0.3),
    ],
)
def test_rates_are_what_they_say(spec: str, text: str, pattern: str, wanted: float) -> None:
    assert share(spec, text, pattern) == pytest.approx(wanted, rel=0.25)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("spaces", "filler", "typos", "mild_mix")])
@given(text=texts, seed=seeds)
def test_what_stands_between_words_stays(name: str, text: str, seed: int) -> None:
    """Line breaks and other signs are those of the text, whatever becomes of its words."""
    kept = [sign for sign in text if sign in "\n\t,;.{}<>-"]
    assert [sign for sign in perturbed(name, text, seed) if sign in "\n\t,;.{}<>-"] == kept


@given(text=texts, seed=seeds, rate=st.floats(0, 1))
def test_typos_move_letters_to_keys_that_touch_theirs(text: str, seed: int, rate: float) -> None:
    found = perturbed({"typos": {"rate": rate}}, text, seed)
    assert len(found) == len(text)
    for was, now in zip(text, found, strict=True):
        assert now == was or (now.lower() in NEIGHBOURS[was.lower()] and now.isupper() == was.isupper())


@given(text=texts, seed=seeds, least=st.integers(1, 3), more=st.integers(0, 3))
def test_spaces_touch_nothing_but_spaces_between_words(text: str, seed: int, least: int, more: int) -> None:
    found = perturbed({"spaces": {"least": least, "most": least + more}}, text, seed)
    assert re.sub(" +", " ", found) == re.sub(" +", " ", text)
    assert [line[: len(line) - len(line.lstrip())] for line in found.splitlines()] == [
        line[: len(line) - len(line.lstrip())] for line in text.splitlines()
    ]
    between = re.findall(r"(?<=\S) +(?=\S)", found)
    assert all(least <= len(gap) <= least + more for gap in between)


@given(text=texts, seed=seeds)
def test_fillers_only_add(text: str, seed: int) -> None:
    found = perturbed("filler(rate=0.5)", text, seed)
    rest = iter(found)
    assert all(letter in rest for letter in text)  # the text is a subsequence of it
    assert found.splitlines().__len__() == text.splitlines().__len__()


@given(text=texts, seed=seeds)
def test_lowercase_is_lower_case_and_done_once(text: str, seed: int) -> None:
    assert perturbed("lowercase", text, seed) == text.lower()


@given(text=texts)
def test_contracting_what_was_written_out_and_back_changes_no_word(text: str) -> None:
    long = perturbed("contractions(direction='expand')", text)
    assert perturbed("contractions(direction='expand')", long) == long
    short = perturbed("contractions", text)
    assert perturbed("contractions", short) == short


@given(text=texts, seed=seeds)
def test_swapping_genders_twice_gives_the_words_back(text: str, seed: int) -> None:
    """But for words that share a counterpart (his and him, guy and man), as those of this test do not."""
    words = [word for word in text.split(" ") if word.lower() in ("father", "mother", "he", "she", "the")]
    once = perturbed("gender_terms(to='swap')", " ".join(words), seed)
    assert perturbed("gender_terms(to='swap')", once, seed) == " ".join(words)
    he = perturbed("gender_pronouns(to='swap')", " ".join(words), seed)
    assert perturbed("gender_pronouns(to='swap')", he, seed) == " ".join(words)


@given(text=texts, seed=seeds)
def test_a_word_is_letters_with_apostrophes_and_no_part_of_another(text: str, seed: int) -> None:
    for match in WORD.finditer(text):
        assert all((letter.isalnum() and not letter.isdecimal()) or letter in "'\u2019" for letter in match[0])
        assert not text[match.start() - 1 : match.start()].isalnum()
        assert not text[match.end() : match.end() + 1].isalnum()


@pytest.mark.parametrize("name", NAMES)
def test_long_texts_without_spaces_are_no_trap(name: str) -> None:
    for text in ("a" * 200_000 + "1", "he " * 30_000, "I'" * 50_000, " " * 100_000 + "x"):
        assert len(perturbed(name, text)) > 100


@pytest.mark.parametrize("name", NAMES)
def test_every_perturbation_says_what_it_does_and_proves(name: str) -> None:
    doc = registry.describe("perturbations", name).doc
    for word in ("Effect:", "Use it", "Source:"):
        assert word in doc, f"the docstring of {name} lacks '{word}'"
    assert registry.lookup("perturbations", name).group in ("robustness", "fairness")  # type: ignore[attr-defined]
