from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.datasets import open_dataset
from llmkit.errors import DataError
from llmkit.types import Sample
from tests.datasets.making import opened, samples, sentences, write

ROLES = "system, developer, user, assistant, tool, function"
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]


def test_every_field_of_a_row(tmp_path: Path) -> None:
    row = {
        "id": 7,
        "input": "Capital of France?",
        "references": ["Paris", 1, {"b": 1, "a": None}],
        "contexts": ["France...", {"text": "Paris...", "source": "wiki"}],
        "choices": ["Rome", "Paris", 3],
        "answer": 1,
        "output": {"city": "Paris"},
        "turns": ["And of Italy?"],
        "category": "geo",
        "meta": {"level": 2, "category": "inner"},
    }
    assert samples(tmp_path, [row]) == [
        Sample(
            id="7",
            input="Capital of France?",
            turns=("And of Italy?",),
            references=("Paris", "1", '{"a":null,"b":1}'),
            contexts=("France...", "Paris..."),
            choices=("Rome", "Paris", "3"),
            answer=1,
            output='{"city":"Paris"}',
            meta={"level": 2, "category": "geo"},
            line=1,
        )
    ]


@pytest.mark.parametrize(
    ("row", "name", "value"),
    [
        ({"input": "q", "reference": "a"}, "references", ("a",)),
        ({"input": "q", "references": 3.5}, "references", ("3.5",)),
        ({"input": "q", "references": True}, "references", ("true",)),
        ({"input": "q", "references": []}, "references", ()),
        ({"input": "q", "references": None}, "references", ()),
        ({"input": "q", "context": "c"}, "contexts", ("c",)),
        ({"input": "q", "answer": "B"}, "answer", "B"),
        ({"input": "q", "answer": 0}, "answer", 0),
        ({"input": "q", "answer": False}, "answer", "false"),
        ({"input": "q", "id": 1.5}, "id", "1.5"),
        ({"output": ""}, "output", ""),
        ({"output": 42}, "output", "42"),
        ({"input": CHAT}, "input", tuple(CHAT)),
        ({"messages": CHAT}, "input", tuple(CHAT)),
        ({"input": ["one", "two", "three"]}, "input", "one"),
        ({"input": ["one", "two", "three"]}, "turns", ("two", "three")),
        ({"input": "q", "meta": "plain"}, "meta", {"meta": "plain"}),
    ],
)
def test_what_a_field_may_be(tmp_path: Path, row: dict[str, Any], name: str, value: Any) -> None:
    [sample] = samples(tmp_path, [row])
    assert getattr(sample, name) == value


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ([1], 'the row is a list, where an object such as {"input": ...} must be'),
        ("text", 'the row is text, where an object such as {"input": ...} must be'),
        (None, 'the row is null, where an object such as {"input": ...} must be'),
        (
            {"question": "q", "n": 1, "input": None},
            "the row has neither 'input' nor 'output' but question, n; dataset.fields maps other names",
        ),
        ({}, "the row has neither 'input' nor 'output' but nothing; dataset.fields maps other names"),
        ({"input": ""}, "'input' is empty"),
        ({"input": 3}, "'input' must be text or a list of chat messages, not a number"),
        ({"input": []}, "'input' is an empty list"),
        ({"input": ["one", 2]}, "'input' has a number as item 2, where a text must be"),
        (
            {"input": ["one", "two"], "turns": ["x"]},
            "'input' is a list of turns, and there are 'turns' too; keep one of them",
        ),
        ({"input": [{"content": "x"}]}, f"'input' has no role in message 1 (roles are {ROLES})"),
        ({"messages": [{"role": "bot", "content": "x"}]}, f"'messages' has the role 'bot' in message 1 (roles are {ROLES})"),
        ({"messages": [{"role": "user", "content": 1}]}, "'messages' has a number as the content of message 1, where text or parts must be"),
        ({"messages": [{"role": "user"}]}, "'messages' has null as the content of message 1, where text or parts must be"),
        ({"messages": ["hi"]}, "'messages' has text as message 1, where an object with 'role' must be"),
        ({"input": "q", "messages": CHAT}, "'messages' says a second time what another field says; keep one of them"),
        ({"input": "q", "reference": "a", "references": ["a"]}, "'references' says a second time what another field says; keep one of them"),
        ({"input": "q", "references": ["a", None]}, "'references' has null as item 2"),
        ({"input": "q", "contexts": 5}, "'contexts' has a number as item 1, where a text (or an object with 'text') must be"),
        ({"input": "q", "choices": "A"}, "'choices' must be a list of texts, not text"),
        ({"input": "q", "choices": ["A", {}]}, "'choices' has an object as item 2, where a text must be"),
        ({"input": "q", "answer": ["A"]}, "'answer' must be a label or an index, not a list"),
        ({"input": "q", "choices": ["A", "B"], "answer": 2}, "'answer' is 2, not an index into the 2 choices (they count from 0)"),
        ({"input": "q", "turns": 5}, "'turns' must be text or a list of texts, not a number"),
        ({"input": "q", "id": True}, "'id' must be text or a number, not true or false"),
        ({"input": "q", "id": " "}, "'id' is empty"),
    ],
)  # fmt: skip
def test_a_row_of_a_wrong_form_is_named(tmp_path: Path, row: Any, sentence: str) -> None:
    dataset = opened(tmp_path, [{"input": "fine"}, row])
    assert sentences(tmp_path, dataset) == [f"set.jsonl:2: {sentence}"]


