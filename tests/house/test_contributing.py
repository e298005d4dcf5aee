"""The walk through CONTRIBUTING.md, walked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests import fakejudges
from tests.docs.blocks import ROOT, blocks
from tests.fakeserver import FakeServer


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


def said(body: Mapping[str, Any]) -> str:
    """Answer both judges by the words of the answer."""
    material = fakejudges.fenced(body)
    answer = material.get("answer", material.get("output", ""))
    if "polite, curt, rude" in fakejudges.text_of(body):
        return f"Weighed.\nVerdict: {'polite' if 'sorry' in answer else 'curt'}"
    return f"Verdict: {'yes' if 'sorry' in answer else 'no'}"


def test_the_judges_of_contributing_score_over_http(tmp_path: Path) -> None:
    [config] = [b for b in blocks(ROOT / "CONTRIBUTING.md", "yaml") if "judge-in-yaml" in b.body]
    [program] = [b for b in blocks(ROOT / "CONTRIBUTING.md", "python") if "apologises" in b.body]
    (tmp_path / "apologises.py").write_text(program.body)
    rows = [
        {"id": "a", "input": "My room was cold.", "output": "We are sorry.", "complaint": True},
        {"id": "b", "input": "My bed was hard.", "output": "It is not.", "complaint": True},
        {"id": "c", "input": "When is breakfast?", "output": "At seven, sorry.", "complaint": False},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with FakeServer(answer=said) as server:
        model = f"openai: {{model: fake, base_url: '{server.base_url}'}}"
        shown = config.body.replace("openai(model=gpt-4o-mini)", f"{{{model}}}")
        assert shown != config.body
        mine = "  - apologises\n  - apologises: {only: complaint, name: due}\n"
        (tmp_path / "eval.yaml").write_text(f"plugins: [apologises.py]\n{shown}{mine}")
        scores = json.loads(run(tmp_path, "eval", "eval.yaml", "--no-cache", "--format", "json", "-q"))["scores"]
    assert scores["polite"]["value"] == (1 + 0.5 + 1) / 3
    assert scores["apologises"]["value"] == 2 / 3
    assert (scores["due"]["value"], scores["due"]["skipped"]) == (0.5, 1)
    assert scores["due"]["method"] == "wilson"
    explained = run(tmp_path, "list", "judges", "apologises", "--plugin", "apologises.py")
    assert "Share of answers that apologise." in explained


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "llmkit", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
