"""A server that fails, over real HTTP: failures are rows with a reason, the run goes on or says why it cannot."""

from __future__ import annotations

import json
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import KEY, bench, llmkit, read_rows, served
from tests.fakeserver import Behaviour, FakeServer

QUICK: dict[str, Any] = {"engine": {"max_retries": 1, "max_concurrency": 8}}


def scores(run: Path) -> dict[str, str]:
    """Return what each row's exact match is: a value, or why there is none."""
    return {
        row["sample_id"]: row.get("reason") or str(row["value"])
        for row in read_rows(run / "scores.jsonl")
        if row["scorer"].startswith("exact_match")
    }


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("empty", "empty"),
        pytest.param("empty-body", "malformed", marks=pytest.mark.slow),
        ("malformed", "malformed"),
        pytest.param("garbage", "malformed", marks=pytest.mark.slow),
        pytest.param("no-choices", "malformed", marks=pytest.mark.slow),
        ("truncated", "malformed"),
        ("drop", "connection"),
        ("500", "http_500"),
        pytest.param("502-html", "http_502", marks=pytest.mark.slow),
    ],
)
def test_a_bad_answer_is_asked_again_then_an_error_row_never_a_zero_never_cached(
    server: FakeServer, tmp_path: Path, fault: str, kind: str
) -> None:
    server.reset(Behaviour(script={"0001": [fault], "0002": [fault, fault]}))
    bench(tmp_path, target=served(server.base_url), gate={"coverage": {"min": 0.5}}, **QUICK)
    done = llmkit("eval", "c.yaml", "--out", "run", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    assert {prompt: n for prompt, n in server.stats()["prompts"].items() if n > 1} == {
        "question 0001": 2,
        "question 0002": 2,
    }
    assert scores(tmp_path / "run") == {
        "r0000": "0.0",
        "r0001": "1.0",
        "r0002": f"no output: {kind}",
        "r0003": "1.0",
        "r0004": "1.0",
        "r0005": "0.0",
    }
    assert done.json["scores"]["exact_match"]["value"] == 3 / 5
    assert done.json["outputs"] == {"ok": 5, "error": 1, "errors": {kind: 1}}
    assert cached(tmp_path) == 5
    server.reset(Behaviour())
    assert llmkit("eval", "c.yaml", "--out", "again", "-q", folder=tmp_path).code == 0
    assert server.stats()["prompts"] == {"question 0002": 1}


def cached(folder: Path) -> int:
    connection = sqlite3.connect(folder / ".llmkit" / "responses.sqlite")
    try:
        [table] = [
            name
            for (name,) in connection.execute("select name from sqlite_master where type = 'table'")
            if "response" in name
        ]
        return int(connection.execute(f"select count(*) from {table}").fetchone()[0])
    finally:
        connection.close()


def test_a_few_failures_complete_the_run_and_the_gate_decides_on_the_exit_code(
    server: FakeServer, tmp_path: Path
) -> None:
    broken = {f"{number:04d}": ["400"] for number in (3, 17)}
    server.reset(Behaviour(script=broken))
    bench(tmp_path, 40, target=served(server.base_url), **QUICK)
    done = llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path)
    assert done.code == 3
    assert "! 2 outputs failed and got no score: 2 http_400" in done.out
    assert "! coverage 95.0% is below the floor of 98.0%" in done.out
    outputs = read_rows(tmp_path / "run" / "outputs.jsonl")
    assert [row["sample_id"] for row in outputs] == [f"r{number:04d}" for number in range(40)]
    assert [row["error"]["status"] for row in outputs if "error" in row] == [400, 400]
    report = (tmp_path / "run" / "report.md").read_text()
    assert "**r0003**: failed: " in report
    assert "This value is not accepted" in report

    server.reset(Behaviour(script=broken))
    allowed = llmkit("eval", "c.yaml", "--set", "gate.coverage.min=0.95", "--format", "json", folder=tmp_path)
    assert (allowed.code, allowed.json["coverage"]) == (0, 0.95)
    assert server.stats()["total"] == 2


def test_a_failed_gate_is_explained_where_stdout_is_data(server: FakeServer, tmp_path: Path) -> None:
    server.reset(Behaviour(script={"0003": ["400"]}))
    bench(tmp_path, target=served(server.base_url), **QUICK)
    done = llmkit("eval", "c.yaml", "--format", "json", "--quiet", folder=tmp_path)
    assert (done.code, done.json["gate"]["coverage"]["pass"]) == (3, False)
    assert done.err.splitlines() == [
        "error: 1 output failed and got no score: 1 http_400",
        "error: coverage 83.3% is below the floor of 98.0%",
    ]


