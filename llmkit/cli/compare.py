"""`llmkit compare`: two runs, a verdict, and an exit code that a pipeline can trust."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmkit.cli._formats import ReportFormat
from llmkit.cli._options import shown
from llmkit.cli._streams import until_the_reader_goes

if TYPE_CHECKING:
    from llmkit.types import Comparison, Run


class Adjust(StrEnum):
    """How p-values are adjusted."""

    holm = "holm"
    bh = "bh"
    none = "none"


def compare_command(
    base: Annotated[str, typer.Argument(metavar="BASE", help="A run folder, an eval's name, or a baseline file.")],
    candidate: Annotated[str, typer.Argument(metavar="CAND", help="The run that is judged: a folder, or a name.")],
    gate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A YAML file with a gate; without it, the candidate's own.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", envvar="LLMKIT_COMPARE_METRIC", help="Compare only this scorer; may be repeated."),
    ] = None,
    intersection: Annotated[
        bool, typer.Option("--intersection", help="Where conditions differ, compare what both have in common.")
    ] = False,
    adjust: Annotated[
        Adjust | None, typer.Option(help="How p-values are adjusted; without it, as the gate says.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write comparison.json, comparison.md and report.html there.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the gates as JUnit XML.")] = None,
    junit_samples: Annotated[
        bool, typer.Option("--junit-samples", help="With --junit: a test for each sample and scorer too.")
    ] = False,
    output_format: Annotated[ReportFormat, shown("COMPARE")] = ReportFormat.text,
) -> int:
    """Compare a candidate run with a base, row by row, and hold it against a gate.

    Exit codes: 0 good, 1 a gate failed, 3 scores are missing, 4 the runs are not comparable, 5 not certain enough.
    """
    from llmkit.cli._ci import write_junit
    from llmkit.flows.compare import compare_runs
    from llmkit.flows.compare_files import comparison_files, load_gate, write_comparison
    from llmkit.flows.show import find_run

    first, second = find_run(base), find_run(candidate)
    found = compare_runs(
        first,
        second,
        gate=None if gate is None else load_gate(gate),
        metrics=metric or None,
        intersection=intersection,
        adjust=None if adjust is None else adjust.value,
    )
    if out is not None:
        write_comparison(out, comparison_files(first, second, found))
    if junit is not None:
        write_junit(junit, second, found.gate, found, samples=junit_samples)
    with until_the_reader_goes():
        show(found, output_format)
    tell_ci(first, second, found)
    return found.exit_code


def tell_ci(base: Run, candidate: Run, found: Comparison) -> None:
    """Tell a job on GitHub the verdict."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    from llmkit.cli._ci import tell_github
    from llmkit.flows.compare_files import texts_of
    from llmkit.report.comparison import comparison_markdown, headline

    errors = _errors(found)
    notices = [] if errors else [headline(found)]
    markdown = comparison_markdown(found, texts_of(base, candidate, found.changed[:200]))
    tell_github(f"llmkit: {candidate.summary['name']}", errors, notices, markdown)


def show(found: Comparison, output_format: ReportFormat) -> None:
    """Print a comparison on stdout; where that is data, say on stderr why it is not good."""
    if output_format is ReportFormat.text:
        from llmkit.cli._talk import stdout_console
        from llmkit.report.comparison import print_comparison

        print_comparison(found, stdout_console())
        return
    if output_format is ReportFormat.json:
        from llmkit.flows.compare_files import comparison_json

        sys.stdout.write(comparison_json(found))
    else:
        from llmkit.report.comparison import comparison_markdown

        sys.stdout.write(comparison_markdown(found))
    if found.exit_code:
        from llmkit.cli._streams import say
        from llmkit.report.comparison import headline
        from llmkit.text.visible import visible

        for line in (headline(found), *_errors(found)):
            say(visible(f"error: {line}"))


def _errors(found: Comparison) -> list[str]:
    """Return why the exit code is not 0; what is only worth knowing of gates that hold is no error."""
    from llmkit.flows.gating import notes

    if not found.exit_code:
        return []
    failed = [*notes(found.gate, failed=True)]
    return list(dict.fromkeys([*found.reasons, *failed])) if found.verdict == "not_comparable" else failed
