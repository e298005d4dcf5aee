from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import registry
from llmkit.errors import ConfigError, DataError, PermanentError
from llmkit.metrics._retrieval import ordered
from llmkit.providers.rankings import Rankings
from llmkit.types import Passage, Request

RUN = "q1 Q0 b 1 1.0 name\nq2 Q0 x 1 3 name\nq1 Q0 a 2 1.0 name\nq1\tQ0\tc\t9\t2.5\tname and more\n"


def ranking(target: Rankings, **sample: Any) -> list[tuple[str, float]]:
    response = asyncio.run(target.complete(Request(sample=sample)))
    assert response.text == ""
    return [(passage.id, passage.score) for passage in response.retrieved]


def written(folder: Path, text: str, name: str = "run.txt") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["run.txt", "run", "run.txt.gz"])
def test_a_trec_run_is_ordered_by_score_and_then_by_id_descending(name: str, tmp_path: Path) -> None:
    target = Rankings(written(tmp_path, RUN, name))
    assert ranking(target, id="q1") == [("c", 2.5), ("b", 1.0), ("a", 1.0)]
    assert target.unmatched == 1
    assert ranking(target, id="q2") == [("x", 3.0)]
    assert target.unmatched == 0
    asyncio.run(target.aclose())


@pytest.mark.parametrize("form", ["run.txt", "run.jsonl"])
def test_scores_that_single_precision_does_not_tell_apart_are_ties(form: str, tmp_path: Path) -> None:
    """As trec_eval has it, which keeps scores as C's float."""
    scores = {"a": 100.000002, "b": 100.000001, "c": 100.0000015, "d": 99.9, "e": 1e39, "f": 2e39}
    if form == "run.txt":
        text = "".join(f"q Q0 {name} 1 {score!r} run\n" for name, score in scores.items())
    else:
        text = json.dumps({"id": "q", "retrieved": scores})
    found = ranking(Rankings(written(tmp_path, text, form)), id="q")
    assert [name for name, _ in found] == ["f", "e", "c", "b", "a", "d"]
    assert found[0][1] == found[1][1]
    assert len({score for _, score in found[2:5]}) == 1
    assert found[5][1] == 99.9


@given(st.dictionaries(st.text("abé\U0001f600", min_size=1), st.sampled_from([-1.0, 0.0, 0.1, 3.0]), min_size=1))
def test_every_order_of_lines_is_one_ranking(
    tmp_path_factory: pytest.TempPathFactory, scores: dict[str, float]
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    lines = [f"q Q0 {name} 0 {score!r} r\n" for name, score in scores.items()]
    found = [ranking(Rankings(written(folder, "".join(order))), id="q") for order in (lines, lines[::-1])]
    assert found[0] == found[1] == sorted(scores.items(), key=lambda item: (item[1], item[0]), reverse=True)


@given(
    st.lists(st.tuples(st.sampled_from("pq"), st.sampled_from("abcdef")), unique=True, min_size=1),
    st.sampled_from(["", "# a note\n", "\n", "p Q0 z 1 9 name and more\n", "\ufeff", "# p Q0 y 1 7\n"]),
    st.integers(0, 3),
)
def test_unusual_lines_change_nothing_of_the_others(
    tmp_path_factory: pytest.TempPathFactory, results: list[tuple[str, str]], odd: str, at: int
) -> None:
    lines = [f"{query} Q0 {name} 0 {ord(name)} r\n" for query, name in results]
    lines.insert(0 if odd == "\ufeff" else at, odd)
    target = Rankings(written(tmp_path_factory.mktemp("runs"), "".join(lines)))
    for query in {query for query, _ in results}:
        expected = sorted(((name, float(ord(name))) for q, name in results if q == query), reverse=True)
        assert [one for one in ranking(target, id=query) if one[0] != "z"] == expected


def test_a_query_whose_lines_are_scattered_over_many_blocks(tmp_path: Path) -> None:
    lines = [f"q{number % 7} Q0 document-{number} 0 {number} r\n" for number in range(40_000)]
    target = Rankings(written(tmp_path, "".join(lines)))
    assert ranking(target, id="q3") == [(f"document-{n}", n) for n in range(39_999, -1, -1) if n % 7 == 3]
    with pytest.raises(DataError, match="the query 'q3' finds 'document-3' a second time") as caught:
        Rankings(written(tmp_path, "".join([*lines, "q3 Q0 document-3 0 1 r"])))
    assert [problem.line for problem in caught.value.problems] == [40_001]


def test_a_sign_that_is_no_text_is_part_of_a_name(tmp_path: Path) -> None:
    assert ranking(Rankings(written(tmp_path, "q Q0 a\0b 1 1 r\nq Q0 c 2 0 r\n")), id="q") == [("a\0b", 1), ("c", 0)]


def test_a_query_without_results_is_empty_or_an_error(tmp_path: Path) -> None:
    path = written(tmp_path, RUN)
    assert ranking(Rankings(path), id="q9") == []
    with pytest.raises(PermanentError, match=r"no ranking for 'q9': looked in run\.txt") as caught:
        ranking(Rankings(path, missing="error"), id="q9")
    assert caught.value.kind == "missing"


def test_depth_cuts_the_best_off(tmp_path: Path) -> None:
    assert ranking(Rankings(written(tmp_path, RUN), depth=2), id="q1") == [("c", 2.5), ("b", 1.0)]
    with pytest.raises(ConfigError, match="depth: must be at least 1"):
        Rankings(depth=0)


def test_jsonl_holds_ids_objects_or_scores(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "retrieved": ["b", "a", 7]},
        {"id": 2, "retrieved": [{"id": "b", "text": "B", "score": 1}, {"id": 3}]},
        {"id": 3, "retrieved": {"a": 1, "c": 2, "b": 1.0}},
        {"id": 4, "retrieved": []},
    ]
    target = Rankings(written(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "run.jsonl"))
    assert ranking(target, id="1") == [("b", 0), ("a", 0), ("7", 0)]
    assert ranking(target, id="2") == [("b", 1), ("3", 0)]
    assert ranking(target, id="3") == [("c", 2), ("b", 1), ("a", 1)]
    assert ranking(target, id="4") == ranking(target, id="5") == []
    assert target.unmatched == 0
    asyncio.run(target.aclose())