def test_a_refused_key_stops_at_once_and_is_never_shown(server: FakeServer, tmp_path: Path) -> None:
    server.reset(Behaviour(api_key="another"))
    bench(tmp_path, 400, target=served(server.base_url), engine={"max_concurrency": 4})
    done = llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path)
    assert done.code == 3
    [error, kept, again] = done.err.splitlines()
    assert error.startswith("error: The endpoint of ")
    assert "refused the key" in error
    assert "mend the key and run the same command to continue" in error
    assert kept == "kept: 0 of 400 outputs in run"
    assert again == "to continue, run the same command again: llmkit eval c.yaml --out run"
    assert server.stats()["total"] <= 4
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
    server.reset(Behaviour())
    assert llmkit("eval", "c.yaml", "--out", "run", "-q", folder=tmp_path).code == 0


@pytest.mark.parametrize("count", [3, 60])
def test_an_endpoint_that_is_down_is_a_sentence_whatever_the_number_of_rows(tmp_path: Path, count: int) -> None:
    with socket.socket() as taken:  # bound and never listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        bench(tmp_path, count, target=served(f"http://127.0.0.1:{port}/v1"), **QUICK)
        done = llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path)
    assert (done.code, done.out) == (3, "")
    error = done.err.splitlines()[0]
    assert error.startswith("error: No answer arrived: all 3" if count == 3 else "error: Nobody answers: ")
    assert f"127.0.0.1:{port}" in error
    assert done.err.splitlines()[1] == f"kept: 0 of {count} outputs in run"
    with FakeServer() as server:
        words = ["--set", f"target.openai.base_url={server.base_url}", "--overwrite"]
        assert llmkit("eval", "c.yaml", "--out", "run", *words, "-q", folder=tmp_path).code == 0


def test_a_model_that_is_not_there_is_a_sentence_in_the_servers_words(server: FakeServer, tmp_path: Path) -> None:
    server.reset(Behaviour(script={"": ["404"] * 9}))
    bench(tmp_path, target=served(server.base_url), **QUICK)
    done = llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: No answer arrived: all 6 outputs failed, the first because ")
    assert "The model does not exist" in done.err


def test_a_bot_that_crashes_is_a_row_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(
        "def answer(question):\n    if '0003' in question:\n        raise KeyError('colour')\n    return question\n"
    )
    bench(tmp_path, target={"python": "bot.py:answer"}, gate={"coverage": {"min": 0.5}})
    done = llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path)
    assert done.code == 0
    [failed] = [row["error"] for row in read_rows(tmp_path / "run" / "outputs.jsonl") if "error" in row]
    assert "KeyError: 'colour'" in failed["message"]


def test_a_metric_that_crashes_costs_its_own_scores_only(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from llmkit.metrics import MeanMetric, metric\n\n\n"
        "@metric('odd')\n@dataclass(frozen=True)\nclass Odd(MeanMetric):\n"
        '    """Odd."""\n\n'
        "    def score(self, sample, output):\n        return 1 / (int(output.text[-1]) % 2)\n"
    )
    bench(tmp_path, plugins=["mine.py"], metrics=["odd", "exact_match"])
    done = llmkit("eval", "c.yaml", "--format", "json", folder=tmp_path)
    assert done.code == 3
    found = done.json["scores"]
    assert (found["odd"]["n"], found["odd"]["errors"], found["exact_match"]["coverage"]) == (3, 3, 1.0)
    assert "error: 3 outputs not scored: odd failed: ZeroDivisionError: division by zero" in done.err


def test_rate_limits_cost_time_and_no_rows(server: FakeServer, tmp_path: Path) -> None:
    server.reset(Behaviour(faults={"429": 0.2}, seed=3))
    bench(tmp_path, 60, target=served(server.base_url), engine={"max_concurrency": 16, "max_retries": 0})
    done = llmkit("eval", "c.yaml", "--format", "json", folder=tmp_path)
    assert (done.code, done.json["outputs"]["error"]) == (0, 0)
    assert server.stats()["statuses"]["429"] > 3


def test_what_users_and_models_write_is_shown_as_text(server: FakeServer, tmp_path: Path) -> None:
    nasty = "[red]no[/red] | <script>alert(1)</script> `code` *b* 👩‍👩‍👧 日本語 \x1b[31mred\x1b[0m"
    server.reset(Behaviour(answer=nasty))
    bench(tmp_path, target=served(server.base_url), slices=["cat"])
    row: dict[str, Any] = {"id": "[/] 👋|x", "input": nasty, "references": ["[bold]"], "cat": "[blink]ж|\x1b[32mж"}
    (tmp_path / "set.jsonl").write_text(json.dumps(row) + "\n")
    done = llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path, env={"FORCE_COLOR": "1"})
    assert done.code == 0
    assert "[blink]ж|" in done.out
    assert "\x1b[32m" not in done.out
    report = (tmp_path / "run" / "report.md").read_text()
    assert "\x1b" not in report
    assert "<script>" not in report
    assert "\\[red]no" in report
    assert "\\[/] 👋\\|x" in report
    assert read_rows(tmp_path / "run" / "outputs.jsonl")[0]["text"] == nasty
