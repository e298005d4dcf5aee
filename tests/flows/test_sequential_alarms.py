"""A sequential gate through whole evaluations: how often it is wrong, and what it saves. The full figures come from
``benchmarks/simulate_gates.py``.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from llmkit import Options, run_eval
from llmkit.types import Run
from tests.cli.command import write_config, write_rows

pytestmark = pytest.mark.slow

COUNT = 160
RUNS = 24


def evaluated(folder: Path, place: int, gate: dict[str, Any], baseline: str | None = None) -> Run:
    """Run an evaluation by a bot that answers what stands at a place of its question."""
    (folder / f"bot{place}.py").write_text(f"def answer(text):\n    return text.split('|')[{place}]\n")
    target = {"python": f"{folder / f'bot{place}.py'}:answer"}
    config = write_config(folder, f"c{place}.yaml", target=target, gate=gate)
    chosen = Options(out=folder / f"run{place}", overwrite=True, cache=False, baseline=baseline)
    return run_eval(config, options=chosen)


def rows(rng: random.Random, right: float, drop: float) -> list[dict[str, Any]]:
    """Return rows for two bots: both say ``yes`` with a row's own probability, the second less often by ``drop``."""
    made = []
    for n in range(COUNT):
        own = rng.betavariate(8 * right, 8 * (1 - right))
        said = [rng.random() < own, rng.random() < own and rng.random() >= drop / right]
        words = ["yes" if good else "no" for good in said]
        made.append({"id": f"r{n}", "input": f"{n}|{words[0]}|{words[1]}", "references": ["yes"]})
    return made


def test_it_answers_what_the_whole_run_would_have_answered(tmp_path: Path) -> None:
    wrong = asked = 0
    gate = {"sequential": True, "exact_match": {"min": 0.8}, "token_f1": {"min": 0.8}}
    for seed in range(RUNS):
        made = rows(random.Random(seed), 0.93, 0.0)
        write_rows(tmp_path / "set.jsonl", made)
        run = evaluated(tmp_path, 1, gate)
        share = sum(row["input"].split("|")[1] == "yes" for row in made) / COUNT
        wrong += run.summary["gate"]["exact_match min"]["pass"] != (share >= 0.8)
        asked += run.summary["sequential"]["asked"]
    assert wrong <= 2
    assert asked / (RUNS * COUNT) < 0.6


@pytest.mark.parametrize(("drop", "margin", "bad"), [(0.0, 0.25, "regressed"), (0.45, 0.05, "pass")])
def test_two_runs_of_one_system_seldom_differ_and_a_clear_drop_is_seen_early(
    tmp_path: Path, drop: float, margin: float, bad: str
) -> None:
    wrong = asked = 0
    for seed in range(RUNS):
        write_rows(tmp_path / "set.jsonl", rows(random.Random(seed), 0.93, drop))
        base = evaluated(tmp_path, 1, {})
        gate = {"sequential": True, "all": {"max_drop": margin}}
        run = evaluated(tmp_path, 2, gate, base.path)
        assert run.comparison is not None
        wrong += run.comparison.verdict == bad
        asked += run.summary["sequential"]["asked"]
    assert wrong <= 2
    assert asked / (RUNS * COUNT) < 0.6
