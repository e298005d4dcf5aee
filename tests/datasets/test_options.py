from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmkit.datasets import open_dataset
from llmkit.errors import ConfigError
from tests.datasets.making import opened, samples, sentences

SQUAD = {"question": "q", "answers": {"text": ["a", "b"], "answer_start": [1, 2]}, "id": 5, "title": "t"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"path": "x", "limt": 3}, "dataset: unknown option 'limt' (did you mean 'limit'?)"),
        ({}, "dataset: give either path or hf"),
        ({"path": "x", "hf": "y"}, "dataset: give either path or hf, not both"),
        ({"path": 3}, "dataset.path: expected a text"),
        ({"path": "x", "format": "jsnl"}, "dataset.format: unknown format 'jsnl' (did you mean 'jsonl'?)"),
        (
            {"path": "x", "format": "xml"},
            ("dataset.format: unknown format 'xml' (formats: jsonl, csv, tsv, json, parquet, qrels, mmlu, truthfulqa, "
            "commonsenseqa, aqua, arc)"),
        ),
        ({"path": "x", "limit": 0}, "dataset.limit: expected a whole number of at least 1, not 0"),
        ({"path": "x", "limit": True}, "dataset.limit: expected a whole number of at least 1, not True"),
        ({"path": "x", "sample": 5}, "dataset.sample: expected {n: 100, seed: 0} with whole numbers"),
        ({"path": "x", "sample": {"n": 5, "sed": 1}}, "dataset.sample: expected {n: 100, seed: 0} with whole numbers"),
        ({"path": "x", "skip_bad_rows": "yes"}, "dataset.skip_bad_rows: expected true or false"),
        ({"path": "x", "fields": ["a"]}, "dataset.fields: expected a mapping such as {input: question}"),
        ({"path": "x", "fields": {"inptu": "q"}}, "dataset.fields.inptu: a row has no field 'inptu' (did you mean 'input'?)"),
        ({"path": "x", "fields": {"topic": "q"}}, "dataset.fields.topic: a row has no field 'topic' (other names go under meta: meta.topic)"),
        ({"path": "x", "fields": {"meta.output": "q"}}, "dataset.fields.meta.output: 'output' cannot be the name of a meta field"),
        ({"path": "x", "fields": {"input": 3}}, "dataset.fields.input: expected a field name, a list of names, or {field: name, split: ';'}"),
        ({"path": "x", "fields": {"input": {"field": "a"}}}, "dataset.fields.input: expected a field name, a list of names, or {field: name, split: ';'}"),
    ],
)  # fmt: skip
def test_options_that_are_wrong(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_dataset(options, base=tmp_path)
    assert str(caught.value) == sentence


def test_all_wrong_options_are_told_at_once(tmp_path: Path) -> None:
    options = {"path": "x", "limit": -1, "sample": {}, "where": "a =", "fields": {"x": 1}, "frmt": "csv"}
    with pytest.raises(ConfigError) as caught:
        open_dataset(options, base=tmp_path)
    assert [problem.key for problem in caught.value.problems] == [
        "dataset", "dataset.limit", "dataset.sample", "dataset.fields.x", "dataset.fields.x", "dataset.where",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "row", "expected"),
    [
        ({"input": "question", "references": "answers.text"}, SQUAD, {"references": ("a", "b"), "input": "q", "id": "5"}),
        ({"input": "question", "references": "answers.text.1"}, SQUAD, {"references": ("b",)}),
        ({"input": "question", "meta.topic": "title"}, SQUAD, {"meta": {"answers": SQUAD["answers"], "topic": "t"}}),
        (
            {"input": "q.stem", "choices": "q.choices.text"},
            {"q": {"stem": "s", "choices": [{"text": "x"}, {"text": "y"}]}},
            {"input": "s", "choices": ("x", "y")},
        ),
        (
            {"input": "q", "choices": ["A", "B", "C"], "answer": "k"},
            {"q": "s", "A": "x", "B": "y", "C": None, "k": 1},
            {"choices": ("x", "y"), "answer": 1, "meta": {}},
        ),
        ({"input": "q", "references": {"field": "r", "split": ";"}}, {"q": "s", "r": "a; b;"}, {"references": ("a", "b")}),
        ({"input": "q", "references": ["r", "more"]}, {"q": "s", "r": "a", "more": ["b", "c"]}, {"references": ("a", "b", "c")}),
        ({"input": "a.b"}, {"a.b": "flat", "a": {"b": "deep"}}, {"input": "flat"}),
        # A field that is mapped away is not read under its own name too: this answer is a reference, not a label.
        ({"input": "q", "references": "answer"}, {"q": "s", "answer": "x"}, {"references": ("x",), "answer": None}),
        ({"input": "q", "references": "answer.text"}, {"q": "s", "answer": {"text": "x"}}, {"references": ("x",), "answer": None}),
        ({"input": "q", "references": "answer", "answer": "answer"}, {"q": "s", "answer": "x"}, {"references": ("x",), "answer": "x"}),
        ({"references": "output"}, {"input": "s", "output": "x"}, {"references": ("x",), "output": None}),
        # Gold inside an object leaves it, so that neither a prompt nor a target that is code can read it in meta.
        ({"input": "question", "references": "answers.text"}, SQUAD, {"meta": {"answers": {"answer_start": [1, 2]}, "title": "t"}}),
        ({"input": "question", "references": "answers.text.1"}, SQUAD, {"meta": {"answers": {"answer_start": [1, 2]}, "title": "t"}}),
        (
            {"input": "chat.0.value", "references": "chat.1.value"},
            {"chat": [{"value": "q"}, {"value": "gold"}], "k": 1},
            {"input": "q", "references": ("gold",), "meta": {"k": 1}},
        ),
        (
            {"input": "q", "references": "golds.text"},
            {"q": "s", "golds": [{"text": "x", "by": 1}, {"text": "y", "by": 2}]},
            {"references": ("x", "y"), "meta": {"golds": [{"by": 1}, {"by": 2}]}},
        ),
        # A second file may be joined on what names the row.
        ({"id": "question_id", "input": "q"}, {"question_id": 7, "q": "s"}, {"id": "7", "meta": {"question_id": 7}}),
        ({"output": "gpt"}, {"input": "s", "gpt": "x", "llama": "y"}, {"output": "x", "meta": {"gpt": "x", "llama": "y"}}),
    ],
)  # fmt: skip
def test_fields_are_mapped(
    tmp_path: Path, fields: dict[str, Any], row: dict[str, Any], expected: dict[str, Any]
) -> None:
    [sample] = samples(tmp_path, [row], fields=fields)
    assert {name: getattr(sample, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("choices", "row"),
    [(["A", "B", "C"], {"A": "x", "B": None, "C": "z"}), ({"field": "all", "split": ";"}, {"all": "x;; z;"})],
)
def test_a_choice_that_is_missing_before_others_is_refused(tmp_path: Path, choices: Any, row: dict[str, Any]) -> None:
    # Closing up would show the third choice as B, and then C would be the wrong answer.
    dataset = opened(tmp_path, [{"input": "q", "answer": "C", **row}], fields={"choices": choices})
    assert sentences(tmp_path, dataset) == ["set.jsonl:1: 'choices' has null as item 2, where a text must be"]


def test_two_systems_in_one_table_answer_the_same_set(tmp_path: Path) -> None:
    rows = [{"q": "s", "gpt": "x", "llama": "y"}]
    first, second = (samples(tmp_path, rows, fields={"input": "q", "output": name})[0] for name in ("gpt", "llama"))
    assert first.id == second.id


def test_a_mapped_name_that_no_row_has_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    dataset = opened(tmp_path, [{"question": "q", "answer": "a"}], fields={"input": "questoin", "references": "zzz"})
    expected = [
        "set.jsonl: dataset.fields: no row has the field 'questoin' (did you mean 'question'?)",
        "set.jsonl: dataset.fields: no row has the field 'zzz'",
    ]
    assert sentences(tmp_path, dataset) == expected
    limited = opened(tmp_path, [{"question": "q"}] * 9, fields={"input": "questoin"}, limit=2)
    assert sentences(tmp_path, limited) == expected[:1]
