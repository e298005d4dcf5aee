"""`llmkit view`: open the page of a run."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def view_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or the name of an eval for its latest run.")],
    base: Annotated[
        str | None, typer.Argument(metavar="[BASE]", help="A run or baseline file to show it beside, with the verdict.")
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", envvar="LLMKIT_VIEW_NO_OPEN", help="Print the path; open nothing.")
    ] = False,
) -> None:
    """Open the page of a run in the browser, and print its path; with BASE, the page of both compared."""
    from llmkit.flows.show import compared_page_file, find_run, has_display, open_page, page_file

    path = page_file(find_run(run, others=True)) if base is None else compared_page_file(find_run(run), find_run(base))
    sys.stdout.write(f"{path}\n")
    sys.stdout.flush()
    if not no_open and has_display() and not open_page(path):
        from llmkit.cli._streams import say

        say("no browser could be started; open the file above in one")
