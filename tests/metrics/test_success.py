"""success finds answers in passages as DPR does."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import ConfigError
from llmkit.metrics._answer_match import words
from llmkit.metrics.success import Success
from llmkit.types import Output, Passage, Sample, Skipped

DPR: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "retrieval.json").read_text("utf-8"))["dpr"]


def score(metric: Success, references: list[str], *texts: str, contexts: tuple[str, ...] = ()) -> float | Skipped:
    retrieved = tuple(Passage(str(number), text) for number, text in enumerate(texts))
    return metric.score(
        Sample("q", references=tuple(references), contexts=contexts), Output("q", "", retrieved=retrieved)
    )


def test_golden_words_of_dpr() -> None:
    assert [words(text).split() for text in DPR["texts"]] == DPR["tokens"]


@pytest.mark.parametrize(("match", "asked"), [("words", "answers"), ("regex", "patterns")])
def test_golden_answers_of_dpr(match: Any, asked: str) -> None:
    metric = Success(1, match)
    compared = 0
    for references, found in zip(DPR[asked], DPR["words" if match == "words" else "regex"], strict=True):
        for text, figure in zip(DPR["texts"], found, strict=True):
            if text:
                assert score(metric, references, text) == float(figure), (references, text)
                compared += 1
    assert compared > 40


def test_only_the_first_k_passages_count() -> None:
    texts = ["nothing", "nothing", "the answer is 42"]
    assert [score(Success(k), ["42"], *texts) for k in (1, 2, 3, 10)] == [0, 0, 1, 1]


def test_words_match_whole_and_in_order() -> None:
    assert score(Success(1), ["cat sat"], "A cat sat.") == 1
    assert score(Success(1), ["sat cat"], "A cat sat.") == 0
    assert score(Success(1), ["at"], "A cat sat.") == 0


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_an_answer_is_found_in_a_text_that_holds_it(before: str, answer: str, after: str) -> None:
    found = score(Success(1), [answer], f"{before} {answer} {after}")
    assert found == (1.0 if words(answer) else Skipped("no reference holds a word"))


@given(st.text(), st.text())
def test_neither_case_nor_the_form_of_unicode_matters(text: str, answer: str) -> None:
    composed = [unicodedata.normalize("NFC", part) for part in (text, answer)]
    assert score(Success(1), [answer], f"x {text}") == score(Success(1), [composed[1]], f"x {composed[0]}")


def test_no_passages_count_0_and_passages_without_text_not_at_all() -> None:
    assert score(Success(5), ["a"]) == 0
    assert score(Success(5), ["a"], "", "") == Skipped("the passages have no text")
    assert score(Success(5), [], "a") == Skipped("no reference")
    assert score(Success(5), ["\u200b"], "a") == Skipped("no reference holds a word")
    assert score(Success(5, "regex"), ["("], "a") == Skipped(
        "a reference is not a regular expression: missing ), unterminated subpattern at position 0"
    )


def test_contexts_of_the_row_in_the_place_of_what_was_retrieved() -> None:
    assert score(Success(1, passages="contexts"), ["42"], "nothing", contexts=("it is 42",)) == 1
    assert score(Success(1, passages="contexts"), ["42"], "it is 42") == 0


def test_a_depth_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="k: must be at least 1, got 0"):
        Success(0)
