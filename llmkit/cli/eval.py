"""`llmkit eval`: run a system over an eval set, score it, write a run folder."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmkit.cli._formats import ReportFormat
from llmkit.cli._options import Cache, DryRun, Quiet, Refresh, replaced, shown
from llmkit.cli._streams import until_the_reader_goes
from llmkit.report._words import with_gates

if TYPE_CHECKING:
    from llmkit.flows.options import Options
    from llmkit.flows.setup import Setup
    from llmkit.types import Run

DEFAULT_CONFIG = "llmkit.yaml"


def eval_command(
    config: Annotated[Path, typer.Argument(help="The eval config.", show_default=True)] = Path(DEFAULT_CONFIG),
    out: Annotated[Path | None, typer.Option(help="Write the run into exactly this folder.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that lies in --out.")] = False,
    outputs: Annotated[
        Path | None, typer.Option(help="Score the answers of this earlier run again; nothing is asked.")
    ] = None,
    override: Annotated[list[str] | None, replaced("EVAL")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N rows.")] = None,
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Leave out bad rows and count them.")] = False,
    dry_run: DryRun = False,
    cache: Cache = True,
    refresh: Refresh = False,
    output_format: Annotated[ReportFormat, shown("EVAL")] = ReportFormat.text,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="RUN|FILE", help="Compare with this run, eval's latest run or baseline file, and gate."),
    ] = None,
    intersection: Annotated[
        bool, typer.Option("--intersection", help="With --baseline: compare what both have in common.")
    ] = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the gates as JUnit XML here too.")] = None,
    junit_samples: Annotated[
        bool, typer.Option("--junit-samples", help="With --junit: a test for each sample and scorer too.")
    ] = False,
    quiet: Quiet = False,
) -> int:
    """Run a system over an eval set, score it, and write a run folder with reports.

    A run that was interrupted is continued by the same command: what was answered is not asked again.
    """
    from llmkit.flows.setup import prepare

    overrides = [*(override or []), *_shortcuts(limit, skip_bad_rows=skip_bad_rows)]
    setup = prepare(config, overrides, rescoring=outputs is not None)
    if dry_run:
        return _dry_run(setup, output_format, cache=cache, refresh=refresh)
    from llmkit.flows.options import Options

    options = Options(
        out=out,
        overwrite=overwrite,
        outputs=outputs,
        cache=cache,
        refresh=refresh,
        catch_signals=True,
        baseline=baseline,
        intersection=intersection,
    )
    run = _run(setup, options, quiet=quiet)
    with until_the_reader_goes():
        _show(run, output_format)
    if not quiet:
        _hint(run, config)
    if junit is not None:
        from llmkit.cli._ci import write_junit

        write_junit(junit, run, _gates(run), run.comparison, samples=junit_samples)
    code = _verdict(run, output_format)
    _tell_ci(run, code)
    return code


def _gates(run: Run) -> dict[str, Any]:
    return dict(run.comparison.gate) if run.comparison is not None else dict(_whole(run)["gate"])


def _whole(run: Run) -> Mapping[str, Any]:
    return with_gates(run.manifest, run.summary)


def _tell_ci(run: Run, code: int) -> None:
    """Tell a job on GitHub how the run went."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    from llmkit.cli._ci import tell_github
    from llmkit.report._words import trouble

    reasons = list(run.comparison.reasons) if run.comparison is not None else []
    errors = list(dict.fromkeys([*trouble(_whole(run)), *reasons])) if code else []
    name = "report.md" if run.comparison is None else "comparison.md"
    markdown = Path(run.path, name).read_text(encoding="utf-8")
    tell_github(f"llmkit: {run.summary['name']}", errors, [] if code else ["the gate holds"], markdown)


def _shortcuts(limit: int | None, *, skip_bad_rows: bool) -> list[str]:
    found = [] if limit is None else [f"dataset.limit={limit}"]
    return [*found, "dataset.skip_bad_rows=true"] if skip_bad_rows else found


def _run(setup: Setup, options: Options, *, quiet: bool) -> Run:
    import dataclasses

    from llmkit.cli._talk import ProgressTalk
    from llmkit.flows.eval import run_prepared

    # What is there by now stays to the end: no later search for garbage need look through it.
    gc.freeze()
    with ProgressTalk(quiet=quiet) as talk:
        return run_prepared(setup, options if quiet else dataclasses.replace(options, observe=talk))


def _show(run: Run, output_format: ReportFormat) -> None:
    found = run.comparison
    if output_format is ReportFormat.json:
        import dataclasses
        import json

        compared = {} if found is None else {"comparison": dataclasses.asdict(found)}
        data = {**_whole(run), "run": run.path, **compared}
        sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")
    elif output_format is ReportFormat.md:
        if found is not None:
            sys.stdout.write(Path(run.path, "comparison.md").read_text(encoding="utf-8"))
        sys.stdout.write(Path(run.path, "report.md").read_text(encoding="utf-8"))
    else:
        from llmkit.cli._talk import stdout_console
        from llmkit.report.comparison import print_comparison
        from llmkit.report.terminal import print_report

        console = stdout_console()
        if found is not None:
            print_comparison(found, console)
            console.print()
        print_report(run, console)


def _verdict(run: Run, output_format: ReportFormat) -> int:
    """Return the exit code; say why it is not 0 where stdout holds data that nobody may read."""
    from llmkit.flows.gating import exit_code

    summary = _whole(run)
    code = exit_code(summary["gate"].values()) if run.comparison is None else run.comparison.exit_code
    if code and output_format is not ReportFormat.text:
        from llmkit.cli._streams import say
        from llmkit.report._words import trouble

        for line in dict.fromkeys([*trouble(summary), *(run.comparison.reasons if run.comparison else ())]):
            say(f"error: {line}")
    return code


def _hint(run: Run, config: Path) -> None:
    import shlex

    from llmkit.cli._streams import say

    say("")
    say(f"report  {Path(run.path, 'report.md')}")
    say(f"page    {Path(run.path, 'report.html')}")
    if run.comparison is not None:
        say(f"compare {Path(run.path, 'comparison.md')}")
    say(f"rows    {Path(run.path, 'scores.jsonl')}")
    wanted = "metrics=[exact_match, token_f1, bleu]"
    again = shlex.join(["llmkit", "eval", str(config), "--outputs", run.path, "--set", wanted])
    say(f"next    score the same answers with other metrics: {again}")


def _dry_run(setup: Setup, output_format: ReportFormat, *, cache: bool, refresh: bool) -> int:
    from llmkit.cli._plan_talk import print_plan
    from llmkit.flows.options import Options
    from llmkit.flows.plan import plan_eval

    perturbed = f" and {setup.variants.rows:,} perturbed ones" if setup.variants.rows else ""
    most = "" if setup.config.gate.stops is None else "; fewer where the gate is settled sooner"
    rows = f"{setup.census.rows:,}{perturbed}, asked {setup.config.repeats} time(s) each{most}"
    print_plan(plan_eval(setup, Options(cache=cache, refresh=refresh)), rows, output_format)
    return 0
