"""The size of an eval set, planned from runs; and two runs on one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmkit import Options, compare_runs, run_eval
from llmkit.errors import UsageError
from llmkit.flows.power import plan_eval_set
from llmkit.flows.show import compared_page_file
from llmkit.types import Run


def made(folder: Path, name: str, count: int, wrong: int, **keys: Any) -> Run:
    rows = [
        {
            "id": f"r{n}",
            "input": f"ask {n}",
            "references": [f"say {n}"],
            "output": "no" if n % 7 < wrong else f"say {n}",
        }
        for n in range(count)
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole = {"name": "t", "dataset": f"{name}.jsonl", "target": "recorded", "metrics": ["exact_match", "f1"], **keys}
    (folder / f"{name}.yaml").write_text(json.dumps(whole))
    return run_eval(folder / f"{name}.yaml", options=Options(out=folder / name))


def test_smaller_drops_need_more_rows_and_the_pilot_says_what_it_sees(tmp_path: Path) -> None:
    pilot = made(tmp_path, "a", 70, 2)
    wide, narrow = (plan_eval_set(pilot, drop=drop)["exact_match"] for drop in (0.1, 0.05))
    assert wide.plan is not None
    assert narrow.plan is not None
    assert wide.now is not None
    assert wide.samples == 70
    assert narrow.plan.samples > 2 * wide.plan.samples
    assert plan_eval_set(pilot, drop=wide.now)["exact_match"].plan.samples <= 70  # type: ignore[union-attr]


def test_two_runs_tell_the_noise_without_guessing(tmp_path: Path) -> None:
    pilot, other = made(tmp_path, "a", 70, 2), made(tmp_path, "b", 70, 1)
    found = plan_eval_set(other, against=pilot, drop=0.1)
    mde = compare_runs(pilot, other).metrics["exact_match"]["mde"]
    assert found["exact_match"].now == pytest.approx(mde)
    assert found["f1"].plan is not None


def test_a_pilot_that_says_too_little_is_said_so(tmp_path: Path) -> None:
    found = plan_eval_set(made(tmp_path, "a", 5, 2))
    assert found["exact_match"].plan is None
    assert "5 samples say too little" in found["exact_match"].reason
    with pytest.raises(UsageError, match="no scorer with a better direction"):
        plan_eval_set(made(tmp_path, "b", 20, 2, metrics=["length"]))
    with pytest.raises(UsageError, match="a drop is above 0"):
        plan_eval_set(made(tmp_path, "c", 20, 2), drop=0)


def test_two_runs_on_one_page(tmp_path: Path) -> None:
    base, worse = made(tmp_path, "a", 70, 1), made(tmp_path, "b", 70, 5)
    page = compared_page_file(worse, base).read_text(encoding="utf-8")
    assert "Regressed" in page
    assert "exact_match max_drop" in page
