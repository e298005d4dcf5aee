"""What a CI system is told beside the exit code: JUnit XML, GitHub's annotations and step summary."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmkit.cli._streams import say

if TYPE_CHECKING:
    from llmkit.types import Comparison, Run


def write_junit(
    path: Path, run: Run, gates: Mapping[str, Any], comparison: Comparison | None, *, samples: bool = False
) -> None:
    """Write ``junit.xml`` where the user wants it, with a test for each sample and scorer where that is asked for."""
    from llmkit.report.junit import facts_of, gate_cases, junit_xml, sample_cases
    from llmkit.store import write_text

    cases = list(gate_cases(gates, comparison))
    if samples:
        worse = None
        if comparison is not None:
            from llmkit.flows.changes import every_worse

            worse = every_worse(comparison, run)
        cases += sample_cases(run, comparison, worse)
    write_text(path, junit_xml(str(run.summary["name"]), cases, facts_of(run.summary)))


def tell_github(title: str, errors: list[str], notices: list[str], markdown: str) -> None:
    """Annotate the step and add to its summary, where this is a job on GitHub; nothing elsewhere.

    Workflow commands are read from stderr as well, so that stdout stays data.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    from llmkit.report.github import workflow_commands

    for line in workflow_commands(title, errors, notices):
        say(line)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            with Path(summary).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{markdown}\n")
        except OSError as error:
            say(f"warning: the step summary cannot be written: {(error.strerror or str(error)).lower()}")
