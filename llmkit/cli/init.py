"""`llmkit init`: a first evaluation that runs at once, without key or network."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer


def init_command(
    folder: Annotated[Path, typer.Argument(help="Where to put the files.")] = Path(),
) -> None:
    """Write a small evaluation to start from: a config, an eval set and a system to test.

    Existing files are never overwritten.
    """
    from llmkit.cli._streams import say
    from llmkit.flows.init import scaffold

    written = scaffold(folder)
    for path in written:
        say(f"wrote {path}")
    place = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    say("")
    say(f"next  {place}llmkit eval")
    say("then  put your own system into bot.py and your own questions into evalset.jsonl")
