from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.config.yaml_source import MAX_DEPTH, MAX_VALUES, dump, parse
from llmkit.errors import ConfigError, Problem


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        parse(text, "f.yaml")
    [problem] = refused.value.problems
    return str(problem)


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("+3", 3),
        ("017", "017"),
        ("007", "007"),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1e3", 1000.0),
        ("1e-5", 1e-5),
        (".5", 0.5),
        ("1.", 1.0),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2024-01-01", "2024-01-01"),
        ("9" * 5000, "9" * 5000),
        ("'true'", "true"),
        ('"5"', "5"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("!!seq [1]", [1]),
    ],
)
def test_scalars(written: str, means: Any) -> None:
    value = parse(f"a: {written}").data["a"]
    assert value == means
    assert type(value) is type(means)


def test_keys_are_texts() -> None:
    assert parse("on: 1\n5: 2\nno: 3\n? x\n: 4").data == {"on": 1, "5": 2, "no": 3, "x": 4}


def test_lines_of_keys_and_items() -> None:
    document = parse("a: 1\nb:\n  c:\n    - x\n    - d: 2\n")
    assert document.lines == {"a": 1, "b": 2, "b.c": 3, "b.c[0]": 4, "b.c[1]": 5, "b.c[1].d": 5}
    assert document.line("b.c[1].e.f") == 5
    assert document.line("b.x") == 2
    assert document.line("z") == 0


def test_anchors_and_merge_keys() -> None:
    text = "base: &b {x: 1, y: 2}\nlist: &l [1, 2]\nz:\n  <<: *b\n  y: 3\nw: {<<: [{x: 0}, *b]}\nagain: *l\n"
    assert parse(text).data == {
        "base": {"x": 1, "y": 2},
        "list": [1, 2],
        "z": {"x": 1, "y": 3},
        "w": {"x": 0, "y": 2},
        "again": [1, 2],
    }


def test_an_empty_text_is_nothing() -> None:
    assert parse("").data is None
    assert parse("# only a comment\n").data is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a:\n\t- b", "f.yaml:2: column 1: a tab cannot indent YAML; use spaces"),
        ("a: [1, 2", "f.yaml:1: column 4: the '[' or '{' that opens here is not closed, or a comma is missing in it"),
        (
            "a: {b: 1, c",
            "f.yaml:1: column 4: the '[' or '{' that opens here is not closed, or a comma is missing in it",
        ),
        (
            "a: b: c",
            (
                "f.yaml:1: column 5: a second ': ' stands on this line, or the line is indented too far; "
                "put quotes around a text that contains ': '"
            ),
        ),
        ("a: 'x", "f.yaml:1: column 6: a quote is opened and never closed"),
        ("a: @x", "f.yaml:1: column 4: '@' cannot start a value; put quotes around the text"),
        (
            "- 1\na: 2",
            "f.yaml:2: column 1: this line does not belong to the list or mapping above it; check its indentation",
        ),
        ("a: 1\nb: \x01", "f.yaml:2: the character U+0001 is not allowed in YAML"),
        ("[" * 200, f"f.yaml:1: lists and mappings are nested more than {MAX_DEPTH} deep"),
        ("a: 1\nb: 2\na: 3", "f.yaml:3: the key 'a' stands twice: on line 1 and on line 3"),
        ("x:\n  a: 1\n  a: 2", "f.yaml:3: the key 'a' stands twice: on line 2 and on line 3"),
        ("a: *x", "f.yaml:1: the alias '*x' is used before an anchor '&x' defines it"),
        ("a: &x [*x]", "f.yaml:1: the anchor '&x' contains itself"),
        ("a: 1\n---\nb: 2", "f.yaml:2: a config is one document; remove the second '---'"),
        ("? [a]\n: 1", "f.yaml:1: a key must be a text"),
        ("a: 1\n<<: 5", "f.yaml:2: '<<' takes a mapping, or a list of mappings"),
        (
            "a: !!python/object/apply:os.system ['true']",
            "f.yaml:1: the tag '!!python/object/apply:os.system' is refused: a config holds plain data (remove the tag)",
        ),
        ("a: !env KEY", "f.yaml:1: the tag '!env' is refused: a config holds plain data (remove the tag)"),
        ("a: !!binary aGk=", "f.yaml:1: the tag '!!binary' is refused: a config holds plain data (remove the tag)"),
    ],
)
def test_refusals(text: str, sentence: str) -> None:
    assert refusal(text) == sentence


@pytest.mark.parametrize("opening", ["[", "- ", "[{a: "])
def test_deep_nesting_is_refused(opening: str) -> None:
    assert refusal(opening * 20_000) == f"f.yaml:1: lists and mappings are nested more than {MAX_DEPTH} deep"


def test_a_bomb_is_refused_before_it_expands() -> None:
    rows = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    rows += [f"{c}: &{c} [{', '.join([f'*{p}'] * 9)}]" for p, c in zip("abcdefghi", "bcdefghij", strict=True)]
    assert refusal("\n".join(rows)) == "f.yaml:6: the document expands to more than 100,000 values (use fewer aliases)"


def test_a_merge_bomb_is_refused() -> None:
    rows = ["a: &a {" + ", ".join(f"k{i}: 1" for i in range(1000)) + "}"]
    rows += [f"m{i}: {{<<: [{', '.join(['*a'] * 20)}]}}" for i in range(50)]
    assert "expands to more than 100,000 values" in refusal("\n".join(rows))


def test_many_plain_values_are_refused() -> None:
    assert "more than 100,000 values" in refusal("a:\n" + "- 1\n" * MAX_VALUES)


_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


_numbers = st.sampled_from(
    ["1e3", "0E0", "0x1F", "0o17", "017", "true", "null", "<<", "on", "~", ".5", "-1", "1_0", ""]
)


@given(st.dictionaries(st.text(max_size=6) | _numbers, _plain | _numbers, min_size=1, max_size=4))
def test_what_is_written_reads_back(data: Any) -> None:
    assert parse(dump(data)).data == data


@given(st.text(alphabet="ab:[]{}&*!-? \n'\"|>#%,\t0", max_size=40))
def test_any_text_is_data_or_one_sentence(text: str) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        parse(text, "f.yaml")
    except ConfigError as refused:
        problems = refused.problems
    assert len(problems) <= 1
    assert not any("\n" in problem.message for problem in problems)
