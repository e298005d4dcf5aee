from __future__ import annotations

import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from llmkit.datasets import census, open_dataset
from llmkit.errors import DataError
from llmkit.types import Sample
from tests.datasets.making import sentences

ROWS = [{"id": "1", "input": "a, b", "n": 1}, {"id": "2", "input": 'say "é"\nagain', "n": 2}]


def read(folder: Path, name: str, content: bytes | str, **options: Any) -> list[Sample]:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(open_dataset({"path": name, **options}, base=folder))


def report(folder: Path, name: str, content: bytes | str, **options: Any) -> list[str]:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return sentences(folder, open_dataset({"path": name, **options}, base=folder))


TEXTS = {
    "set.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
    "set.ndjson": "".join(json.dumps(row) + "\n" for row in ROWS),
    "set.json": json.dumps(ROWS, indent=1),
    "data.json": json.dumps({"version": [1, {"a": "]"}], "data": ROWS, "more": 1}),
    "set.csv": '\ufeffid,input,n\r\n1,"a, b",1\r\n\r\n2,"say ""é""\nagain",2\r\n',
    "set.tsv": 'id\tinput\tn\n1\ta, b\t1\n2\t"say ""é""\nagain"\t2\n',
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_format_gives_the_same_samples(tmp_path: Path, name: str, zipped: bool) -> None:
    content = TEXTS[name].encode()
    found = read(tmp_path, name + ".gz" * zipped, gzip.compress(content) if zipped else content)
    assert [(s.id, s.input, int(s.meta["n"])) for s in found] == [("1", "a, b", 1), ("2", 'say "é"\nagain', 2)]


def test_a_named_format_wins_over_the_file_name(tmp_path: Path) -> None:
    assert len(read(tmp_path, "set.txt", TEXTS["set.jsonl"], format="jsonl")) == 2
    assert len(read(tmp_path, "a b.json", TEXTS["set.jsonl"], format="jsonl")) == 2


def test_lines_are_where_rows_begin(tmp_path: Path) -> None:
    csv = 'input,n\n"a\nb",1\nc,2\n'
    assert [sample.line for sample in read(tmp_path, "a.csv", csv)] == [2, 4]
    array = '[\n {"input": "a",\n  "n": 1},\n\n {"input": "b"}]'
    assert [sample.line for sample in read(tmp_path, "a.json", array)] == [2, 5]


def test_cells_hold_lists_as_json_and_empty_cells_hold_nothing(tmp_path: Path) -> None:
    csv = (
        'input,references,choices,answer,output,level\nq,"[""a"", ""b""]","[""x"", ""y""]",1,,\nr,[not a list,,B,o,3\n'
    )
    first, second = read(tmp_path, "a.csv", csv)
    assert (first.references, first.choices, first.answer, first.output) == (("a", "b"), ("x", "y"), 1, None)
    assert first.meta == {"level": None}
    assert (second.references, second.answer, second.output, second.meta) == (
        ("[not a list",),
        "B",
        "o",
        {"level": "3"},
    )


def test_a_cell_of_a_megabyte(tmp_path: Path) -> None:
    [sample] = read(tmp_path, "a.csv", "input\n" + "x" * 1_000_000 + "\n")
    assert len(sample.input) == 1_000_000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("input,n\na,1\nb\nc,2,3\n", [
            "a.csv:3: the row has 1 cells, the header 2", "a.csv:4: the row has 3 cells, the header 2"]),
        (b"input,n\na,1\nb\xff,2\nc,3\n", ["a.csv:3: not UTF-8: byte 2 of the line is 0xff"]),
        ('input,n\na,1\n"b"x,2\nc,3\n', ["a.csv:3: not a row of the table: ',' expected after '\"'"]),
        ("input,n,input\na,1,b\n", ["a.csv:1: the header names 'input' twice"]),
        ("input;n\na;1\n", ["a.csv:1: the table is separated by ';' (save it with commas)"]),
        ("input,n\n", ["a.csv: the file has no rows"]),
        ("", ["a.csv: the file has no rows"]),
    ],
)  # fmt: skip
def test_tables_that_are_wrong(tmp_path: Path, content: bytes | str, expected: list[str]) -> None:
    assert report(tmp_path, "a.csv", content) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('input,n\na,1\n"b,2\nc,3\n', "unexpected end of data"),
        ('input,n\na,1\n"b,2', "unexpected end of data"),
        ('input,n\na,1\n"b,2\nc,3\n"d,4\ne,5\n', "',' expected after '\"'"),
    ],
)
def test_an_open_quote_swallows_rows_and_is_never_skipped(tmp_path: Path, content: str, reason: str) -> None:
    hint = 'close the quote that opens in this row; a quote inside a quoted cell is written ""'
    for skip in (False, True):
        found = report(tmp_path, "a.csv", content, skip_bad_rows=skip)
        assert found == [f"a.csv:3: not a row of the table: {reason} ({hint})"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('[{"input": "a"}\n {"input": "b"}]', "a.json:2: not JSON: expecting ',' delimiter at column 2"),
        ('[{"input": "a"},\n]', "a.json:2: not JSON: expecting value at column 1"),
        ('[{"input": "a"},\n {"n": NaN}]',
         "a.json:2: NaN is not a JSON value (write null where there is no number)"),
        ('{"input": "a"}\n{"input": "b"}', ("a.json: expected an array of rows, or an object with the array under 'data'"
         " (for one object a line, give format: jsonl)")),
        ('{"data": 3}', ("a.json: expected an array of rows, or an object with the array under 'data'"
         " (for one object a line, give format: jsonl)")),
        ("3", ("a.json: expected an array of rows, or an object with the array under 'data'"
         " (for one object a line, give format: jsonl)")),
        ('{"data" [1]}', "a.json:1: not JSON: expecting ':' delimiter at column 9"),
        ("{1: 2}", "a.json:1: not JSON: expecting a property name in double quotes at column 2"),
        (b'[{"input": "a"},\n "\xff"]', "a.json:2: not UTF-8: byte 3 of the line is 0xff"),
        ('[{"input": "a"}]\n[{"input": "b"}]', "a.json:2: not JSON: there is more text after the value, at column 1"),
        ('[{"input": "a"}], {"input": "b"}]', "a.json:1: not JSON: there is more text after the value, at column 17"),
        ('{"data": [{"input": "a"}], "n": 1\n', "a.json:2: not JSON: expecting ',' delimiter at column 1"),
        ('{"data": [{"input": "a"}]} {}', "a.json:1: not JSON: there is more text after the value, at column 28"),
        ('{"data": [{"input": "a"}],\n"data": []}', "a.json:2: the key 'data' is given twice in one object"),
        ("[]", "a.json: the file has no rows"),
        ("[" * 5000, "a.json:1: objects and lists are nested more than 100 deep"),
    ],
)  # fmt: skip
def test_json_that_is_wrong_is_never_skipped(tmp_path: Path, content: bytes | str, expected: str) -> None:
    for skip in (False, True):
        assert report(tmp_path, "a.json", content, skip_bad_rows=skip) == [expected]


