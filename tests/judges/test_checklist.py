"""checklist: every item has a verdict, or the row has none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmkit import registry
from llmkit.errors import ConfigError
from llmkit.judges.checklist import Checklist
from llmkit.testing import converse
from llmkit.types import Failure, Output, Sample, Skipped, Table

SAMPLE = Sample("q", "Opening hours?", meta={"must": ["names Sunday"]})
OUTPUT = Output("q", "Nine to five, never on Sunday.")
ITEMS = {"gives hours": 3.0, "is polite": 1.0}


def test_the_weighted_share_of_items_met() -> None:
    said = "1: yes - nine to five\n**2**: **No** - curt"
    judgment, [request] = converse(Checklist(ITEMS).judge(SAMPLE, OUTPUT), [said])
    assert judgment.stats == (0.75, 1.0, 0.0)
    assert judgment.reason == "yes: gives hours - nine to five\nno: is polite - curt"
    assert "1. gives hours\n2. is polite" in request.messages[1]["content"]


def test_rows_may_have_items_of_their_own() -> None:
    judge = Checklist(["gives hours"], field="must")
    judgment, _ = converse(judge.judge(SAMPLE, OUTPUT), ["1. yes\n2) no: it does not"])
    assert judgment.stats == (0.5, 1.0)
    skipped, asked = converse(Checklist(field="must").judge(Sample("q", "x"), OUTPUT), [])
    assert isinstance(skipped.stats, Skipped)
    assert asked == []
    assert Checklist(field="must").needs == ("meta.must",)


def test_an_item_without_a_verdict_makes_an_error_and_no_no() -> None:
    judgment, requests = converse(Checklist(ITEMS).judge(SAMPLE, OUTPUT), ["1: yes", "1: yes\n2: maybe"])
    assert isinstance(judgment.stats, Failure)
    assert "item 2 of 2" in judgment.stats.message
    assert "item 2 of 2" in requests[1].messages[-1]["content"]


def test_one_by_one_asks_each_alone() -> None:
    judgment, requests = converse(Checklist(ITEMS, one_by_one=True).judge(SAMPLE, OUTPUT), ["1: no", "1: yes"])
    assert judgment.stats == (0.25, 0.0, 1.0)
    assert len(requests) == 2
    assert "is polite" not in requests[0].messages[1]["content"]


def test_json_in_any_order() -> None:
    rows = [{"item": 2, "reason": "b", "verdict": "no"}, {"item": 1, "reason": "a", "verdict": "yes"}]
    judgment, [request] = converse(Checklist(ITEMS, form="json").judge(SAMPLE, OUTPUT), [json.dumps({"items": rows})])
    assert judgment.stats == (0.75, 1.0, 0.0)
    assert "response_format" in request.params


@pytest.mark.parametrize("said", ["", "<html>", "Non.", '{"items": [1, null, {"item": 1}]}', "1: yes\n3: yes"])
def test_what_is_no_list_of_verdicts_is_an_error(said: str) -> None:
    for form in ("text", "json"):
        judge = Checklist(ITEMS, form=form)
        judgment, _ = converse(judge.judge(SAMPLE, OUTPUT), [said, said])
        assert isinstance(judgment.stats, Failure)


def test_the_report_shows_each_items_share() -> None:
    table = Table([[1.0, 0.5], [1.0, 0.0], [1.0, 1.0]], [(), (), ()])
    [shown] = Checklist(ITEMS).details(table)["tables"]
    assert shown["rows"] == [["gives hours", 2, 0.5], ["is polite", 2, 1.0]]


@pytest.mark.parametrize(
    ("written", "sentence"),
    [({"checklist": {}}, "nothing to check"), ({"checklist": {"items": {"a": 0}}}, "must be above 0")],
)
def test_arguments_that_make_no_judge_are_one_sentence(written: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        registry.build("judges", written)


def test_an_item_twice_and_a_field_that_is_no_list_are_refused_and_not_guessed() -> None:
    with pytest.raises(ConfigError, match="stands there twice"):
        registry.build("judges", {"checklist": {"items": ["a", "b", "a"]}})
    for value in (3, {"x": 2}, ["a", None]):
        judgment, asked = converse(Checklist(field="m").judge(Sample("q", "x", meta={"m": value}), OUTPUT), [])
        assert judgment.stats == Failure("no_items", "the field 'm' of the row is neither a text nor a list of texts")
        assert asked == []
    blank, _ = converse(Checklist(field="m").judge(Sample("q", "x", meta={"m": [" "]}), OUTPUT), [])
    assert isinstance(blank.stats, Skipped)


@pytest.mark.parametrize("line", ["1: yes or no", "1: yes/no", "1. No evidence is against it", "1: yes and no"])
def test_a_line_that_says_more_than_a_verdict_is_none(line: str) -> None:
    judgment, requests = converse(Checklist(["a"]).judge(SAMPLE, OUTPUT), [line, "1: no – it does not"])  # noqa: RUF001
    assert (judgment.stats, len(requests)) == ((0.0, 0.0), 2)
    assert judgment.reason == "no: a - it does not"
