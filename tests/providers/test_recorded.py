from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import registry
from llmkit.errors import DataError, PermanentError
from llmkit.providers.recorded import Recorded
from llmkit.types import Request, Response


def _answer(target: Recorded, **sample: Any) -> Response:
    return asyncio.run(target.complete(Request(sample=sample)))


def _write(path: Path, rows: Iterable[Any]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_the_rows_own_output_is_the_answer() -> None:
    assert _answer(Recorded(), id="a", output="yes").text == "yes"


def test_an_empty_recorded_output_is_an_answer() -> None:
    assert _answer(Recorded(), id="a", output="").text == ""


def test_fields_of_meta_and_dotted_names_and_other_values_than_text() -> None:
    meta = {"model_a": {"answer": 42}, "raw.name": "dotted"}
    assert _answer(Recorded(field="model_a.answer"), id="a", meta=meta).text == "42"
    assert _answer(Recorded(field="meta.model_a"), id="a", meta=meta).text == '{"answer":42}'
    assert _answer(Recorded(field="raw.name"), id="a", meta=meta).text == "dotted"


def test_an_answer_inside_the_reply_of_a_batch_is_found(tmp_path: Path) -> None:
    body = {"choices": [{"message": {"content": "hi", "v1.2": "x"}}]}
    path = _write(tmp_path / "batch.jsonl", [{"custom_id": "a", "response": {"body": body}}])
    for field, text in (("message.content", "hi"), ("message.v1.2", "x")):
        recorded = Recorded(field=f"response.body.choices.0.{field}", path=path, on="custom_id")
        assert _answer(recorded, id="a", meta={"custom_id": "a"}).text == text
    for field in (
        "response.body.choices.1.message",
        "response.body.choices.x",
        "response.body.choices.0.message.content.x",
    ):
        with pytest.raises(PermanentError, match="no recorded output"):
            _answer(Recorded(field=field, path=path, on="custom_id"), id="a", meta={"custom_id": "a"})


@pytest.mark.parametrize("sample", [{"id": "q7"}, {"id": "q7", "output": None}])
def test_a_row_without_output_is_an_error_that_names_it(sample: dict[str, Any]) -> None:
    with pytest.raises(PermanentError, match="no recorded output for 'q7': looked for the field 'output'") as caught:
        _answer(Recorded(), **sample)
    assert caught.value.kind == "missing"


def test_a_request_without_a_row_is_an_error() -> None:
    with pytest.raises(PermanentError, match="need the eval row"):
        asyncio.run(Recorded().complete(Request()))


def test_recorded_figures_come_with_the_answer() -> None:
    target = Recorded(latency="seconds", cost="usd", tokens_in="usage.prompt", tokens_out="usage.completion")
    meta = {"seconds": 0.5, "usd": 0.25, "usage": {"prompt": 10, "completion": 3}}
    response = _answer(target, id="a", output="x", meta=meta)
    assert (response.latency, response.cost, response.tokens_in, response.tokens_out) == (0.5, 0.25, 10, 3)
    bare = _answer(target, id="a", output="x")
    assert (bare.latency, bare.cost, bare.tokens_in) == (0.0, None, None)
    cells = _answer(target, id="a", output="x", meta={"seconds": "0.5", "usd": "1e-3"})
    assert (cells.latency, cells.cost) == (0.5, 0.001)
    for wrong in ("free", "nan", True, [1]):
        with pytest.raises(PermanentError, match=r"the recorded 'usd' is .*, not a number"):
            _answer(target, id="a", output="x", meta={"usd": wrong})


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_a_second_file_is_joined_on_id_in_any_order(tmp_path: Path, name: str) -> None:
    rows = [{"id": n, "answer": f"answer {n} é"} for n in range(50)]
    target = Recorded(field="answer", path=_write(tmp_path / name, rows))
    for n in (49, 0, 7, 7, 23):
        assert _answer(target, id=str(n)).text == f"answer {n} é"
    assert target.unmatched == 46
    with pytest.raises(PermanentError, match="no recorded output for '50': looked for 'answer' in out"):
        _answer(target, id="50")
    asyncio.run(target.aclose())


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=20))
def test_every_id_finds_its_own_row(tmp_path_factory: pytest.TempPathFactory, answers: dict[str, str]) -> None:
    path = _write(tmp_path_factory.mktemp("joined") / "f.jsonl", [{"id": k, "output": v} for k, v in answers.items()])
    target = Recorded(path=path)
    assert target.unmatched == len(answers)
    assert {key: _answer(target, id=key).text for key in answers} == answers
    assert target.unmatched == 0
    asyncio.run(target.aclose())


def test_another_field_can_join(tmp_path: Path) -> None:
    path = _write(tmp_path / "f.jsonl", [{"task": "t/1", "output": "one"}])
    target = Recorded(path=path, on="task")
    assert _answer(target, id="x", meta={"task": "t/1"}).text == "one"
    with pytest.raises(PermanentError, match="'x'"):
        _answer(target, id="x")
    asyncio.run(target.aclose())


def test_the_registry_resolves_the_second_file_beside_the_config(tmp_path: Path) -> None:
    _write(tmp_path / "f.jsonl", [{"id": "a", "output": "yes"}])
    built = registry.build("providers", {"recorded": {"path": "f.jsonl"}}, base=tmp_path)
    assert _answer(built.plugin, id="a").text == "yes"
    assert built.name == "recorded(path='f.jsonl')"
    asyncio.run(built.plugin.aclose())


def test_a_byte_order_mark_blank_lines_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": 1, "output": "a"}\r\n\r\n{"id": "b", "output": "b"}')
    target = Recorded(path=path)
    assert [_answer(target, id=key).text for key in ("b", "1")] == ["b", "a"]
    asyncio.run(target.aclose())


def test_all_that_is_wrong_with_the_second_file_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    lines = [
        b'{"id": "a"}',
        b"{broken",
        b"[1]",
        b'{"ID": "b"}',
        b'{"id": true}',
        b'{"id": "\xff"}',
        b'{"id": "a", "n": 2}',
    ]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(DataError) as caught:
        Recorded(path=path)
    told = {problem.line: problem.message for problem in caught.value.problems}
    assert told[2].startswith("not JSON: ")
    assert told[3] == "not a JSON object"
    assert told[4] == "the row has no 'id'"
    assert told[5] == "'id' is neither a text nor a number"
    assert told[6] == "not valid UTF-8 at byte 8 of the line"
    assert told[7] == "'id' is 'a' here and in line 1"
    assert len(told) == 6


def test_many_problems_are_counted(tmp_path: Path) -> None:
    path = _write(tmp_path / "f.jsonl", [{"x": n} for n in range(25)])
    with pytest.raises(DataError) as caught:
        Recorded(path=path)
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1].message == "and 5 more"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        Recorded(path=tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="is a folder"):
        Recorded(path=tmp_path)
    torn = tmp_path / "torn.jsonl.gz"
    torn.write_bytes(gzip.compress(b'{"id": 1}\n' * 1000)[:20])
    with pytest.raises(DataError, match="cannot be read"):
        Recorded(path=torn)


def test_an_empty_second_file_holds_nothing(tmp_path: Path) -> None:
    target = Recorded(path=_write(tmp_path / "f.jsonl", []))
    assert target.unmatched == 0
    with pytest.raises(PermanentError, match="'a'"):
        _answer(target, id="a")
    asyncio.run(target.aclose())
