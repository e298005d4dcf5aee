"""`llmkit audit`: is this judge to be trusted?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmkit.cli._formats import ReportFormat
from llmkit.cli._options import Cache, DryRun, Quiet, Refresh, replaced, shown
from llmkit.cli._streams import until_the_reader_goes

if TYPE_CHECKING:
    from llmkit.flows.audit.setup import AuditSetup
    from llmkit.types import Run

PLAN = "plan"


def audit_command(
    subject: Annotated[str, typer.Argument(metavar="CONFIG|RUN", help="An audit config, or a run folder; or 'plan'.")],
    planned: Annotated[
        str | None, typer.Argument(metavar="[CONFIG|RUN]", help="After 'plan': what rows to label of.")
    ] = None,
    judge: Annotated[str | None, typer.Option(help="Of a run: the scorer to audit.")] = None,
    human: Annotated[
        str | None, typer.Option(metavar="FIELD|FILE", help="Of a run: the row field or the file with people's labels.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="Of a run: the row field with the document or question.")] = None,
    system: Annotated[str | None, typer.Option(help="Of a run: the row field with the system that answered.")] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="With plan: how many rows to label.")] = 100,
    sheet: Annotated[Path, typer.Option(help="With plan: the labelling sheet, written as .csv and .jsonl.")] = Path(
        "labels"
    ),
    out: Annotated[Path | None, typer.Option(help="Write the run into exactly this folder.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in --out, or with plan the sheet.")
    ] = False,
    override: Annotated[list[str] | None, replaced("AUDIT")] = None,
    dry_run: DryRun = False,
    cache: Cache = True,
    refresh: Refresh = False,
    output_format: Annotated[ReportFormat, shown("AUDIT")] = ReportFormat.text,
    quiet: Quiet = False,
) -> int:
    """Audit a judge against people's labels: agreement, biases, and what few labels make of its verdicts.

    `llmkit audit plan CONFIG|RUN` says which rows to label first, and writes the sheet to label them in.
    """
    from llmkit.errors import UsageError
    from llmkit.flows.audit.entry import audit_of

    planning = subject == PLAN and planned is not None
    if not planning and planned is not None:
        raise UsageError(
            f"'{planned}' is one argument too many; write 'llmkit audit {subject}', or 'llmkit audit plan ...'"
        )
    named = planned if planning and planned is not None else subject
    if planning:
        return _plan(named, judge, override or [], n, sheet, overwrite=overwrite)
    setup = audit_of(named, override or [], judge=judge, human=human, group=group, system=system)
    if dry_run:
        return _dry_run(setup, output_format, cache=cache, refresh=refresh)
    run = _run(setup, out=out, overwrite=overwrite, cache=cache, refresh=refresh, quiet=quiet)
    with until_the_reader_goes():
        _show(run, output_format)
    return _verdict(run, output_format, quiet=quiet)


def _run(setup: AuditSetup, *, out: Path | None, overwrite: bool, cache: bool, refresh: bool, quiet: bool) -> Run:
    import gc

    from llmkit.cli._talk import ProgressTalk
    from llmkit.flows.audit.story import run_prepared_audit
    from llmkit.flows.options import Options

    gc.freeze()
    with ProgressTalk(quiet=quiet) as talk:
        options = Options(
            out=out,
            overwrite=overwrite,
            cache=cache,
            refresh=refresh,
            observe=None if quiet else talk,
            catch_signals=True,
        )
        return run_prepared_audit(setup, options)


def _show(run: Run, output_format: ReportFormat) -> None:
    if output_format is ReportFormat.json:
        import json

        sys.stdout.write(json.dumps({**run.summary, "run": run.path}, ensure_ascii=False, indent=2) + "\n")
    elif output_format is ReportFormat.md:
        sys.stdout.write(Path(run.path, "report.md").read_text(encoding="utf-8"))
    else:
        from llmkit.cli._talk import stdout_console
        from llmkit.report.audit import print_audit

        print_audit(run, stdout_console())


def _verdict(run: Run, output_format: ReportFormat, *, quiet: bool) -> int:
    """Return the exit code; say what failed where stdout holds data, and where the report lies."""
    from llmkit.cli._streams import say
    from llmkit.report.audit import verdict_lines

    if not quiet:
        say(f"\nreport  {Path(run.path, 'report.md')}")
    gates = run.summary["gate"]
    if output_format is not ReportFormat.text:
        for line in verdict_lines(run.summary):
            say(f"error: {line}")
    failed = [name for name, gate in gates.items() if not gate["pass"]]
    if "coverage" in failed:
        return 3
    if not failed:
        return 0
    unsure = [name for name in failed if gates[name]["certain"] and (gates[name]["value"] or -1) >= gates[name]["min"]]
    return 5 if unsure == failed else 1


def _dry_run(setup: AuditSetup, output_format: ReportFormat, *, cache: bool, refresh: bool) -> int:
    from llmkit.cli._plan_talk import print_plan
    from llmkit.flows.audit.forecast import plan_audit
    from llmkit.flows.options import Options

    print_plan(plan_audit(setup, Options(cache=cache, refresh=refresh)), f"{setup.rows:,}", output_format)
    return 0


def _plan(named: str, judge: str | None, overrides: list[str], n: int, sheet: Path, *, overwrite: bool) -> int:
    from llmkit.flows.audit.sheet import plan_labelling

    found = plan_labelling(named, n, sheet, overrides=overrides, judge=judge, overwrite=overwrite)
    for line in found.lines():
        sys.stdout.write(f"{line}\n")
    return 0
