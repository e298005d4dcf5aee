"""A metric's own tables and notes are in both reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmkit.flows.eval import run_eval
from llmkit.flows.options import Options
from llmkit.report.terminal import print_report


def shown(tmp_path: Path, rows: list[tuple[str, str]], metric: str) -> tuple[str, str]:
    from rich.console import Console

    lines = [json.dumps({"id": str(i), "answer": gold, "output": said}) for i, (gold, said) in enumerate(rows)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), "utf-8")
    config = tmp_path / "eval.yaml"
    config.write_text(f"name: tables\ndataset: rows.jsonl\ntarget: recorded\nmetrics: [{metric}]\n", "utf-8")
    run = run_eval(config, options=Options(out=tmp_path / "run"))
    with (tmp_path / "shown.txt").open("w", encoding="utf-8") as file:
        print_report(run, Console(file=file, width=200))
    return Path(run.path, "report.md").read_text("utf-8"), (tmp_path / "shown.txt").read_text("utf-8")


def test_the_reliability_diagram_is_in_both_reports(tmp_path: Path) -> None:
    rows = [("yes" if k % 3 else "no", f"{0.5 + k / 40:.3f}") for k in range(20)]
    markdown, terminal = shown(tmp_path, rows, "'ece(bins=2)'")
    assert "Reliability:\n\n| confidence | rows | mean | accuracy |" in markdown
    assert "| 0.500 to 0.725 | 10 | 0.613 | 0.600 | 0.013 | ████████████┃░░░░░░░ |" in markdown
    assert "████████████┃░░░░░░░" in terminal
    for report in (markdown, terminal):
        assert "With fewer than about 300 rows (here 20)" in report
        assert "after Platt scaling" in report


@pytest.mark.parametrize("metric", ["pr_auc", "roc_auc", "precision_at_recall", "recall_at_precision"])
def test_why_there_is_no_value_is_in_both_reports(metric: str, tmp_path: Path) -> None:
    for report in shown(tmp_path, [("no", "0.3"), ("no", "0.9")], metric):
        assert f"{metric} has no value: no row has the positive gold label" in report
