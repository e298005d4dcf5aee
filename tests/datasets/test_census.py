from __future__ import annotations

import gzip
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.datasets import Missing, census, open_dataset
from tests.datasets.making import opened, sentences, write


def fingerprint(folder: Path, rows: list[Any]) -> str:
    found = census(opened(folder, rows))
    assert not found.problems
    return found.fingerprint


def test_what_a_set_has(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "input": "q", "references": ["r"], "category": "x", "answer": 0},
        {"id": "b", "input": "q", "contexts": ["c"], "lang": None, "output": ""},
        {"id": "c", "output": "o", "choices": ["A"], "user": {"age": 3}, "references": []},
    ]
    found = census(opened(tmp_path, rows), fields_needed=["category", "meta.category", "input", "user.age", "id"])
    assert (found.rows, found.problem_count, found.skipped_rows) == (3, 0, 0)
    assert found.has == {
        "input": 2, "turns": 0, "references": 1, "contexts": 1, "choices": 1, "answer": 1, "output": 2,
    }  # fmt: skip
    assert found.fields == {"category", "lang", "user"}
    assert found.missing == {
        "category": Missing(2, 2),
        "meta.category": Missing(2, 2),
        "input": Missing(1, 3),
        "user.age": Missing(2, 1),
    }
    assert str(found.lacking("category")).endswith(
        "set.jsonl:2: 2 of 3 rows lack the field 'category', the first on this line"
    )
    assert found.lacking("id") is None


def test_a_field_no_row_has_gets_a_suggestion(tmp_path: Path) -> None:
    rows = [{"input": "q", "question_type": "x"}]
    found = census(opened(tmp_path, rows), fields_needed=["question_typ", "zzz"])
    assert str(found.lacking("question_typ")) == (
        f"{tmp_path}/set.jsonl: no row has the field 'question_typ' (did you mean 'question_type'?)"
    )
    assert str(found.lacking("zzz")) == f"{tmp_path}/set.jsonl: no row has the field 'zzz'"


def test_repeated_ids_name_both_lines(tmp_path: Path) -> None:
    rows = [{"id": key, "input": f"q{number}"} for number, key in enumerate(["a", "b", "a", 7, "7", "a"])]
    assert sentences(tmp_path, opened(tmp_path, rows)) == [
        "set.jsonl:3: the id 'a' stands on line 1 already; ids must differ",
        "set.jsonl:5: the id '7' stands on line 4 already; ids must differ",
        "set.jsonl:6: the id 'a' stands on line 1 already; ids must differ",
    ]


def test_repeated_ids_are_not_bad_rows_to_skip(tmp_path: Path) -> None:
    rows = [{"id": "a", "input": "q"}, {"id": "a", "input": "r"}]
    assert census(opened(tmp_path, rows, skip_bad_rows=True)).problem_count == 1


def test_equal_rows_without_ids_are_no_problem_and_are_named_apart_after_a_census(tmp_path: Path) -> None:
    dataset = opened(tmp_path, [{"input": "a"}, {"input": "a"}])
    assert census(dataset).problem_count == 0
    first, second = dataset
    assert second.id == f"{first.id}-2"


def test_skipped_rows_are_counted_as_rows(tmp_path: Path) -> None:
    rows = [{"input": "a"}, {"input": 1, "turns": 1}, 5, {"input": "b"}]
    found = census(opened(tmp_path, rows, skip_bad_rows=True))
    assert (found.rows, found.skipped_rows, found.problem_count, found.report()) == (2, 2, 0, "")


def test_problems_are_counted_beyond_those_kept(tmp_path: Path) -> None:
    found = census(opened(tmp_path, [{}] * 50), max_problems=3)
    assert (len(found.problems), found.problem_count) == (3, 50)
    assert found.report().splitlines()[-1] == "and 47 more"


def test_a_damaged_file_is_one_problem(tmp_path: Path) -> None:
    (tmp_path / "set.jsonl.gz").write_bytes(gzip.compress(b'{"input": "a"}\n' * 9)[:-8])
    found = census(open_dataset("set.jsonl.gz", base=tmp_path))
    assert found.problem_count == 1
    assert "ends too early or is damaged" in found.report()


ROWS = st.lists(
    st.fixed_dictionaries(
        {"input": st.text(min_size=1)},
        optional={"n": st.integers(), "references": st.lists(st.text(), max_size=2), "output": st.text()},
    ),
    min_size=1,
    max_size=8,
)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_fingerprint_does_not_depend_on_order_or_recorded_outputs(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], random: Any
) -> None:
    folder = tmp_path_factory.mktemp("order")
    shuffled = [dict(row) for row in rows]
    random.shuffle(shuffled)
    for row in shuffled:
        row["output"] = "another"
    assert fingerprint(folder, rows) == fingerprint(folder, shuffled)


@given(ROWS)
def test_the_fingerprint_depends_on_every_row(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("content")
    whole = fingerprint(folder, rows)
    assert fingerprint(folder, [*rows, rows[0]]) != whole
    changed = [{**rows[0], "input": rows[0]["input"] + "!"}, *rows[1:]]
    assert fingerprint(folder, changed) != whole
    assert fingerprint(folder, [{**row, "new": 1} for row in rows]) != whole


@given(ROWS)
def test_gzip_changes_nothing(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    folder = tmp_path_factory.mktemp("gzip")
    write(folder, rows)
    (folder / "set.jsonl.gz").write_bytes(gzip.compress((folder / "set.jsonl").read_bytes()))
    plain, zipped = (open_dataset(name, base=folder) for name in ("set.jsonl", "set.jsonl.gz"))
    assert list(plain) == list(zipped)
    assert census(plain).fingerprint == census(zipped).fingerprint


def test_the_fingerprint_is_the_same_on_every_machine(tmp_path: Path) -> None:
    rows = [{"id": "1", "input": "é", "level": 1.5, "references": ["a"]}, {"input": [{"role": "user", "content": "x"}]}]
    made = blake2b(b'[[{"content":"x","role":"user"}],null,null,null,null,null,{}]', digest_size=16).hexdigest()[:12]
    texts = [
        '["1","é",[],["a"],[],[],null,{"level":1.5}]',
        f'["{made}",[{{"content":"x","role":"user"}}],[],[],[],[],null,{{}}]',
    ]
    total = sum(int(blake2b(text.encode(), digest_size=16).hexdigest(), 16) for text in texts) % 2**128
    assert fingerprint(tmp_path, rows) == f"{total:032x}"


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path) -> None:
    import tracemalloc

    dataset = opened(tmp_path, ({"input": f"question {number}"} for number in range(20_000)))
    list(open_dataset(write(tmp_path, [{"input": "a"}], "warm.jsonl"), base=tmp_path))
    tracemalloc.start()
    try:
        assert census(dataset).rows == 20_000
        assert sum(1 for _ in dataset) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Samples held in a list would take some 9 MB.
    assert peak < 5_000_000
