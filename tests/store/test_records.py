from __future__ import annotations

import json
from collections.abc import Callable
from math import inf, nan
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given

from llmkit.store.records import (
    failure_from_dict,
    failure_to_dict,
    output_from_dict,
    output_to_dict,
    passage_from_dict,
    passage_to_dict,
    response_from_dict,
    response_to_dict,
    score_from_dict,
    score_to_dict,
    to_json,
)
from llmkit.types import Failure, Loglikelihood, Output, Passage, Response, Score, TokenLogprob
from tests.store import strategies as some


def through_disk(record: Any, to_dict: Callable[[Any], dict[str, Any]], from_dict: Callable[[Any], Any]) -> Any:
    line = to_json(to_dict(record))
    assert b"\n" not in line
    row = json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    return from_dict(row)


@given(some.responses)
def test_a_response_comes_back_as_it_was(record: Response) -> None:
    assert through_disk(record, response_to_dict, response_from_dict) == record


@given(some.outputs())
def test_an_output_comes_back_as_it_was(record: Output) -> None:
    assert through_disk(record, output_to_dict, output_from_dict) == record


@given(some.scores)
def test_a_score_comes_back_as_it_was(record: Score) -> None:
    assert through_disk(record, score_to_dict, score_from_dict) == record


@given(some.failures)
def test_a_failure_comes_back_as_it_was(record: Failure) -> None:
    assert through_disk(record, failure_to_dict, failure_from_dict) == record


@given(some.passages)
def test_a_passage_comes_back_as_it_was(record: Passage) -> None:
    assert through_disk(record, passage_to_dict, passage_from_dict) == record


@given(some.responses, some.free)
def test_keys_of_a_newer_version_are_ignored(record: Response, unknown: dict[str, Any]) -> None:
    row = {**{f"new_{key}": value for key, value in unknown.items()}, **response_to_dict(record)}
    assert response_from_dict(row) == record


def test_defaults_are_not_written() -> None:
    assert response_to_dict(Response()) == {}
    assert output_to_dict(Output("a", None)) == {"sample_id": "a"}
    assert score_to_dict(Score("a", "bleu", 0.0)) == {"sample_id": "a", "scorer": "bleu", "value": 0.0}


def test_a_text_is_not_written_twice() -> None:
    same = output_to_dict(Output("a", "Paris", response=Response(text="Paris", model="m")))
    assert same["response"] == {"model": "m"}
    other = output_to_dict(Output("a", "Paris", response=Response(text="", model="m")))
    assert other["response"] == {"model": "m", "text": ""}


@pytest.mark.parametrize("bad", [nan, inf, -inf])
@pytest.mark.parametrize(
    "make",
    [
        lambda bad: score_to_dict(Score("a", "bleu", bad)),
        lambda bad: score_to_dict(Score("a", "bleu", 1.0, stats=(1.0, "x", bad))),
        lambda bad: to_json(response_to_dict(Response(latency=bad))),
        lambda bad: to_json(response_to_dict(Response(cost=bad))),
        lambda bad: to_json(response_to_dict(Response(embeddings=((0.5, bad),)))),
        lambda bad: to_json(output_to_dict(Output("a", "x", retrieved=(Passage("p", "t", bad),)))),
    ],
)
def test_a_number_that_is_not_finite_is_refused(make: Callable[[float], Any], bad: float) -> None:
    with pytest.raises(ValueError):
        make(bad)


def test_a_logprob_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot write"):
        to_json(response_to_dict(Response(logprobs=(TokenLogprob("a", nan),))))


def test_an_impossible_token_keeps_its_minus_infinity() -> None:
    record = Response(
        logprobs=(TokenLogprob("a", -inf, (("b", -inf),)),), loglikelihoods=(Loglikelihood(-inf, 3, greedy=False),)
    )
    assert through_disk(record, response_to_dict, response_from_dict) == record


def test_the_tokens_of_a_likelihood_are_kept_where_there_are_any() -> None:
    found = (
        Loglikelihood(-3.0, 2, False, (-1.0, -2.0)),
        Loglikelihood(-inf, 1, False, (-inf,)),
        Loglikelihood(-1.0, 4, True),
    )
    record = Response(loglikelihoods=found)
    assert through_disk(record, response_to_dict, response_from_dict) == record


def test_odd_values_in_a_free_field_do_not_lose_a_paid_answer() -> None:
    extra = {"nan": nan, "deep": [inf, {"x": {1}}], "own": MappingProxyType({"a": 1}), "object": 1 + 2j}
    row = json.loads(to_json(response_to_dict(Response("hi", extra=extra))))
    assert row == {
        "text": "hi",
        "extra": {"nan": None, "deep": [None, {"x": [1]}], "own": {"a": 1}, "object": "(1+2j)"},
    }


def test_a_key_that_is_not_text_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="cannot write the record of 'a'"):
        to_json(output_to_dict(Output("a", "x", response=Response(extra={(1, 2): 3}))))  # type: ignore[dict-item]


def test_lines_are_valid_utf8_even_with_lone_surrogates() -> None:
    line = to_json(score_to_dict(Score("caf\udce9", "é", None)))
    assert json.loads(line.decode("utf-8"))["sample_id"] == "caf\udce9"
    assert "é".encode() in to_json(score_to_dict(Score("a", "é", None)))
