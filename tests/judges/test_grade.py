"""Single-answer grading."""

from __future__ import annotations

import json

import pytest

from llmkit import registry
from llmkit.judges.grade import Grade
from llmkit.testing import converse
from llmkit.types import Failure, Output, Sample, Skipped

SAMPLE = Sample("q", "Capital of France?", references=("Paris",))
OUTPUT = Output("q", "Lyon")


def test_a_grade_with_its_reason() -> None:
    judgment, [request] = converse(Grade().judge(SAMPLE, OUTPUT), ["Wrong city.\nGrade: 2"])
    assert judgment.stats == (2.0,)
    assert "Wrong city." in judgment.reason
    assert "Paris" in request.messages[1]["content"]
    assert request.params == {"temperature": 0.0}


def test_the_json_form_is_enforced_and_read() -> None:
    said = json.dumps({"reason": "Wrong city.", "grade": 2})
    judgment, [request] = converse(Grade(form="json").judge(SAMPLE, OUTPUT), [said])
    assert judgment.stats == (2.0,)
    assert judgment.reason == "Wrong city."
    schema = request.params["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["grade"] == {"type": "number", "minimum": 1.0, "maximum": 10.0}


def test_off_the_scale_twice_is_an_error_with_what_was_said() -> None:
    judgment, _ = converse(Grade(scale=(1, 5)).judge(SAMPLE, OUTPUT), ["Grade: 8", "Grade: 8"])
    assert isinstance(judgment.stats, Failure)
    assert judgment.stats.kind == "out_of_range"


def test_the_reference_is_shown_or_not_as_told() -> None:
    never, [hidden] = converse(Grade(reference="never").judge(SAMPLE, OUTPUT), ["Grade: 5"])
    assert "Paris" not in hidden.messages[1]["content"]
    skipped, asked = converse(Grade(reference="always").judge(Sample("q", "x"), OUTPUT), [])
    assert isinstance(skipped.stats, Skipped)
    assert asked == []
    assert never.stats == (5.0,)


def test_a_conversation_is_graded_as_a_whole() -> None:
    sample = Sample("q", "First?", turns=("Second?",))
    output = Output("q", "two", turns=("one", "two"))
    _, [request] = converse(Grade().judge(sample, output), ["Grade: 5"])
    text = request.messages[1]["content"]
    places = [text.index(part) for part in ("First?", "\none\n", "Second?", "\ntwo\n")]
    assert places == sorted(places)


def test_another_prompt_scale_or_criterion_is_another_signature() -> None:
    signatures = {Grade().signature, Grade(criteria="brevity").signature, Grade(scale=(1, 5)).signature}
    assert len(signatures) == 3
    assert Grade(model={"openai": {"model": "x"}}, name="y").signature == Grade().signature  # the flow adds the model


def test_a_scale_upside_down_is_refused() -> None:
    with pytest.raises(Exception, match="the lowest grade comes first"):
        registry.build("judges", {"grade": {"scale": [5, 1]}})
