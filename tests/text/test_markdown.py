from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.text.markdown import Block, blocks, code_spans, slug, strip_inline


@pytest.mark.parametrize(
    ("marked", "read"),
    [
        ("**Bold**, *slanted* and _both_", "Bold, slanted and both"),
        ('[a link](http://x.org/a_(b) "title") and ![an image](x.png)', "a link and an image"),
        ("[a [nested] link](x) and [by name][ref]", "a [nested] link and by name"),
        ("`max_cost`, ``a`b`` and `**raw**`", "max_cost, a`b and **raw**"),
        ("<https://x.org> <b>bold</b> ~~gone~~", "https://x.org bold gone"),
        (r"2 \* 3 = 6 and a\_b", "2 * 3 = 6 and a_b"),
        ("snake_case_name and 2 < 3 &amp; 4", "snake_case_name and 2 < 3 & 4"),
        ("[`echo`](#echo) and `[raw](x)` and [**bold** link](y)", "echo and [raw](x) and bold link"),
        ("f(x)[0] stays", "f(x)[0] stays"),
        ("a\n  b", "a b"),
    ],
)
def test_inline_markup_is_taken_off(marked: str, read: str) -> None:
    assert strip_inline(marked) == read


def test_blocks_stand_under_their_headings() -> None:
    text = (
        "---\ntitle: x\n---\nIntro\nwraps.\n\n# One #\n\ntext `a`\n## Two\n- item *one*\n  goes on\n- [x] item two\n"
        "\nThree\n=====\n1. first\n> quoted\n\n***\n### Deep\nlast <!-- not\n\nseen -->line\n"
    )
    assert list(blocks(text)) == [
        Block("paragraph", "Intro wraps.", ()),
        Block("paragraph", "text a", ("One",)),
        Block("item", "item one goes on", ("One", "Two")),
        Block("item", "item two", ("One", "Two")),
        Block("item", "first quoted", ("Three",)),
        Block("paragraph", "last line", ("Three", "Deep")),
    ]


def test_code_is_kept_as_it_is() -> None:
    text = (
        "Run:\n\n```sh\n# not a heading\n\npip install x | tee y\n```\n\n    indented\n      more\n\nend\n\n~~~\nopen"
    )
    assert [(block.kind, block.text) for block in blocks(text)] == [
        ("paragraph", "Run:"),
        ("code", "# not a heading\n\npip install x | tee y"),
        ("code", "indented\n  more"),
        ("paragraph", "end"),
        ("code", "open"),
    ]


def test_a_table_becomes_rows_that_know_their_columns() -> None:
    text = "| code | *meaning* |\n|---|:--:|\n| 0 | `good | fine` |\n| 1 | a \\| b | more |\n\nafter"
    assert list(blocks(text)) == [
        Block("row", "0: good | fine", (), "code meaning"),
        Block("row", "1: a | b; more", (), "code meaning"),
        Block("paragraph", "after", ()),
    ]


def test_anchors_are_githubs() -> None:
    assert slug("What's new in `v1.2`? A & B") == "whats-new-in-v12-a--b"


@given(st.text(alphabet="ab#-=|`*_[]()<>!\\ \n\t1.", max_size=120) | st.text(max_size=120))
def test_any_text_is_read_without_inventing_letters(text: str) -> None:
    read = "".join(block.text for block in blocks(text))
    assert not any(block.text == "" for block in blocks(text))
    assert read.count("a") <= text.count("a") + text.count("&")


def test_code_ends_at_a_run_of_as_many_marks() -> None:
    assert code_spans("a `b` ``c ` d`` `e") == [(2, 5), (6, 15)]
    assert code_spans("one ``of them` is open") == []
    assert strip_inline("`` `a` `` and ``b`c``") == "`a` and b`c"


@pytest.mark.parametrize(
    ("text", "count"),
    [("`" * 100_001, 0), ("<!-- " * 40_000, 1), ("a|b\n--|--\n" + "|`a|" * 40_000, 1), ("a `b` ``c " * 20_000, 1)],
)
def test_what_is_never_closed_is_read_in_one_go(text: str, count: int) -> None:
    assert len(list(blocks(text))) == count