def test_jsonl_joined_on_other_fields(tmp_path: Path) -> None:
    text = json.dumps({"qid": "q1", "hits": {"bm25": ["a"]}, "retrieved": ["b"]}) + "\n"
    target = Rankings(written(tmp_path, text, "run.data"), field="hits.bm25", on="qid", format="jsonl")
    assert ranking(target, id="x", meta={"qid": "q1"}) == [("a", 0)]
    assert ranking(target, id="x") == []


def test_rankings_of_the_eval_row() -> None:
    assert ranking(Rankings(), id="x", meta={"retrieved": ["a", "b"]}) == [("a", 0), ("b", 0)]
    assert ranking(Rankings(field="runs.mine"), id="x", meta={"runs": {"mine": {"a": 1}}}) == [("a", 1)]
    with pytest.raises(PermanentError, match="no ranking for 'x': looked in the field 'retrieved' of the row"):
        ranking(Rankings(), id="x")
    with pytest.raises(PermanentError, match="rankings need the eval row"):
        asyncio.run(Rankings().complete(Request()))


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([{"text": "no id"}], r"'retrieved\[0\]' has no 'id'"),
        (["a", None], r"'retrieved\[1\]' has no 'id'"),
        ({"a": "high"}, r"'retrieved\.a' is 'high', not a score"),
        ([{"id": "a", "score": "high"}], "'score' is a text; expected a number"),
        ("a", "'retrieved' is a text; expected a list of passages"),
    ],
)
def test_rankings_of_another_form_are_errors(value: Any, sentence: str) -> None:
    with pytest.raises(PermanentError, match=sentence) as caught:
        ranking(Rankings(), id="x", meta={"retrieved": value})
    assert caught.value.kind == "malformed"


def test_a_joined_row_without_a_ranking_is_malformed(tmp_path: Path) -> None:
    target = Rankings(written(tmp_path, '{"id": "q"}\n', "run.jsonl"))
    with pytest.raises(PermanentError, match="the row 'q' of the rankings has no 'retrieved'"):
        ranking(target, id="q")


def test_everything_wrong_with_a_run_is_said_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "q Q0 a 1 1.0 r\nq Q0 b 2\nq Q0 c 3 high r\nq Q0 d 4 nan r\nq Q0 a 5 0.1 r\n")
    with pytest.raises(DataError) as caught:
        Rankings(path)
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4, 5]
    assert [problem.message for problem in caught.value.problems] == [
        "expected 6 columns (query, Q0, document, rank, score, run), found 4",
        "the score 'high' is no number",
        "the score 'nan' is no number",
        "the query 'q' finds 'a' a second time",
    ]


def test_a_run_with_nothing_or_too_much_wrong_in_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the file has no rankings"):
        Rankings(written(tmp_path, "\n# nothing\n"))
    with pytest.raises(DataError, match="and 5 more"):
        Rankings(written(tmp_path, "wrong\n" * 25))
    with pytest.raises(DataError, match="cannot be read"):
        Rankings(tmp_path / "none.txt")


def test_the_path_alone_is_enough(tmp_path: Path) -> None:
    written(tmp_path, RUN)
    built = registry.build("providers", {"rankings": "run.txt"}, base=tmp_path)
    assert isinstance(built.plugin, Rankings)
    assert built.plugin.files == (tmp_path / "run.txt",)
    assert built.name == "rankings(path='run.txt')"


def test_a_list_keeps_its_own_order_of_scores_that_differ_in_the_last_digits(tmp_path: Path) -> None:
    passages: list[dict[str, Any]] = [
        {"id": "a", "score": 100.000002},
        {"id": "b", "score": 100.000001},
        {"id": "c", "score": 100.000001},
    ]
    path = written(tmp_path, json.dumps({"id": "q", "retrieved": passages}), "run.jsonl")
    assert [name for name, _ in ranking(Rankings(path), id="q")] == ["a", "b", "c"]
    found = [Passage(str(one["id"]), "", score=float(one["score"])) for one in passages]
    assert [one.id for one in ordered(found)] == ["a", "c", "b"]  # by id, descending, only where they are equal
