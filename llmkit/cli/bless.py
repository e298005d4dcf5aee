"""`llmkit bless`: keep what comparisons need of a run in one small file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bless_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or the name of an eval for its latest run.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The file.", show_default=True)] = Path(
        "baseline.json"
    ),
    texts: Annotated[
        bool, typer.Option("--texts", help="Keep the answers too, so that reports can show both.")
    ] = False,
) -> None:
    """Write a baseline file of a run, to be committed: scores of each row by its digest, and no texts.

    Gates need nothing else: llmkit eval CONFIG --baseline FILE, and llmkit compare FILE RUN.
    """
    from llmkit.cli._streams import say
    from llmkit.flows.show import find_run
    from llmkit.store import write_baseline

    found = find_run(run)
    write_baseline(found, out, texts=texts)
    say(f"wrote {out}: {found.summary['rows']:,} rows of {found.path}")
