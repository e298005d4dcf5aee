"""`llmkit index calibrate`: from what confidence on an index is answered from, and what `llmkit ask` says of it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from llmkit.errors import UsageError
from llmkit.flows.index.calibrate import calibrate_index
from llmkit.flows.index.queries import read_queries
from llmkit.retrieval.abstention import Target
from llmkit.retrieval.index import Index
from tests.cli.command import llmkit, write_rows
from tests.retrieval.made_index import HashEmbedder, make_index

THINGS = [
    f"{first}{second}" for first in ("red", "blue", "green", "grey") for second in ("fox", "owl", "cat", "elk", "bee")
]
TEXTS = {f"{thing}{at}.md": f"The {thing} number{at} sleeps near water{at % 7}." for thing in THINGS for at in range(3)}
ROWS: list[dict[str, Any]] = [
    {"id": f"{thing}{at}", "query": f"where does the {thing} number{at} sleep", "qrels": [f"{thing}{at}.md"]}
    for thing in THINGS
    for at in range(3)
]
OTHERS = [{"id": f"n{at}", "query": f"who sold planet{at} to sleep in prison{at}"} for at in range(40)]


def calibrated(folder: Path, rows: list[dict[str, Any]], *others: dict[str, Any], **keys: Any) -> dict[str, Any]:
    make_index(folder / "ix", TEXTS).close()
    queries = read_queries(write_rows(folder / "q.jsonl", rows))
    without = read_queries(write_rows(folder / "n.jsonl", others), judged=False) if others else ()
    return calibrate_index(folder / "ix", queries, without, **keys)


def test_named_questions_without_an_answer_and_rows_that_say_so_are_the_same(tmp_path: Path) -> None:
    by_file = calibrated(tmp_path, ROWS, *OTHERS)
    by_row = calibrated(tmp_path, [*ROWS, *({**row, "answerable": False} for row in OTHERS)])
    for report in (by_file, by_row):
        assert report["without"] == "named"
        assert {name: report["chosen_on"][name] + report["reported_on"][name] for name in ("with", "without")} == {
            "with": 60,
            "without": 40,
        }
        assert report["coverage"]["value"] == 1
        assert report["false"]["value"] == 0
        assert report["false"]["high"] > 0.05, "of 20 questions nobody can promise 5 %"
        assert (report["auroc"]["value"], report["auroc"]["high"]) == (1, 1)
        assert 0.8 < report["auroc"]["low"] < 0.9, "20 of 20 pairs in order prove no certainty"
    assert by_file["threshold"] == by_row["threshold"]
    with Index.open(tmp_path / "ix") as index:
        assert index.meta.calibrated == by_row


def test_a_csv_says_no_in_letters(tmp_path: Path) -> None:
    made = [
        {"id": row["id"], "input": row["query"], "references": [f"The {row['id'][:-1]} number{row['id'][-1]}"]}
        for row in ROWS
    ]
    table = [("id", "input", "references", "is_impossible")]
    table += [(row["id"], row["input"], row["references"][0], "False") for row in made]
    table += [(row["id"], row["query"], "", "True") for row in OTHERS]
    (tmp_path / "q.csv").write_text("".join(",".join(row) + "\n" for row in table))
    make_index(tmp_path / "ix", TEXTS).close()
    report = calibrate_index(tmp_path / "ix", read_queries(tmp_path / "q.csv"))
    assert (report["without"], report["left_aside"]) == ("named", 0)
    assert report["chosen_on"] == {"with": 30, "without": 20}


def test_without_such_questions_the_documents_that_answer_are_left_out(tmp_path: Path) -> None:
    report = calibrated(tmp_path, ROWS)
    assert report["without"] == "left out"
    assert report["reported_on"] == {"with": 30, "without": 30}
    assert report["false"]["value"] < 0.2
    answered = [{"id": row["id"], "query": row["query"], "answers": [f"The {row['id']}"]} for row in ROWS]
    answered = [{**row, "answers": [row["answers"][0][:-1] + " number" + row["answers"][0][-1]]} for row in answered]
    assert calibrated(tmp_path, answered)["chosen_on"] == report["chosen_on"]


def test_the_halves_share_no_question_and_stay_the_same(tmp_path: Path) -> None:
    first, second = calibrated(tmp_path, ROWS), calibrated(tmp_path, ROWS[::-1])
    assert {**first, "generation": 0} == {**second, "generation": 0}


def test_what_cannot_be_calibrated_is_told(tmp_path: Path) -> None:
    for rows, others, message in [
        (ROWS[:20], OTHERS, "20 questions with an answer are too few"),
        (ROWS, OTHERS[:20], "20 questions without one are too few.*--unanswerable"),
        ([{**row, "qrels": ["no.md"]} for row in ROWS], OTHERS, "finds the answer to none"),
    ]:
        with pytest.raises(UsageError, match=message):
            calibrated(tmp_path, rows, *others)
    hard = [{"id": f"h{at}", "query": row["query"]} for at, row in enumerate(ROWS[:30])] + OTHERS
    with pytest.raises(UsageError, match=r"even at the highest confidence .* cannot be met, 0\.\d+ can"):
        calibrated(tmp_path, ROWS, *hard)
    with Index.open(tmp_path / "ix") as index:
        assert index.meta.calibrated is None


def test_a_precision_can_be_asked_for(tmp_path: Path) -> None:
    report = calibrated(tmp_path, ROWS, *OTHERS, target=Target("min_precision", 0.9))
    assert report["target"] == {"min_precision": 0.9}
    assert report["risk"]["value"] <= 0.1


def test_ask_uses_the_calibration_says_so_and_doubts_it_where_something_changed(tmp_path: Path) -> None:
    calibrated(tmp_path, ROWS, *OTHERS)
    words = ["ask", "ix", "where does the redfox number1 sleep"]
    done = llmkit(*words, "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    with Index.open(tmp_path / "ix") as index:
        known = index.meta.calibrated
    assert known is not None
    assert done.json["threshold"] == pytest.approx(known["threshold"], abs=1e-4)
    assert done.json["calibration"]["generation"] == 1
    assert done.json["abstained"] is False
    assert done.json["notes"] == []
    assert "calibrated on 50 questions" in llmkit(*words, folder=tmp_path).out
    assert "calibrated  answers from" in llmkit("index", "status", "ix", folder=tmp_path).out
    assert llmkit(*words, "--min-confidence", "0.2", "--format", "json", folder=tmp_path).json["threshold"] == 0.2
    assert "other settings (mode lexical, k 6)" in llmkit(*words, "--k", "2", folder=tmp_path).err
    make_index(tmp_path / "ix", {**TEXTS, "new.md": "A new one."}).close()
    assert "generation 1, 60 chunks; now generation 2, 61" in llmkit(*words, folder=tmp_path).err


def test_a_calibration_for_another_embedder_is_not_used(tmp_path: Path) -> None:
    calibrated(tmp_path, ROWS, *OTHERS)
    make_index(tmp_path / "ix", TEXTS, embedder=HashEmbedder()).close()
    done = llmkit("ask", "ix", "where does the redfox number1 sleep", "--mode", "lexical", folder=tmp_path)
    assert "calibrated for another embedder" in done.err
    assert "answered from 0.50 on (uncalibrated for this index)" in " ".join(done.out.split())


def test_the_command(tmp_path: Path) -> None:
    make_index(tmp_path / "ix", TEXTS).close()
    write_rows(tmp_path / "q.jsonl", ROWS)
    write_rows(tmp_path / "n.jsonl", OTHERS)
    words = ["index", "calibrate", "ix", "--queries", "q.jsonl"]
    done = llmkit(*words, "--unanswerable", "n.jsonl", folder=tmp_path)
    assert done.code == 0, done.err
    assert "at most 5.0% of the questions without an answer answered" in done.out
    assert "coverage 1.000 [0.886, 1.000] of the questions with an answer" in done.out
    assert "documents that answer" in llmkit(*words, "--max-false", "0.2", folder=tmp_path).out
    both = llmkit(*words, "--max-false", "0.2", "--min-precision", "0.9", folder=tmp_path)
    assert (both.code, "two targets" in both.err) == (2, True)


@pytest.mark.slow
def test_on_xquad_what_is_promised_of_half_the_articles_holds(shared_data: Path, tmp_path: Path) -> None:
    with gzip.open(shared_data / "qa_short" / "xquad.en.json.gz", "rt") as file:
        articles = json.load(file)["data"]
    texts: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for number, article in enumerate(articles):
        for place, paragraph in enumerate(article["paragraphs"]):
            path = f"{number}-{place}"
            if number % 2 == 0:
                texts[path] = paragraph["context"]
            right = {"qrels": [path]} if number % 2 == 0 else {"answerable": False}
            rows += [{"id": one["id"], "query": one["question"], **right} for one in paragraph["qas"]]
    make_index(tmp_path / "ix", texts).close()
    named = calibrate_index(tmp_path / "ix", read_queries(write_rows(tmp_path / "q.jsonl", rows)))
    assert named["false"]["low"] <= 0.05
    assert named["coverage"]["value"] > 0.8
    assert named["auroc"]["value"] > 0.93
    answerable = [row for row in rows if "qrels" in row]
    left_out = calibrate_index(tmp_path / "ix", read_queries(write_rows(tmp_path / "q.jsonl", answerable)))
    assert left_out["without"] == "left out"
    assert left_out["false"]["low"] <= 0.05
