"""Verdicts are read strictly, asked for once more, and never made up."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.judges import Fault, asked, block, last_choice, last_number, said_json
from llmkit.testing import converse
from llmkit.types import Failure, Response


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Grade: 7", 7),
        ("I would say 3.\nGrade: 7", 7),
        ("Grade: 2\nOn reflection:\nGrade: 7", 7),
        ("**Grade:** 7", 7),
        ("## grade: **7**", 7),
        ("Grade: 7/10", 7),
        ("Grade: 7 out of 10", 7),
        ("Grade: [[7.5]]", 7.5),
        ("Grade: 7,5", 7.5),
        ("Grade: 7.", 7),
        ("- Grade = 7", 7),
    ],
)
def test_a_number_is_read_whatever_stands_around_it(text: str, value: float) -> None:
    assert last_number(text, 1, 10, after="Grade:") == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("7", "off_form"),
        ("Grade:", "off_form"),
        ("Grade: 1-3", "off_form"),
        ("Grade: 6 or 7", "off_form"),
        ("Grade: seven", "off_form"),
        ("Grade: 11", "out_of_range"),
        ("Grade: 0", "out_of_range"),
        ("Grade: -3", "out_of_range"),
        ("Grade: 1e9", "off_form"),
        ("Grade: nan", "off_form"),
        ("Grade: 7\nGrade: 12", "out_of_range"),
        ("<html>502</html>", "off_form"),
        ("I cannot help with that.", "off_form"),
    ],
)
def test_what_is_no_number_on_the_scale_is_a_fault(text: str, kind: str) -> None:
    found = last_number(text, 1, 10, after="Grade:")
    assert isinstance(found, Fault)
    assert found.kind == kind


def test_the_last_choice_on_the_menu_wins_and_others_are_faults() -> None:
    menu = ["A", "B", "tie"]
    assert last_choice("Verdict: A\nno\nVERDICT: **b**", menu, after="Verdict:") == "B"
    assert last_choice("Verdict: [[Tie]]", menu, after="Verdict:") == "tie"
    off = last_choice("Verdict: A\nVerdict: both", menu, after="Verdict:")
    assert isinstance(off, Fault)
    assert off.kind == "off_menu"


def test_the_last_json_object_is_read_fenced_or_not() -> None:
    assert said_json('{"a": 1} then ```json\n{"a": {"b": 2}}\n```') == {"a": {"b": 2}}
    assert isinstance(said_json("{not json} []"), Fault)


@given(text=st.text(), other=st.text())
def test_no_text_can_close_its_own_fence(text: str, other: str) -> None:
    fenced = block("answer", text)
    first, last = fenced.splitlines()[0], fenced.rsplit("\n", 1)[1]
    assert re.fullmatch(r"<<<answer [0-9a-f]{12}>>>", first)
    assert last not in text
    assert (block("answer", other) == fenced) == (text == other)


def read(response: Response) -> float | Fault:
    return last_number(response.text, 1, 5, after="Grade:")


CHAT = [{"role": "user", "content": "Grade it."}]


def test_a_verdict_out_of_form_is_asked_for_once_more_and_told_why() -> None:
    found, requests = converse(asked(CHAT, read), ["about 3", "Grade: 3"])
    assert found == 3
    assert [len(request.messages) for request in requests] == [1, 3]
    assert requests[1].messages[1]["content"] == "about 3"
    assert "no line begins with 'Grade:'" in requests[1].messages[2]["content"]


def test_after_the_second_fault_there_is_no_verdict_and_what_was_said_is_shown() -> None:
    found, requests = converse(asked(CHAT, read), ["about 3", "Grade: 9"])
    assert isinstance(found, Failure)
    assert found.kind == "out_of_range"
    assert "'Grade: 9'" in found.message
    assert len(requests) == 2


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(text=" "), "empty"),
        (Response(text="", finish="length"), "cut_off"),
        (Response(text="", finish="content_filter"), "refused"),
    ],
)
def test_an_answer_without_text_says_why_there_is_none(response: Response, kind: str) -> None:
    found, _ = converse(asked(CHAT, read, again=0), [response])
    assert isinstance(found, Failure)
    assert found.kind == kind


def test_a_schema_goes_along_where_the_endpoint_is_to_enforce_one() -> None:
    schema = {"type": "object"}
    _, [request] = converse(asked(CHAT, read, schema=schema, params={"temperature": 0}), ["Grade: 1"])
    assert request.params["response_format"]["json_schema"]["schema"] == schema
    assert request.params["temperature"] == 0


def test_labels_that_differ_in_case_or_marks_alone_are_told_apart() -> None:
    assert last_choice("Verdict: a", ["A", "a"], after="Verdict:") == "a"
    assert last_choice("Verdict: (a) good", ["(a) good", "b"], after="Verdict:") == "(a) good"
    assert last_choice("Verdict: **(a) Good**", ["(a) good", "b"], after="Verdict:") == "(a) good"
    assert isinstance(last_choice("Verdict: GOOD", ["Good", "good"], after="Verdict:"), Fault)


def test_a_comma_before_three_digits_is_no_number() -> None:
    found = last_number("Score: 1,000", 0, 2000, after="Score:")
    assert isinstance(found, Fault)
    assert "two ways" in found.message
    assert last_number("Score: 4,5", 0, 10, after="Score:") == 4.5
