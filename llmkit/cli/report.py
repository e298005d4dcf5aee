"""`llmkit report`: show a run again, or say its limitations for a product's own documentation."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmkit.cli._formats import PageFormat
from llmkit.cli._options import shown

if TYPE_CHECKING:
    from llmkit.types import Run


def report_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or the name of an eval for its latest run.")],
    output_format: Annotated[PageFormat, shown("REPORT")] = PageFormat.text,
    limitations: Annotated[
        bool, typer.Option("--limitations", help="Say how often the system is wrong, on what, judged how, as of when.")
    ] = False,
    max_age: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="With --limitations: exit with 1 where the run is older (90d, 12h, 4w)."),
    ] = None,
    into: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --limitations: put them into this Markdown file.")
    ] = None,
) -> int:
    """Print the report of a run again. Nothing is asked, and the run folder is not touched."""
    from llmkit.errors import UsageError
    from llmkit.flows.show import find_run, require_scores

    if not limitations and (max_age or into):
        raise UsageError(f"{'--max-age' if max_age else '--into'} belongs to --limitations; add it")
    found = find_run(run, others=True)
    if limitations:
        require_scores(found)
        return _limitations(found, output_format, max_age, into)
    _print(found, output_format)
    return 0


def _print(run: Run, output_format: PageFormat) -> None:
    if output_format is PageFormat.json:
        sys.stdout.write(json.dumps({**run.summary, "run": run.path}, ensure_ascii=False, indent=2) + "\n")
    elif output_format is PageFormat.html:
        from llmkit.flows.show import page_of

        sys.stdout.write(page_of(run).encode("utf-8", "backslashreplace").decode())
    elif output_format is PageFormat.md:
        from llmkit.flows.show import markdown_of

        sys.stdout.write(markdown_of(run))
    else:
        from llmkit.cli._talk import stdout_console
        from llmkit.flows.show import sections_of
        from llmkit.report.section import print_sections
        from llmkit.report.terminal import print_report

        sections = sections_of(run)
        if sections is None:
            print_report(run, stdout_console())
        else:
            print_sections(sections, stdout_console())


def _limitations(run: Run, output_format: PageFormat, max_age: str | None, into: Path | None) -> int:
    import dataclasses
    from datetime import UTC, datetime

    from llmkit.cli._streams import say
    from llmkit.errors import UsageError
    from llmkit.flows.show import limitations_of, parse_age, put_between
    from llmkit.report.limitations import limitations_markdown

    if output_format is PageFormat.html:
        raise UsageError("--limitations is Markdown or JSON; the page of a run has its limitations too (llmkit view)")
    allowed = None if max_age is None else parse_age(max_age)
    found = limitations_of(run, max_age=allowed, now=datetime.now(UTC))
    block = limitations_markdown(found)
    if into is not None:
        put_between(into, str(run.summary["name"]), block)
        say(f"wrote {into}")
    elif output_format is PageFormat.json:
        values: dict[str, Any] = dataclasses.asdict(found)
        sys.stdout.write(json.dumps(values, ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.write(block)
    if found.stale:
        sys.stdout.flush()
        say(f"stale: {found.stale}")
        return 1
    return 0
