"""What CI systems read: JUnit XML, GitHub's workflow commands, and the examples of docs/ci.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from llmkit.report.comparison import comparison_markdown
from llmkit.report.github import workflow_commands
from llmkit.report.junit import Case, gate_cases, junit_xml, sample_cases
from llmkit.types import Comparison, Run, Score

ROOT = Path(__file__).resolve().parents[2]


@given(st.text(), st.text(), st.sampled_from(["", "failure", "error", "skipped"]))
def test_any_text_gives_xml_that_can_be_read(name: str, message: str, outcome: str) -> None:
    root = ET.fromstring(junit_xml(name, [Case("gate", name, outcome, "failed", message)]))
    case = root.find("testsuite/testcase")
    assert case is not None
    assert [child.tag for child in case] == ([outcome] if outcome else [])


def test_gates_are_tests() -> None:
    gates: dict[str, dict[str, Any]] = {
        "coverage": {"min": 0.98, "value": 0.5, "pass": False},
        "f1 min": {"min": 0.8, "value": 0.9, "pass": True, "exit_code": 0, "note": ""},
        "f1 max_drop": {"max_drop": 0.0, "value": 0.2, "pass": False, "exit_code": 1, "note": "f1 -0.2: worse"},
    }
    refused = Comparison("not_comparable", 4, ("2 rows are only in the base",), {}, {})
    root = ET.fromstring(junit_xml("t", gate_cases(gates, refused)))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "1", "2")
    said = {case.get("name"): [child.get("message") for child in case] for case in root.iter("testcase")}
    assert said == {
        "comparable": ["2 rows are only in the base"],
        "coverage": ["coverage is 0.500; asked for: min 0.980"],
        "f1 min": [],
        "f1 max_drop": ["f1 -0.2: worse"],
    }


def test_samples_are_tests() -> None:
    scores = [
        Score("a", "em", 1.0),
        Score("b", "em", 0.0),
        Score("c", "em", None, status="error", reason="no output: timeout"),
        Score("d", "em", None, status="skipped", reason="no reference"),
        Score("a", "f1", 0.4, repeat=1),
    ]
    described = {name: {"binary": name == "em", "higher_is_better": True} for name in ("em", "f1")}
    run = Run("r", {}, {"scores": described}, scores=scores)
    assert [case.outcome for case in sample_cases(run)] == ["", "failure", "error", "skipped", ""]
    flips = {"worse": [{"id": "a", "base": 0.9, "candidate": 0.4}]}
    compared = Comparison("regressed", 1, (), {}, {}, metrics={"f1": {"flips": flips}})
    cases = list(sample_cases(run, compared))
    assert [case.outcome for case in cases] == ["", "", "error", "skipped", "failure"]
    assert (cases[-1].name, cases[-1].message) == ("a (repeat 1)", "0.9 before, 0.4 now")


def test_samples_that_got_worse_beyond_the_listed_ones_are_no_passes() -> None:
    flips = {"worse": [{"id": "a", "base": 1.0, "candidate": 0.0}], "worse_in_all": 51}
    found = Comparison("regressed", 1, (), {}, {}, metrics={"em": {"flips": flips}})
    run = Run("", {}, {"scores": {"em": {"binary": True, "higher_is_better": True}}}, scores=[Score("a", "em", 0.0)])
    failed = [case for case in sample_cases(run, found) if case.outcome == "failure"]
    assert [case.message for case in failed] == ["1 before, 0 now", "50 more samples got worse"]


def test_an_answer_calls_nobody_to_a_pull_request() -> None:
    found = Comparison("regressed", 1, (), {"name": "b"}, {"name": "c"}, changed=("s",))
    text = comparison_markdown(found, {"s": {"candidate": "ask @octocat or me@example.org"}})
    assert "ask @<!-- -->octocat or me@example.org" in text


def test_annotations_are_escaped_and_bounded() -> None:
    lines = workflow_commands("a:b,c", ["50% worse\n::error::not ours"], [])
    assert lines == ["::error title=a%3Ab%2Cc::50%25 worse%0A::error::not ours"]
    many = workflow_commands("t", [f"e{n}" for n in range(25)])
    assert len(many) == 10
    assert many[-1] == "::error title=t::and 16 more: see the report"


def test_the_examples_of_the_page_are_valid_yaml() -> None:
    found = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "ci.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    github, gitlab = map(yaml.safe_load, found)
    steps = [step.get("run", "") for step in github["jobs"]["evals"]["steps"]]
    commands = [*steps, *gitlab["evals"]["script"]]
    assert sum(command.startswith("llmkit eval ") for command in commands) == 2
    assert gitlab["evals"]["artifacts"]["reports"] == {"junit": "junit.xml"}


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.name)
def test_our_own_workflow_runs_targets_that_there_are(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert commands
    for command in commands:
        assert f"\n{command.removeprefix('make ')}:" in makefile
