"""Conversations of several turns: what they cost, and what a dry run says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmkit import Options, run_eval
from llmkit.flows.plan import plan_eval
from llmkit.flows.setup import prepare

BOT = """
def answer(messages):
    turn = len(messages)
    return {"text": f"answer {turn}", "tokens_in": turn, "tokens_out": 2, "cost": 0.5}
"""
ROWS = [{"id": str(number), "input": ["first", "second", f"third {number}"]} for number in range(2)]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "bot.py").write_text(BOT, encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    path = tmp_path / "config.yaml"
    path.write_text(
        "name: talk\ndataset: rows.jsonl\ntarget: {python: 'bot.py:answer'}\n"
        "metrics: [cost, tokens(count='total'), length]\n",
        encoding="utf-8",
    )
    return path


def test_a_conversation_costs_what_all_its_turns_cost(config: Path, tmp_path: Path) -> None:
    run = run_eval(config, options=Options(out=tmp_path / "run"))
    values = {name.partition("(")[0]: entry["value"] for name, entry in run.summary["scores"].items()}
    assert (values["cost"], values["tokens"]) == (1.5, 1 + 3 + 5 + 3 * 2)
    [first, _] = run.outputs
    assert (first.text, first.turns) == ("answer 5", ("answer 1", "answer 3", "answer 5"))
    assert run.manifest["usage"]["cost"] == sum(output.response.cost or 0 for output in run.outputs if output.response)


def test_a_dry_run_counts_every_turn(config: Path, tmp_path: Path) -> None:
    plan = plan_eval(prepare(config))
    run = run_eval(config, options=Options(out=tmp_path / "run"))
    assert plan.requests == run.manifest["usage"]["sent"] == 6
    assert plan.shared == 0


def test_a_dry_run_follows_a_conversation_through_the_cache_and_writes_nothing(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("llmkit.providers.python.Python.cacheable", True)
    assert plan_eval(prepare(config)).requests == 6
    assert not (tmp_path / ".llmkit").exists()
    run_eval(config, overrides=["dataset.limit=1"], options=Options(out=tmp_path / "run"))
    plan = plan_eval(prepare(config))
    assert (plan.cached, plan.requests) == (3, 3)
