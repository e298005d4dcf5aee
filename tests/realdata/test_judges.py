"""Judges on real material: AlpacaEval's judge log-probabilities, MT-bench's questions, FairEval's answers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from llmkit.judges._games import masses
from llmkit.types import TokenLogprob
from tests import fakejudges
from tests.cli.command import llmkit, read_rows, served, write_config, write_rows
from tests.fakeserver import Behaviour, FakeServer


def test_preferences_from_log_probabilities_are_alpacaevals(shared_data: Path) -> None:
    """The order of each pair was switched at random, so a row is p of the one letter or of the other."""
    with gzip.open(shared_data / "alpaca_eval" / "judge_logprobs_alpaca-7b.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    assert len(rows) > 700
    for row in rows:
        top = tuple(row["top_logprobs"].items())
        first, second = masses(TokenLogprob(row["token"], dict(top).get(row["token"], 0.0), top), ("m", "M"))
        share = second / (first + second)
        assert min(abs(row["preference"] - 1 - share), abs(row["preference"] - 2 + share)) < 1e-9


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def mt_bench(folder: Path) -> list[dict[str, Any]]:
    """Return MT-bench's questions as rows: two turns, a category, and a reference where it has one."""
    gold = {
        row["question_id"]: row["choices"][0]["turns"]
        for row in lines(folder / "mt_bench_reference_answer_gpt-4.jsonl")
    }
    return [
        {
            "id": str(row["question_id"]),
            "input": row["turns"][0],
            "turns": row["turns"][1:],
            "category": row["category"],
            **({"references": gold[row["question_id"]][-1:]} if row["question_id"] in gold else {}),
        }
        for row in lines(folder / "mt_bench_question.jsonl")
    ]


def test_mt_bench_runs_through_grades_of_whole_conversations(shared_data: Path, tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []

    def answer(body: Any) -> Any:
        if not fakejudges.is_judging(body):
            return f"an answer of {len(body['messages'])} messages quality=0.7"
        seen.append(fakejudges.fenced(body))
        return fakejudges.fair()(body)

    rows = mt_bench(shared_data / "mtbench_material")
    write_rows(tmp_path / "set.jsonl", rows)
    with FakeServer(answer=answer) as server:
        write_config(
            tmp_path, metrics=None, judges=["grade"], slices=["category"],
            target=served(server.base_url), judge_model=served(server.base_url, max_tokens=200),
        )  # fmt: skip
        done = llmkit("eval", "c.yaml", "--no-cache", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    assert done.json["scores"]["grade"]["n"] == 80
    assert done.json["scores"]["grade"]["value"] == 7.0
    assert len(done.json["slices"]["category"]["values"]) == 8
    assert all("question 2" in one and "answer to question 1" in one for one in seen)
    assert sum("reference answer" in one for one in seen) == 30


def test_recorded_answers_of_two_systems_are_compared_in_both_orders(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "mtbench_material"
    asked = {row["question_id"]: row for row in lines(folder / "faireval_question.jsonl")}
    own = [row for row in lines(folder / "faireval_answer_vicuna-13b.jsonl") if row["question_id"] in asked]
    rows = [
        {"id": str(row["question_id"]), "input": asked[row["question_id"]]["text"], "output": row["text"]}
        for row in own
    ]
    other = [
        {"id": str(row["question_id"]), "output": row["text"]} for row in lines(folder / "faireval_answer_gpt35.jsonl")
    ]
    write_rows(tmp_path / "set.jsonl", rows)
    write_rows(tmp_path / "gpt35.jsonl", other)
    expected = 0.0
    theirs = {row["id"]: row["output"] for row in other}
    for row in rows:
        gap = fakejudges.quality(row["output"]) - fakejudges.quality(theirs[row["id"]])
        expected += 0.5 if abs(gap) <= 0.05 else float(gap > 0)
    with FakeServer() as server:
        server.reset(Behaviour(answer=fakejudges.fair()))
        write_config(
            tmp_path, metrics=None, target="recorded", judge_model=served(server.base_url),
            judges=[{"pairwise": {"opponent": "gpt35.jsonl", "name": "duel"}}],
        )  # fmt: skip
        done = llmkit("eval", "c.yaml", "--no-cache", "--out", "run", "--format", "json", folder=tmp_path)
        assert len(server.log()) == 2 * len(rows)
    assert done.code == 0, done.err
    duel = done.json["scores"]["duel"]
    assert duel["n"] == len(rows) == 80
    assert duel["value"] == pytest.approx(expected / len(rows))
    assert duel["details"]["win_rate"]["length_controlled"] is None, "35 wins and 38 losses leave nothing to fit"
    assert "finds neither a better system nor an effect of length" in duel["details"]["notes"][-1]
    assert len(read_rows(tmp_path / "run" / "judgments.jsonl")) == 80
