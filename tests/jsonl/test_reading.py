from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import jsonl
from llmkit.errors import DataError, Problem

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def rows_of(folder: Path, content: bytes, name: str = "rows.jsonl") -> list[tuple[int, Any]]:
    path = folder / name
    path.write_bytes(content)
    return list(jsonl.read_rows(path))


def only_problem(folder: Path, content: bytes) -> str:
    rows = rows_of(folder, b'{"a": 1}\n' + content + b'\n{"b": 2}\n')
    assert [line for line, _ in rows] == [1, 2, 3]
    assert [rows[0][1], rows[2][1]] == [{"a": 1}, {"b": 2}]
    problem = rows[1][1]
    assert isinstance(problem, Problem)
    return str(problem).removeprefix(str(folder) + "/")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{'a': 1}", "not JSON: expecting a property name in double quotes at column 2 (JSON wants double quotes)"),
        (b'{"a": 1', "not JSON: expecting ',' delimiter at column 8"),
        (b"hello", "not JSON: expecting value at column 1"),
        (b'{"a": 1} {"b": 2}', "not JSON: there is more text after the value, at column 9"),
        (b'{"a": "\xff"}', "not UTF-8: byte 8 of the line is 0xff"),
        (b'{"a": NaN}', "NaN is not a JSON value (write null where there is no number)"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON value (write null where there is no number)"),
        (b'{"a": 1e999}', "the number 1e999 is too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number of 5000 digits is too long"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' is given twice in one object"),
        (b'{"x": [{"a": 1, "a": 1}]}', "the key 'a' is given twice in one object"),
        (b"[" * 101 + b"]" * 101, "objects and lists are nested more than 100 deep"),
        (b"[" * 100_000 + b"]" * 100_000, "objects and lists are nested more than 100 deep"),
        (b'{"a":' * 150 + b"1" + b"}" * 150, "objects and lists are nested more than 100 deep"),
    ],
)
def test_a_line_that_cannot_be_read_is_a_problem_and_reading_goes_on(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    assert only_problem(tmp_path, content) == f"rows.jsonl:2: {sentence}"


def test_nesting_up_to_the_limit_and_many_short_lists_are_read(tmp_path: Path) -> None:
    deep = b"[" * jsonl.MAX_DEPTH + b"]" * jsonl.MAX_DEPTH
    wide = json.dumps([[number] for number in range(500)]).encode()
    assert [value for _, value in rows_of(tmp_path, deep + b"\n" + wide)] == [json.loads(deep), json.loads(wide)]


def test_blank_lines_bom_and_crlf(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"a": 1}\r\n\r\n  \n\t{"a": 2} \r\n{"a": 3}'
    assert rows_of(tmp_path, content) == [(1, {"a": 1}), (4, {"a": 2}), (5, {"a": 3})]


def test_unicode_line_separators_stay_inside_a_row(tmp_path: Path) -> None:
    row = {"a": "x\u2028y\u2029z\x85"}
    assert rows_of(tmp_path, json.dumps(row, ensure_ascii=False).encode() + b"\n") == [(1, row)]


def test_a_row_of_a_megabyte(tmp_path: Path) -> None:
    row = {"input": "word " * 200_000}
    assert rows_of(tmp_path, json.dumps(row).encode()) == [(1, row)]


def test_gzip_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    plain = b'{"a": 1}\n{"a": 2}\n'
    expected = rows_of(tmp_path, plain)
    assert rows_of(tmp_path, gzip.compress(plain), "rows.jsonl.gz") == expected
    assert rows_of(tmp_path, gzip.compress(plain), "zipped.jsonl") == expected
    assert rows_of(tmp_path, plain, "plain.jsonl.gz") == expected


def test_a_truncated_gzip_is_refused_after_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 9)[:-8])
    with pytest.raises(DataError) as caught:
        list(jsonl.read_rows(path))
    assert str(caught.value).endswith("the file cannot be read past this line: it ends too early or is damaged")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("gone.jsonl", "cannot be read: there is no such file"), ("folder", "this is a folder, not a file")],
)
def test_a_file_that_cannot_be_opened(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError) as caught:
        list(jsonl.read_rows(tmp_path / name))
    assert str(caught.value) == f"{tmp_path / name}: {sentence}"


def test_utf16_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the text is UTF-16 \(save it as UTF-8\)"):
        rows_of(tmp_path, '{"a": 1}'.encode("utf-16"))


@given(st.lists(VALUES, max_size=6))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    path = tmp_path_factory.mktemp("round") / "rows.jsonl"
    path.write_text("".join(json.dumps(value) + "\n" for value in values), "utf-8")
    assert [value for _, value in jsonl.read_rows(path)] == values


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_problems_or_one_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "rows.jsonl"
    path.write_bytes(content)
    try:
        lines = [line for line, _ in jsonl.read_rows(path)]
    except DataError:
        assert content[:2] in (b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff")
    else:
        assert lines == sorted(set(lines))
        assert len(lines) <= content.count(b"\n") + 1


@pytest.mark.parametrize("size", [1, 5, 1 << 18])
def test_blocks_are_whole_lines(size: int, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"\xef\xbb\xbfone\n\nthree and more\r\nlast")
    blocks = list(jsonl.read_blocks(path, size))
    assert b"".join(blocks) == b"".join(line for _, line in jsonl.read_lines(path)) == b"one\n\nthree and more\r\nlast"
    assert all(block.endswith(b"\n") for block in blocks[:-1])


def test_blocks_of_a_file_that_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "lines.gz"
    path.write_bytes(gzip.compress(random.Random(0).randbytes(200_000))[:100_000])
    with pytest.raises(DataError, match="it ends too early or is damaged"):
        list(jsonl.read_blocks(path))
