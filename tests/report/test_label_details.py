"""A label metric's details, as the metric really gives them, can be shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmkit.flows.eval import run_eval
from llmkit.flows.options import Options
from llmkit.report.terminal import print_report


@pytest.mark.parametrize("scorer", ["f1", "confusion", "precision"])
def test_the_confusion_matrix_is_in_both_reports(scorer: str, tmp_path: Path) -> None:
    from rich.console import Console

    answers = [("yes", "yes"), ("yes", "no"), ("no", "no"), ("no", "perhaps")]
    rows = [{"id": str(i), "references": [gold], "output": said} for i, (gold, said) in enumerate(answers)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    config = tmp_path / "eval.yaml"
    config.write_text(f"name: labels\ndataset: rows.jsonl\ntarget: recorded\nmetrics: [{scorer}]\n", "utf-8")
    run = run_eval(config, options=Options(out=tmp_path / "run"))
    report = Path(run.path, "report.md").read_text("utf-8")
    assert r"| gold \ predicted | no | yes | (other) |" in report
    assert "| yes | 1 | 1 | 0 |" in report
    assert "| label | precision | recall | f1 | support | predicted |" in report
    with (tmp_path / "shown.txt").open("w", encoding="utf-8") as file:
        print_report(run, Console(file=file, width=200))
    assert "(other)" in (tmp_path / "shown.txt").read_text("utf-8")
