"""The walk through CONTRIBUTING.md, walked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import ROOT, blocks


def test_the_metric_of_contributing_scores_explains_itself_and_is_signed(tmp_path: Path) -> None:
    [block] = [b for b in blocks(ROOT / "CONTRIBUTING.md", "python") if "starts_with" in b.body]
    (tmp_path / "starts_with.py").write_text(block.body)
    rows = [
        {"id": "a", "references": ["Paris"], "output": "paris, of course"},
        {"id": "b", "references": ["Paris"], "output": "It is Paris"},
        {"id": "c", "output": "nothing to compare with"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "eval.yaml").write_text(
        "name: walk\nplugins: [starts_with.py]\ndataset: rows.jsonl\ntarget: recorded\n"
        "metrics: [starts_with, starts_with(ignore_case=false)]\n"
    )
    done = run(tmp_path, "eval", "eval.yaml", "--format", "json", "-q")
    scores = json.loads(done)["scores"]
    assert scores["starts_with"]["value"] == 0.5
    assert scores["starts_with"]["skipped"] == 1
    assert scores["starts_with"]["method"] == "wilson"
    assert scores["starts_with(ignore_case=False)"]["value"] == 0.0
    assert "|ignore_case:yes|refs:max|" in scores["starts_with"]["signature"]
    explained = run(tmp_path, "list", "metrics", "starts_with", "--plugin", "starts_with.py")
    assert "Share of answers that begin with a reference." in explained
    assert "ignore_case: bool = true  Whether case is ignored." in explained


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "llmkit", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
