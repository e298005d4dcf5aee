"""Judges whose endpoint misbehaves, over HTTP: what is late is waited for, what is missing is said, nothing is made up."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import bench, llmkit, read_rows, results, served, start, until
from tests.fakeserver import Behaviour, FakeServer, Fault

TOO_LONG = Fault(400, code="context_length_exceeded", message="This model's maximum context length is 8192 tokens")
STEPS = {"geval": {"criteria": "coherence", "probabilities": "never", "samples": 2, "name": "coherence"}}


def verdict(body: Mapping[str, Any]) -> str:
    text = str(body["messages"][-1]["content"])
    if "Write the steps" in text:
        return "1. Read.\n2. Rate."
    return "4" if "as one whole number" in text else "Weighed.\nGrade: 7"


@pytest.fixture
def server(running: FakeServer) -> FakeServer:
    running.reset(Behaviour(answer=verdict))
    return running


def judged(folder: Path, server: FakeServer, count: int = 6, **keys: Any) -> Path:
    engine = {"cache": False, **keys.pop("engine", {})}
    given = {"target": "echo", "judge_model": served(server.base_url), "judges": ["grade"], "metrics": None}
    return bench(folder, count, **{**given, "engine": engine, **keys})


def test_a_judge_that_is_told_to_wait_waits_and_scores_every_row(tmp_path: Path, server: FakeServer) -> None:
    judged(tmp_path / "calm", server)
    assert llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path / "calm").code == 0
    server.reset(Behaviour(answer=verdict, script={"": ["429"] * 3}))
    judged(tmp_path / "busy", server)
    done = llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path / "busy")
    assert done.code == 0, done.err
    assert results(tmp_path / "busy" / "run")["scores.jsonl"] == results(tmp_path / "calm" / "run")["scores.jsonl"]
    assert len(server.log()) == 6 * 4


def test_a_question_too_long_for_the_judge_is_an_error_and_is_not_cut(tmp_path: Path, server: FakeServer) -> None:
    server.reset(Behaviour(answer=verdict, script={"question 0002": [TOO_LONG] * 9}))
    judged(tmp_path, server)
    done = llmkit("eval", "c.yaml", "--out", "run", "--format", "json", folder=tmp_path)
    assert done.code == 3
    grade = done.json["scores"]["grade"]
    assert (grade["n"], grade["errors"], grade["value"]) == (5, 1, 7.0)
    [row] = [row for row in read_rows(tmp_path / "run" / "scores.jsonl") if row.get("status") == "error"]
    assert "r0002" in row.values()
    assert "maximum context length" in row["reason"]
    asked = [body for body in server.requests() if "question 0002" in str(body)]
    assert len(asked) == 1, "it is neither asked again nor sent shorter"


def test_a_missing_key_is_said_before_anyone_is_asked(tmp_path: Path, server: FakeServer) -> None:
    judge = served("https://judge.example/v1", api_key_env="JUDGE_KEY_THAT_IS_NOT_SET")
    judged(tmp_path, server, target=served(server.base_url), judge_model=judge)
    done = llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path)
    assert done.code == 2
    assert "JUDGE_KEY_THAT_IS_NOT_SET" in done.err
    assert server.log() == []
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("fault", "said"),
    [("401", "Incorrect API key"), ("empty", "empty answer"), (None, "no numbered step")],
)
def test_steps_that_cannot_be_had_stop_the_run_and_leave_no_file(
    tmp_path: Path, server: FakeServer, fault: str | None, said: str
) -> None:
    script = {"Write the steps": [fault] * 9} if fault else {}
    answer = verdict if fault else (lambda body: "I would rather not.")
    server.reset(Behaviour(answer=answer, script=script))
    judged(tmp_path, server, judges=[STEPS])
    done = llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path)
    assert done.code not in (0, 1)
    assert said in done.err
    assert not list(tmp_path.glob("judges/*"))
    assert all("as one whole number" not in str(body) for body in server.requests())
    server.reset(Behaviour(answer=verdict))
    again = llmkit("eval", "c.yaml", "--out", "run", "--format", "json", folder=tmp_path)
    assert again.code == 0, again.err
    assert again.json["scores"]["coherence"]["value"] == 4.0


def test_a_run_killed_while_its_steps_are_written_begins_anew(tmp_path: Path, server: FakeServer) -> None:
    server.reset(Behaviour(answer=verdict, script={"Write the steps": ["hang"]}))
    judged(tmp_path, server, judges=[STEPS])
    process = start(["eval", "c.yaml", "--out", "run"], tmp_path)
    until(lambda: len(server.requests()) > 0, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(tmp_path.glob("judges/*"))
    server.reset(Behaviour(answer=verdict))
    again = llmkit("eval", "c.yaml", "--out", "run", "--format", "json", folder=tmp_path)
    assert again.code == 0, again.err
    assert again.json["scores"]["coherence"]["n"] == 6
    assert len(server.log()) in {1 + 6 * 2, 1 + 1 + 6 * 2}  # the killed run's own request may be logged this late


def test_a_run_killed_between_its_judges_rows_goes_on_with_the_steps_it_has(tmp_path: Path, server: FakeServer) -> None:
    judged(tmp_path / "whole", server, 30, judges=[STEPS])
    assert llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path / "whole").code == 0
    server.reset(Behaviour(answer=verdict, latency=0.02))
    judged(tmp_path / "cut", server, 30, judges=[STEPS], engine={"max_concurrency": 2})
    process = start(["eval", "c.yaml", "--out", "run"], tmp_path / "cut")
    until(lambda: len(server.log()) > 30, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    server.reset(Behaviour(answer=verdict))
    done = llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path / "cut")
    assert done.code == 0, done.err
    assert not [body for body in server.requests() if "Write the steps" in str(body)]
    assert len(server.log()) < 40
    assert results(tmp_path / "cut" / "run") == results(tmp_path / "whole" / "run")
