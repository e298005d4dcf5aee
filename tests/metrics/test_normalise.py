from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import ConfigError
from llmkit.text.normalise import NORMALISATIONS, normaliser

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "short_answers.json").read_text(encoding="utf-8"))["rows"]


@pytest.mark.parametrize("name", ["squad", "helm"])
def test_normalises_as_the_reference_programs_do(name: str) -> None:
    plain = normaliser(name)
    assert len(GOLDEN) > 300
    for row in GOLDEN:
        assert plain(row["output"]) == row[f"{name}_normalised"], row


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("none", " A b ", " A b "),
        ("strip", " A b\n", "A b"),
        ("lower", "ABC", "abc"),
        ("punctuation", "well-known, (yes)!", "wellknown yes"),
        ("articles", "the cat and a dog", "  cat and   dog"),
        ("spaces", " a \n b\t", "a b"),
        ("squad", "The well-known  Cat.", "wellknown cat"),
        ("alnum", "Well-known_Été!", "well known été"),
        ("accents", "Ångström naïve", "Angstrom naive"),
        ("nfkc", "\uff21\uff22", "AB"),
        ("first_line", "\n False \nQ: next", "False"),
        ("last_line", "thinking\n  42 \n", "42"),
        ("label", " **Positive.** ", "positive"),
        ("label", "(B)", "b"),
        ("label", "-1", "-1"),
        ("label", "?!", "?!"),
    ],
)
def test_each_does_what_its_name_says(name: str, text: str, expected: str) -> None:
    assert normaliser(name)(text) == expected


@given(st.text() | st.text(alphabet=st.sampled_from("aAnthe \t\n\x00\x1c\x1f\x7f.-_'é")))
def test_squad_is_its_four_steps(text: str) -> None:
    assert normaliser("squad")(text) == normaliser(("lower", "punctuation", "articles", "spaces"))(text)


def test_every_normalisation_has_a_case_above() -> None:
    marks = test_each_does_what_its_name_says.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in marks[0].args[1]} | {"helm"} == set(NORMALISATIONS)


def test_compositions_apply_the_first_name_first() -> None:
    assert normaliser(("first_line", "lower"))("Yes\nNO") == "yes"
    assert normaliser(["lower", "articles", "strip"])("The End") == "end"
    assert normaliser(["articles", "lower", "strip"])("The End") == "the end"
    assert normaliser(())(" x ") == " x "


def test_unknown_names_are_all_reported_with_suggestions() -> None:
    with pytest.raises(ConfigError) as caught:
        normaliser(["squadd", "strip", "qqq"])
    assert [problem.message for problem in caught.value.problems] == [
        "unknown normalisation 'squadd'",
        "unknown normalisation 'qqq'",
    ]
    assert caught.value.problems[0].hint == "did you mean 'squad'?"
    assert "strip" in caught.value.problems[1].hint


@given(st.sampled_from(["none", "strip", "spaces", "punctuation", "first_line", "last_line", "nfkc"]), st.text())
def test_once_is_enough(name: str, text: str) -> None:
    once = normaliser(name)(text)
    assert normaliser(name)(once) == once


@given(st.sampled_from(sorted(NORMALISATIONS)), st.text(alphabet=" aAbzé.-!?'(\n1", max_size=30))
def test_once_is_enough_for_common_characters(name: str, text: str) -> None:
    once = normaliser(name)(text)
    assert normaliser(name)(once) == (" ".join(once.split()) if name == "squad" else once)
