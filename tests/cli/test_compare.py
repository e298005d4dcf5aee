"""``llmkit compare``, ``llmkit bless`` and ``llmkit eval --baseline`` as a pipeline runs them: by their exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import llmkit, write_config, write_rows


def recorded(count: int, wrong: int = 0, **more: Any) -> list[dict[str, Any]]:
    """Return rows with answers, the first of which are wrong."""
    return [
        {
            "id": f"r{n}",
            "input": f"ask {n}",
            "references": [f"say {n}"],
            "output": "no" if n < wrong else f"say {n}",
            **more,
        }
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with runs: ``good``, ``bad``, ``close``, ``fewer`` and ``failed``."""
    found = tmp_path_factory.mktemp("runs")
    failed = [
        {key: value for key, value in row.items() if key != "output" or n > 9} for n, row in enumerate(recorded(60))
    ]
    close = [{**row, "output": "no" if n in {1, 2, 3} else f"say {n}"} for n, row in enumerate(recorded(60))]
    sets = {"good": recorded(60, 1), "bad": recorded(60, 30), "close": close, "fewer": recorded(50), "failed": failed}
    for name, rows in sets.items():
        write_rows(found / f"{name}.jsonl", rows)
        write_config(found, f"{name}.yaml", dataset=f"{name}.jsonl", target="recorded", metrics=["exact_match"])
        assert llmkit("eval", f"{name}.yaml", "--out", name, "-q", folder=found).code == (3 if name == "failed" else 0)
    (found / "certain.yaml").write_text("certain: true\n")
    return found


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("good", "good"), 0, "Pass"),
        (("bad", "good"), 0, "Improved"),
        (("good", "bad"), 1, "Regressed: worse, and not by chance alone"),
        (("good", "close"), 0, "Inconclusive: the data cannot tell"),
        (("good", "close", "--gate", "certain.yaml"), 5, "Gate failed: the gate asks for certainty"),
        (("good", "failed"), 3, "Gate failed: scores are missing"),
        (("good", "fewer"), 4, "10 rows are only in the base"),
        (("good", "fewer", "--intersection"), 0, "10 rows only in the base, left out"),
        (("good", "nowhere"), 2, "nowhere does not exist"),
        (("good", "bad", "--gate", "nowhere.yaml"), 2, "nowhere.yaml cannot be read"),
        (("good", "bad", "--metric", "bleu"), 2, "the gate asks for 'bleu'"),
    ],
)
def test_the_exit_code_says_what_happened(folder: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = llmkit("compare", *words, folder=folder)
    assert done.code == code, done.out + done.err
    assert said in done.out + done.err


def test_a_blessed_run_gates_an_evaluation(folder: Path) -> None:
    assert llmkit("bless", "good", "-o", "base.json", folder=folder).code == 0
    first = (folder / "base.json").read_bytes()
    assert llmkit("bless", "good", "-o", "base.json", folder=folder).code == 0
    assert (folder / "base.json").read_bytes() == first
    again = ("eval", "bad.yaml", "--baseline", "base.json", "-q", "--out", "again", "--overwrite")
    done = llmkit(*again, "--format", "json", folder=folder)
    assert (done.code, done.json["comparison"]["verdict"]) == (1, "regressed")
    assert "error: exact_match" in done.err
    assert llmkit("eval", "good.yaml", "--baseline", "base.json", "-q", folder=folder).code == 0
    assert llmkit("eval", "fewer.yaml", "--baseline", "base.json", "-q", "--out", "none", folder=folder).code == 4
    assert not (folder / "none").exists()


def test_a_minimum_gates_without_a_baseline(folder: Path) -> None:
    words = ("eval", "bad.yaml", "-q", "--out", "min", "--overwrite", "--format", "json")
    done = llmkit(*words, "--set", "gate.exact_match.min=0.9", folder=folder)
    assert (done.code, done.json["gate"]["exact_match min"]["pass"]) == (1, False)
    assert "exact_match is 0.5" in done.err


def test_the_files_of_a_comparison(folder: Path) -> None:
    done = llmkit("compare", "good", "bad", "--out", "shown", "--format", "json", folder=folder)
    data = json.loads((folder / "shown" / "comparison.json").read_text())
    assert done.json == data
    assert len(data["changed"]) == 29
    assert "Regressed" in (folder / "shown" / "report.html").read_text()
    assert (folder / "shown" / "comparison.md").read_text().startswith("<!-- llmkit compare -->\n## ❌ Regressed")


def test_the_terminal_report_fits_80_columns(folder: Path) -> None:
    done = llmkit("compare", "good", "close", folder=folder, env={"COLUMNS": "80"})
    assert done.out.splitlines()[0].startswith("Inconclusive")


def test_a_job_on_github_is_told(folder: Path) -> None:
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(folder / "step.md")}
    words = ("compare", "good", "bad", "--format", "json", "--junit", "junit.xml", "--junit-samples")
    done = llmkit(*words, folder=folder, env=env)
    assert (done.code, done.json["verdict"]) == (1, "regressed")
    assert "::error title=llmkit%3A t::exact_match " in done.err
    step = (folder / "step.md").read_text()
    assert step.startswith("<!-- llmkit compare -->\n## ❌ Regressed")
    assert "| `exact_match` ↑ | 0.983 | 0.500 | -0.483 |" in step
    assert "29 changed samples, worst first" in step
    assert 'name="exact_match max_drop"' in (folder / "junit.xml").read_text()
    assert (folder / "junit.xml").read_text().count("<failure") == 1 + 29
    good = llmkit("eval", "good.yaml", "-q", "--baseline", "good", "--out", "told", folder=folder, env=env)
    assert good.code == 0
    assert "::notice title=llmkit%3A t::the gate holds" in good.err
    assert "<testcase" in (folder / "told" / "junit.xml").read_text()
    assert (folder / "step.md").read_text() == step + (folder / "told" / "comparison.md").read_text() + "\n"
    low = ("eval", "bad.yaml", "-q", "--out", "low", "--set", "gate.exact_match.min=0.9")
    failed = llmkit(*low, folder=folder, env=env)
    assert failed.code == 1
    lines = [line for line in failed.err.splitlines() if line.startswith("::")]
    assert lines == ["::error title=llmkit%3A t::exact_match is 0.5 (0.3774 to 0.6226), not at least 0.9"]
    assert (folder / "step.md").read_text().endswith((folder / "low" / "report.md").read_text() + "\n")


def test_every_sample_that_got_worse_fails_in_junit_however_many_they_are(tmp_path: Path) -> None:
    for name, wrong in (("before", 0), ("after", 150)):
        write_rows(tmp_path / f"{name}.jsonl", recorded(200, wrong))
        metrics = ["exact_match", "length"]
        write_config(tmp_path, f"{name}.yaml", dataset=f"{name}.jsonl", target="recorded", metrics=metrics)
        assert llmkit("eval", f"{name}.yaml", "--out", name, "-q", folder=tmp_path).code == 0
    assert llmkit("bless", "before", "-o", "base.json", folder=tmp_path).code == 0
    for base in ("before", "base.json"):
        words = ("compare", base, "after", "--junit", "junit.xml", "--junit-samples")
        assert llmkit(*words, folder=tmp_path).code == 1
        text = (tmp_path / "junit.xml").read_text()
        assert text.count('type="worse"') == 150
        assert 'name="r149"><failure message="1 before, 0 now"' in text
