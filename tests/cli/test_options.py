"""What each option of ``llmkit eval`` promises, counted at the server that it asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import bench, finish, llmkit, read_rows, results, rows, served, start, write_rows
from tests.fakeserver import Behaviour, FakeServer


def sent(server: FakeServer) -> int:
    """Return how many requests the server got since the last time this was asked."""
    total = int(server.stats()["total"])
    server.reset()
    return total


def messages(server: FakeServer) -> list[list[str]]:
    """Return what was asked, as roles and texts, in the order of the questions."""
    return sorted(
        [f"{message['role']}: {message['content']}" for message in request["body"]["messages"]]
        for request in server.requests()
    )


def test_a_dry_run_sends_and_writes_nothing_and_knows_the_cache(server: FakeServer, tmp_path: Path) -> None:
    bench(tmp_path, 10, target=served(server.base_url))
    before = sorted(tmp_path.rglob("*"))
    plan = llmkit("eval", "c.yaml", "--dry-run", "--format", "json", folder=tmp_path).json
    assert (sent(server), sorted(tmp_path.rglob("*"))) == (0, before)
    assert (plan["requests"], plan["cached"], plan["cost"]) == (10, 0, None)
    assert plan["tokens_in"] > 0
    assert llmkit("eval", "c.yaml", "--limit", "4", folder=tmp_path).code == 0
    assert sent(server) == plan["requests"] - 6
    plan = llmkit("eval", "c.yaml", "--dry-run", "--format", "json", folder=tmp_path).json
    assert (plan["requests"], plan["cached"]) == (6, 4)
    said = llmkit("eval", "c.yaml", "--dry-run", folder=tmp_path)
    assert (said.code, said.err) == (0, "")
    assert "6 to send, 4 in the cache" in said.out
    assert "unknown: the model has no price" in said.out
    anew = llmkit("eval", "c.yaml", "--dry-run", "--refresh", "--format", "json", folder=tmp_path).json
    assert (anew["requests"], anew["cached"]) == (10, 0)
    assert sent(server) == 0


def test_a_dry_run_finds_every_fault_that_a_run_would(tmp_path: Path) -> None:
    bench(tmp_path, metrics=["exact_mach"])
    done = llmkit("eval", "c.yaml", "--dry-run", folder=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "did you mean 'exact_match'?" in done.err


def test_the_cache_is_read_left_alone_or_renewed_as_told(server: FakeServer, tmp_path: Path) -> None:
    bench(tmp_path, 10, target=served(server.base_url))
    counts = []
    for options in ([], [], ["--no-cache"], ["--refresh"], [], ["--set", "target.openai.temperature=0.5"]):
        done = llmkit("eval", "c.yaml", "--format", "json", *options, folder=tmp_path)
        assert done.code == 0
        counts.append(sent(server))
    assert counts == [10, 0, 10, 10, 0, 10]
    server.reset(Behaviour(answer="else"))
    assert llmkit("eval", "c.yaml", "--refresh", "-q", folder=tmp_path).code == 0
    renewed = llmkit("eval", "c.yaml", "--format", "json", folder=tmp_path)
    assert renewed.json["scores"]["exact_match"]["value"] == 0.2  # every fifth reference is 'else'
    assert sent(server) == 10


def test_two_processes_share_a_cache(server: FakeServer, tmp_path: Path) -> None:
    server.reset(Behaviour(latency=0.005))
    bench(tmp_path, 60, target=served(server.base_url))
    processes = [start(["eval", "c.yaml", "--out", f"run{number}", "-q"], tmp_path) for number in range(3)]
    assert [finish(process).code for process in processes] == [0, 0, 0]
    assert results(tmp_path / "run0") == results(tmp_path / "run1") == results(tmp_path / "run2")
    server.reset()
    assert llmkit("eval", "c.yaml", "-q", folder=tmp_path).code == 0
    assert sent(server) == 0


def test_identical_questions_are_asked_once(server: FakeServer, tmp_path: Path) -> None:
    server.reset(Behaviour(latency=0.02))
    bench(tmp_path, target=served(server.base_url))
    write_rows(tmp_path / "set.jsonl", [{"id": str(n), "input": "same", "references": ["same"]} for n in range(20)])
    done = llmkit("eval", "c.yaml", "--format", "json", folder=tmp_path)
    assert (done.json["scores"]["exact_match"]["n"], sent(server)) == (20, 1)


def test_outputs_of_a_run_are_scored_again_without_a_request_or_a_key(server: FakeServer, tmp_path: Path) -> None:
    bench(tmp_path, 10, target=served(server.base_url))
    assert llmkit("eval", "c.yaml", "--out", "run", "-q", folder=tmp_path).code == 0
    asked = sent(server)
    words = ["eval", "c.yaml", "--outputs", "run", "--set", "metrics=[exact_match, chrf]", "--out", "again"]
    done = llmkit(*words, "--format", "json", folder=tmp_path, env={"OPENAI_API_KEY": ""})
    assert (done.code, asked, sent(server)) == (0, 10, 0)
    assert set(done.json["scores"]) == {"exact_match", "chrf"}
    before, after = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("run", "again"))
    assert before["scores"]["exact_match"] == after["scores"]["exact_match"]


def test_a_row_that_the_earlier_run_lacks_is_an_error_row(tmp_path: Path) -> None:
    bench(tmp_path, 10)
    assert llmkit("eval", "c.yaml", "--out", "part", "--limit", "6", "-q", folder=tmp_path).code == 0
    done = llmkit("eval", "c.yaml", "--outputs", "part", "--out", "again", "--format", "json", folder=tmp_path)
    assert (done.code, done.json["outputs"]) == (3, {"ok": 6, "error": 4, "errors": {"missing": 4}})
    write_rows(tmp_path / "set.jsonl", [{"id": "z", "input": "x", "references": ["x"]}])
    other = llmkit("eval", "c.yaml", "--outputs", "part", folder=tmp_path)
    assert (other.code, other.out) == (2, "")
    assert "none of its outputs belongs to a row of set.jsonl" in other.err
    for place, said in (("nowhere", "nowhere does not exist"), ("set.jsonl", "is a file, not a run folder")):
        wrong = llmkit("eval", "c.yaml", "--outputs", place, folder=tmp_path)
        assert wrong.code == 2
        assert said in wrong.err


def test_repeats_are_asked_each_and_averaged_for_the_interval(server: FakeServer, tmp_path: Path) -> None:
    bench(tmp_path, 10, target=served(server.base_url), repeats=3)
    done = llmkit("eval", "c.yaml", "--format", "json", "--out", "run", folder=tmp_path)
    entry = done.json["scores"]["exact_match"]
    assert (sent(server), done.json["repeats"], entry["n"], entry["value"]) == (30, 3, 30, 0.8)
    assert "wilson" not in entry["method"]
    once = llmkit("eval", "c.yaml", "--set", "repeats=1", "--format", "json", folder=tmp_path).json
    width = once["scores"]["token_f1"]["high"] - once["scores"]["token_f1"]["low"]
    again = done.json["scores"]["token_f1"]
    assert again["high"] - again["low"] == pytest.approx(width)  # thrice the same answer tells no more
    assert [row["repeat"] for row in read_rows(tmp_path / "run" / "outputs.jsonl")[:3] if "repeat" in row][-1] == 2


def test_clusters_widen_the_interval(tmp_path: Path) -> None:
    bench(tmp_path)
    made: list[dict[str, Any]] = []
    for number in range(40):
        page = number // 8
        made.append({"id": f"r{number}", "input": "a", "references": ["a" if page % 2 else "b"], "page": f"p{page}"})
    write_rows(tmp_path / "set.jsonl", made)
    widths = []
    for options in ([], ["--set", "cluster=page"]):
        entry = llmkit("eval", "c.yaml", *options, "--format", "json", folder=tmp_path).json["scores"]["exact_match"]
        widths.append(entry["high"] - entry["low"])
    assert widths[1] > 1.5 * widths[0]


def test_slices_show_rows_that_have_no_value(tmp_path: Path) -> None:
    bench(tmp_path, slices=["cat"])
    made = rows(6)
    del made[0]["cat"], made[1]["cat"]
    write_rows(tmp_path / "set.jsonl", made)
    done = llmkit("eval", "c.yaml", "--format", "json", folder=tmp_path)
    counts = {value: part["rows"] for value, part in done.json["slices"]["cat"]["values"].items()}
    assert counts == {"(none)": 2, "c0": 1, "c1": 1, "c2": 2}


def test_few_shot_examples_stand_before_the_question(server: FakeServer, tmp_path: Path) -> None:
    bench(
        tmp_path, 2, target=served(server.base_url), few_shot={"n": 1, "from": "train.jsonl"}, prompt="Q: {{ input }}"
    )
    write_rows(tmp_path / "train.jsonl", [{"input": "one", "references": ["1"]}, {"input": "two", "references": ["2"]}])
    assert llmkit("eval", "c.yaml", "--set", "gate.coverage.min=0", folder=tmp_path).code == 0
    assert messages(server) == [
        ["user: Q: one", "assistant: 1", f"user: Q: question 000{number}"] for number in range(2)
    ]


def test_turns_and_chat_messages(server: FakeServer, tmp_path: Path) -> None:
    bench(tmp_path, target=served(server.base_url), metrics=["exact_match"])
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
    write_rows(
        tmp_path / "set.jsonl",
        [
            {"id": "turns", "input": ["first", "second"], "references": ["second"]},
            {"id": "chat", "input": chat, "references": ["hello"]},
        ],
    )
    done = llmkit("eval", "c.yaml", "--out", "run", "--format", "json", folder=tmp_path)
    assert done.json["scores"]["exact_match"]["value"] == 1.0
    assert messages(server) == [
        ["system: Be brief.", "user: hello"],
        ["user: first"],
        ["user: first", "assistant: first", "user: second"],
    ]
    outputs = {row["sample_id"]: row for row in read_rows(tmp_path / "run" / "outputs.jsonl")}
    assert outputs["turns"]["turns"] == ["first", "second"]


def test_latency_and_cost_are_metrics(server: FakeServer, tmp_path: Path) -> None:
    bench(tmp_path, target=served(server.base_url), metrics=["latency", "cost", "tokens", "length"], prices="p.json")
    (tmp_path / "p.json").write_text(json.dumps({"fake": {"input": 1, "output": 3, "as_of": "2026-01-01"}}))
    done = llmkit("eval", "c.yaml", "--out", "run", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    found = {name.partition("(")[0]: entry for name, entry in done.json["scores"].items()}
    tokens = [
        (r["response"]["tokens_in"], r["response"]["tokens_out"]) for r in read_rows(tmp_path / "run/outputs.jsonl")
    ]
    assert found["cost"]["value"] == pytest.approx(sum(i + 3 * o for i, o in tokens) / 1e6 / 6)
    assert found["latency"]["value"] > 0
    assert all(entry["n"] == 6 for entry in found.values())
    shown = llmkit("eval", "c.yaml", folder=tmp_path).out
    assert "$" in shown
    assert " s " in shown


def test_a_limit_takes_the_first_rows(tmp_path: Path) -> None:
    bench(tmp_path, 10)
    assert llmkit("eval", "c.yaml", "--limit", "3", "--out", "run", "-q", folder=tmp_path).code == 0
    assert [row["sample_id"] for row in read_rows(tmp_path / "run" / "outputs.jsonl")] == ["r0000", "r0001", "r0002"]