def test_rows_of_json_on_one_line_are_counted_one_by_one(tmp_path: Path) -> None:
    rows = [{"id": "a", "input": "q"}, {"x": 1}, {"y": 1}, {"id": "b", "input": "r"}]
    text = json.dumps(rows)
    assert [line.split(":")[1] for line in report(tmp_path, "a.json", text)] == ["2", "3"]
    found = census(open_dataset({"path": "a.json", "skip_bad_rows": True}, base=tmp_path))
    assert (found.rows, found.skipped_rows) == (2, 2)
    repeated = json.dumps([*rows[:1] * 2]) + "\n"
    assert report(tmp_path, "a.json", repeated) == ["a.json:2: the id 'a' stands on line 1 already; ids must differ"]
    crowded = '[{"id": "a", "input": "q"},\n{"id": "b", "input": "q"}, {"id": "b", "input": "r"}]'
    assert report(tmp_path, "a.json", crowded) == ["a.json:2: the id 'b' stands on line 2 already; ids must differ"]


def parquet(path: Path, columns: dict[str, list[Any]]) -> None:
    import pyarrow as pa
    from pyarrow import parquet as writer

    writer.write_table(pa.table(columns), path)


def test_parquet_streams_and_its_values_become_json(tmp_path: Path) -> None:
    day = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
    parquet(
        tmp_path / "set.parquet",
        {
            "input": [f"q{number}" for number in range(3000)],
            "references": [[f"r{number}"] for number in range(3000)],
            "score": [0.5, float("nan"), None] * 1000,
            "day": [day] * 3000,
            "raw": [b"x\xff"] * 3000,
            "user": [{"age": 3}] * 3000,
        },
    )
    dataset = open_dataset("set.parquet", base=tmp_path)
    found = list(dataset)
    assert [sample.line for sample in found] == list(range(1, 3001))
    assert found[2999].references == ("r2999",)
    meta = [dict(sample.meta) for sample in found[:3]]
    assert [row["score"] for row in meta] == [0.5, None, None]
    assert meta[0] | {"score": 0} == {
        "score": 0,
        "day": "2024-05-01T12:00:00+00:00",
        "raw": "x\\xff",
        "user": {"age": 3},
    }
    assert census(dataset).rows == 3000


def test_a_file_that_is_not_parquet(tmp_path: Path) -> None:
    [sentence] = report(tmp_path, "a.parquet", "hello, this is not parquet")
    assert sentence.startswith("a.parquet: not a Parquet file that can be read: Parquet magic bytes not found")


def test_a_path_with_spaces_and_a_path_up_and_down(tmp_path: Path) -> None:
    (tmp_path / "my sets").mkdir()
    (tmp_path / "configs").mkdir()
    (tmp_path / "my sets" / "a set.jsonl").write_text('{"input": "a"}\n')
    dataset = open_dataset("../my sets/a set.jsonl", base=tmp_path / "configs")
    assert [sample.input for sample in dataset] == ["a"]
    assert dataset.path == tmp_path / "my sets" / "a set.jsonl"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("qa_set.jsnl", "{}/qa_set.jsnl: there is no such file (did you mean 'qa_set.jsonl'?)"),
        ("gone/x.jsonl", "{}/gone/x.jsonl: there is no such file (there is no folder '{}/gone')"),
        ("folder", "{}/folder: this is a folder, not a file (give a file in it, or read the folder with hf:)"),
        (
            "notes.md",
            (
                "{}/notes.md: the name does not tell the file's format (known endings: .jsonl .ndjson .csv .tsv .json "
                ".parquet .qrels (each also .gz); or give format: jsonl | csv | tsv | json | parquet | qrels)"
            ),
        ),
    ],
)
def test_files_that_cannot_be_opened(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "qa_set.jsonl").write_text("")
    (tmp_path / "notes.md").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError) as caught:
        open_dataset(name, base=tmp_path)
    assert str(caught.value) == sentence.replace("{}", str(tmp_path))
