"""A run and a qrels file, end to end: what does not match is said, and judgments stay hidden from targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmkit.config import EvalConfig
from llmkit.errors import DataError
from llmkit.flows.ask import row_for_target
from llmkit.flows.eval import run_eval
from llmkit.flows.options import Options, Warned
from llmkit.types import Sample


def config(folder: Path, qrels: str, run: str, metric: str = "mrr@10", form: str = "qrels") -> EvalConfig:
    (folder / "gold").write_text(qrels, encoding="utf-8")
    (folder / "run.txt").write_text(run, encoding="utf-8")
    settings: dict[str, Any] = {
        "name": "ranked",
        "dataset": {"path": str(folder / "gold"), "format": form},
        "target": {"rankings": str(folder / "run.txt")},
        "metrics": [metric],
        "out": str(folder / "runs"),
    }
    return EvalConfig(**settings)


def test_questions_and_results_that_do_not_match_are_warned_about(tmp_path: Path) -> None:
    said: list[str] = []

    def hear(event: object) -> None:
        if isinstance(event, Warned):
            said.append(event.message)

    qrels = "q1 0 a 1\nq2 0 b 1\nq3 0 c 1\n"
    run = "q1 Q0 a 1 2 r\nq1 Q0 x 2 1 r\nq2 Q0 b.txt 1 1 r\nq9 Q0 a 1 1 r\n"
    done = run_eval(config(tmp_path, qrels, run), options=Options(observe=hear))
    entry = done.summary["scores"]["mrr@10"]
    assert (entry["value"], entry["n"], entry["coverage"]) == (pytest.approx(1 / 3), 3, 1.0)
    assert said == [f"1 recorded answers belong to no row of {tmp_path / 'gold'}"]
    report = (Path(done.path) / "report.md").read_text(encoding="utf-8")
    assert "mrr@10: 1 of 3 questions have no results and count 0" in report
    assert entry["details"]["tables"][0]["rows"] == [[3, 1, 1, "33.3%"]]


def test_a_run_over_other_questions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not one ranking of rankings.* belongs to a row of .*gold"):
        run_eval(config(tmp_path, "q1 0 a 1\n", "1 Q0 a 1 2 r\n"))


def test_an_eval_set_without_judgments_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row has 'qrels', and mrr@10 needs it"):
        run_eval(config(tmp_path, '{"input": "what?"}\n', "q1 Q0 a 1 2 r\n", form="jsonl"))
    assert not (tmp_path / "runs").exists()


def test_judgments_in_jsonl_rows(tmp_path: Path) -> None:
    rows = '{"id": "q1", "input": "what?", "gold": {"ids": ["a", "b"]}}\n'
    made = config(tmp_path, rows, "q1 Q0 a 1 2 r\n", "recall_at(k=5, qrels='gold.ids')", "jsonl")
    [entry] = run_eval(made).summary["scores"].values()
    assert entry["value"] == 0.5


def test_targets_that_are_code_do_not_see_judgments() -> None:
    sample = Sample("q", "what?", meta={"qrels": {"a": 1}, "topic": "x"})
    assert row_for_target(sample, with_output=False)["meta"] == {"topic": "x"}