def test_everything_wrong_with_a_row_is_told_at_once(tmp_path: Path) -> None:
    dataset = opened(tmp_path, [{"input": 1, "references": [None], "turns": 3}])
    assert sentences(tmp_path, dataset) == [
        "set.jsonl:1: 'input' must be text or a list of chat messages, not a number",
        "set.jsonl:1: 'references' has null as item 1",
        "set.jsonl:1: 'turns' must be text or a list of texts, not a number",
    ]


def test_an_id_is_made_of_the_content_and_not_of_the_place(tmp_path: Path) -> None:
    first = samples(tmp_path, [{"input": "a"}, {"input": "b", "n": 1}])
    second = samples(tmp_path, [{"input": "new"}, {"n": 1, "input": "b"}, {"input": "a"}])
    assert [sample.id for sample in first] == [second[2].id, second[1].id]
    assert all(len(sample.id) == 12 and int(sample.id, 16) >= 0 for sample in second)


def test_a_recorded_output_does_not_change_the_id_unless_there_is_nothing_else(tmp_path: Path) -> None:
    rows = [{"input": "a", "output": "x"}, {"input": "a", "output": "y"}]
    first, second = samples(tmp_path, rows)
    assert second.id == f"{first.id}-2"
    alone = samples(tmp_path, [{"output": "x"}, {"output": "y"}])
    assert alone[0].id != alone[1].id
    assert "-" not in alone[1].id


def test_equal_rows_without_an_id_are_counted(tmp_path: Path) -> None:
    ids = [sample.id for sample in samples(tmp_path, [{"input": "a"}, {"input": "b"}, {"input": "a"}, {"input": "a"}])]
    assert ids[2:] == [f"{ids[0]}-2", f"{ids[0]}-3"]


def test_iterating_lists_every_bad_row_and_yields_what_came_before(tmp_path: Path) -> None:
    (tmp_path / "set.jsonl").write_text('{"input": "a"}\n{"input": 1}\n{"input": "b"}\nnot json\n')
    samples = iter(open_dataset("set.jsonl", base=tmp_path))
    assert next(samples).input == "a"
    with pytest.raises(DataError) as caught:
        next(samples)
    assert [problem.line for problem in caught.value.problems] == [2, 4]


def test_a_message_lists_twenty_rows_and_counts_the_rest(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        samples(tmp_path, [{}] * 1332)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 1,312 more"


def test_bad_rows_may_be_skipped(tmp_path: Path) -> None:
    rows = [{"input": "a"}, {"input": 1}, 5, {"input": "b"}]
    assert [sample.input for sample in samples(tmp_path, rows, skip_bad_rows=True)] == ["a", "b"]


TEXT = st.text(min_size=1)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"input": TEXT},
        optional={
            "references": st.lists(st.text(), max_size=3),
            "contexts": st.lists(st.text(), max_size=2),
            "output": st.text(),
            "answer": st.text(),
            "turns": st.lists(TEXT, max_size=2),
            "level": st.integers(),
        },
    ),
    max_size=8,
)


@given(ROWS)
def test_rows_survive_the_way_through_a_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    write(folder, rows)
    found = list(open_dataset("set.jsonl", base=folder))
    assert len({sample.id for sample in found}) == len(rows)
    for number, (sample, row) in enumerate(zip(found, rows, strict=True), 1):
        assert sample.line == number
        for name in ("input", "output", "answer"):
            assert getattr(sample, name) == row.get(name)
        for name in ("references", "contexts", "turns"):
            assert getattr(sample, name) == tuple(row.get(name, ()))
        assert sample.meta == ({"level": row["level"]} if "level" in row else {})
        json.dumps(sample.meta)
