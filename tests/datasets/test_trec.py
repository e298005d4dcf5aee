"""Qrels as eval sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmkit.datasets import census, open_dataset
from llmkit.types import Sample
from tests.datasets.making import sentences


def read(folder: Path, content: str, name: str = "set.qrels") -> list[Sample]:
    (folder / name).write_text(content, encoding="utf-8")
    return list(open_dataset({"path": name, "format": "qrels"}, base=folder))


def test_every_query_is_a_row_in_the_order_of_the_file(tmp_path: Path) -> None:
    rows = read(tmp_path, "# judged by hand\nq2 0 d1 1\nq1 0 d1 0\n\nq2\t0\td2\t-1\r\n q1 Q0  d3 2\n")
    assert [(row.id, row.input, row.meta, row.line) for row in rows] == [
        ("q2", "q2", {"qrels": {"d1": 1, "d2": -1}}, 2),
        ("q1", "q1", {"qrels": {"d1": 0, "d3": 2}}, 3),
    ]


def test_a_table_of_beir(tmp_path: Path) -> None:
    [row] = read(tmp_path, "query-id\tcorpus-id\tscore\n1\t31715818\t1\n1\t14717500\t2\n", "test.tsv")
    assert (row.id, row.meta) == ("1", {"qrels": {"31715818": 1, "14717500": 2}})


def test_the_ending_tells_the_format(tmp_path: Path) -> None:
    (tmp_path / "set.qrels").write_text("q 0 d 1\n", encoding="utf-8")
    assert [row.id for row in open_dataset("set.qrels", base=tmp_path)] == ["q"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("q 0 d", "set.qrels:2: expected 4 columns (query, iteration, document, grade), found 3"),
        ("q 0 d 1 more", "set.qrels:2: expected 4 columns (query, iteration, document, grade), found 5"),
        ("q 0 d high", "set.qrels:2: the grade 'high' is no whole number"),
        ("q 0 e 0", "set.qrels:2: 'e' is judged twice for 'q'"),
    ],
)
def test_lines_that_are_no_judgments_are_named(line: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "set.qrels").write_text(f"q 0 e 1\n{line}\n", encoding="utf-8")
    assert sentences(tmp_path, open_dataset("set.qrels", base=tmp_path)) == [sentence]


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "set.qrels").write_bytes(b"q 0 d\xff 1\n")
    [problem] = census(open_dataset("set.qrels", base=tmp_path)).problems
    assert "not UTF-8" in problem.message


def test_the_order_of_judgments_does_not_change_the_set(tmp_path: Path) -> None:
    lines = ["q1 0 a 1\n", "q2 0 b 0\n", "q1 0 c 2\n"]
    prints = set()
    for order in (lines, lines[::-1]):
        (tmp_path / "set.qrels").write_text("".join(order), encoding="utf-8")
        prints.add(census(open_dataset("set.qrels", base=tmp_path)).fingerprint)
    assert len(prints) == 1


def test_a_query_may_be_called_query(tmp_path: Path) -> None:
    assert [row.id for row in read(tmp_path, "query1 0 d 1\nQuery 0 d 2\n")] == ["query1", "Query"]


@pytest.mark.parametrize("odd", ["", "# a note\n"])
def test_judgments_of_one_query_need_not_stand_together(odd: str, tmp_path: Path) -> None:
    lines = [f"q{number % 3} 0 d{number} {number % 2}\n" for number in range(30_000)]
    rows = read(tmp_path, odd + "".join(lines) + odd)
    assert [(row.id, row.line) for row in rows] == [(f"q{n}", n + 1 + bool(odd)) for n in range(3)]
    assert rows[1].meta["qrels"] == {f"d{n}": n % 2 for n in range(1, 30_000, 3)}
    (tmp_path / "twice.qrels").write_text(odd + "".join(lines) + "q2 0 d2 1\n", encoding="utf-8")
    line = 30_001 + bool(odd)
    assert sentences(tmp_path, open_dataset("twice.qrels", base=tmp_path)) == [
        f"twice.qrels:{line}: 'd2' is judged twice for 'q2'"
    ]
