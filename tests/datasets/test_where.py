from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.datasets import census
from llmkit.datasets.where import parse_where
from llmkit.errors import ConfigError
from tests.datasets.making import opened, samples, sentences

ROW: dict[str, Any] = {
    "category": "faq",
    "difficulty": 3,
    "cell": "4.0",
    "lang": "en",
    "draft": False,
    "tags": ["new", "long"],
    "user": {"age": 30},
    "a.b": "dotted",
    "Best Answer": "yes",
    "nothing": None,
}


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ('category == "faq" and difficulty >= 3 and lang in ["en", "de"] and not draft', True),
        ("category != 'faq'", False),
        ("difficulty < 3 or category == 'faq'", True),
        ("1 < difficulty <= 3", True),
        ("1 < difficulty < 3", False),
        ("cell > 3", True),
        ("cell == 4", True),
        ("cell in [1, 4]", True),
        ("difficulty == '3'", True),
        ("difficulty == -3", False),
        ("user.age > 29", True),
        ("user.name == null", True),
        ("user.age.years == None", True),
        ("a.b == 'dotted'", True),
        ('field("Best Answer") == "yes"', True),
        ("absent == null", True),
        ("absent > 3", False),
        ("nothing < 3", False),
        ("draft == false", True),
        ("draft == 0", False),
        ("draft", False),
        ("'new' in tags", True),
        ("'old' not in tags", True),
        ("'a' in category", True),
        ("contains(tags, 'long') and contains(category, 'aq')", True),
        ("contains(absent, 'x')", False),
        ("len(tags) == 2 and len(category) == 3 and len(absent) == 0", True),
        ("lower(category) == 'faq' and lower(difficulty) == 3", True),
        ("category ==\n  'faq'", True),
    ],
)
def test_what_an_expression_keeps(source: str, kept: bool) -> None:
    assert bool(parse_where(source).test(ROW)) is kept


@pytest.mark.parametrize("cell", ["true", "True", "FALSE", "false"])
@pytest.mark.parametrize("source", ["x", "x == true", "not x == false", "not not x", "x and 1 == 1", "x in [true]"])
def test_a_cell_that_says_true_or_false_means_it(source: str, cell: str) -> None:
    assert bool(parse_where(source).test({"x": cell})) is (cell.lower() == "true")
    assert bool(parse_where(f"not ({source})").test({"x": cell})) is (cell.lower() == "false")
    assert parse_where(f"x == '{cell}'").test({"x": cell})


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("", 'expected an expression such as category == "faq" and difficulty >= 3'),
        (
            "category = 'faq'",
            ("'category = 'faq'' is not an expression such as category == \"faq\" and difficulty >= 3 at column 10 "
            "(write ==, 'and', 'or', 'not')"),
        ),
        ("a is 3", "'is' is not allowed here at column 1 (write == or !=)"),
        (
            "__import__('os').system('x')",
            ("'__import__('os').system('x')' is not allowed here at column 1 "
            "(the functions are len(x), lower(x), contains(x, part) and field('name'))"),
        ),
        ("category.__class__.mro()", ("'category.__class__.mro()' is not allowed here at column 1 "
            "(the functions are len(x), lower(x), contains(x, part) and field('name'))")),
        ("len(x, y) > 1", "len takes 1 argument, not 2 at column 1"),
        ("contains(x)", "contains takes 2 arguments, not 1 at column 1"),
        ("x in [y]", "'y' stands where a value must at column 7 (write \"y\" in quotes)"),
        ("a + 1 > 2", ("'a + 1' is not allowed here at column 1 "
            "(use fields, values, comparisons, in, and, or, not, len, lower, contains)")),
        ("[x for x in y]", ("'[x for x in y]' is not allowed here at column 1 "
            "(use fields, values, comparisons, in, and, or, not, len, lower, contains)")),
        ("(a).b.c[0] == 1", ("'a.b.c[0]' is not allowed here at column 1 "
            "(use fields, values, comparisons, in, and, or, not, len, lower, contains)")),
        ("len(a).b == 1", "a dot may stand only between field names at column 1"),
        ("field(x) == 1", "'x' stands where a value must at column 7 (write \"x\" in quotes)"),
        ("x == 1" + " or x == 1" * 2000, "the expression is longer than 10000 characters"),
        ("(" * 4000 + "x" + ")" * 4000, None),
        ("not " * 2000 + "x", None),
    ],
)  # fmt: skip
def test_what_is_refused(source: str, sentence: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_where(source)
    assert str(caught.value).startswith("dataset.where: ")
    if sentence is not None:
        assert str(caught.value) == f"dataset.where: {sentence}"


def test_an_expression_reads_names_and_nothing_else() -> None:
    assert parse_where("a.b == 1 and len(c) > 2 and field('d e') and x in ['y'] and true").fields == {
        "a.b",
        "c",
        "d e",
        "x",
    }


@given(st.text(max_size=30))
def test_any_text_parses_or_is_refused_with_a_sentence(source: str) -> None:
    # Only these two sentences may come out, never another kind of error.
    with suppress(ConfigError):
        where = parse_where(source)
        with suppress(ValueError):
            where.test(ROW)


def test_rows_are_kept_in_order_and_bad_comparisons_are_named(tmp_path: Path) -> None:
    rows = [{"input": "a", "n": 1}, {"input": "b", "n": 5}, {"input": "c", "n": "many"}, {"input": "d", "n": 7}]
    assert sentences(tmp_path, opened(tmp_path, rows, where="n > 2")) == [
        "set.jsonl:3: where cannot order 'many' and 2"
    ]
    found = samples(tmp_path, rows, where="n > 2", skip_bad_rows=True)
    assert [sample.input for sample in found] == ["b", "d"]


def test_a_row_that_is_left_out_is_not_judged(tmp_path: Path) -> None:
    rows = [{"input": 1, "n": 1}, {"input": "b", "n": 5}]
    assert [sample.input for sample in samples(tmp_path, rows, where="n > 2")] == ["b"]


def test_a_name_that_no_row_has_is_refused(tmp_path: Path) -> None:
    rows = [{"input": "a", "category": "faq"}]
    dataset = opened(tmp_path, rows, where="not catgory")
    assert sentences(tmp_path, dataset) == [
        "set.jsonl: dataset.where: no row has the field 'catgory' (did you mean 'category'?)"
    ]


def test_an_empty_result_says_what_is_to_blame(tmp_path: Path) -> None:
    dataset = opened(tmp_path, [{"input": "a", "n": 1}], where="n > 2")
    assert sentences(tmp_path, dataset) == ["set.jsonl: no row passes where: n > 2"]
    assert sentences(tmp_path, opened(tmp_path, [])) == ["set.jsonl: the file has no rows"]
    assert sentences(tmp_path, opened(tmp_path, [{}, 3], skip_bad_rows=True)) == [
        "set.jsonl: every row was skipped: all 2 are wrong"
    ]
    assert census(dataset).rows == 0
