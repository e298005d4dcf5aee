"""The command line's table of contents. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Annotated

import typer

from llmkit._version import __version__
from llmkit.cli.ask import ask_command
from llmkit.cli.audit import audit_command
from llmkit.cli.bless import bless_command
from llmkit.cli.compare import compare_command
from llmkit.cli.eval import eval_command
from llmkit.cli.index import index_app
from llmkit.cli.init import init_command
from llmkit.cli.listing import list_command
from llmkit.cli.power import power_command
from llmkit.cli.report import report_command
from llmkit.cli.schema import schema_command
from llmkit.cli.search import search_command
from llmkit.cli.tournament import tournament_command
from llmkit.cli.view import view_command

EPILOG = (
    "Exit codes: 0 good · 1 a quality gate failed · 2 usage, config or data is wrong · 3 errors or missing scores above"
    " the allowed share · 4 runs not comparable · 5 inconclusive · 6 budget stop · 130 interrupted.\n\n"
    "Shell completion: llmkit --install-completion"
)


def _completes() -> bool:
    """Whether this start is about shell completion.

    Typer's completion options make every start import pydantic, so they are only there when they are used.
    """
    return "_LLMKIT_COMPLETE" in os.environ or any("-completion" in word for word in sys.argv[1:2])


app = typer.Typer(
    name="llmkit",
    no_args_is_help=True,
    add_help_option=False,  # typer's own makes `llmkit eval --help` import pydantic; see _root
    add_completion=_completes(),
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "LLMKIT"},
    help="Measure a product built on LLMs, then improve it: run a system over an eval set, score it, compare.",
)
app.command("ask")(ask_command)
app.command("audit")(audit_command)
app.command("bless")(bless_command)
app.command("compare")(compare_command)
app.command("eval")(eval_command)
app.add_typer(index_app, name="index")
app.command("init")(init_command)
app.command("list")(list_command)
app.command("power")(power_command)
app.command("report")(report_command)
app.command("schema")(schema_command)
app.command("search")(search_command)
app.command("tournament")(tournament_command)
app.command("view")(view_command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llmkit {__version__}")
        raise typer.Exit


def _help(ctx: typer.Context, wanted: bool) -> None:
    if wanted:
        typer.echo(ctx.get_help())
        raise typer.Exit


@contextmanager
def called(words: Sequence[str], table: typer.Typer = app) -> Iterator[None]:
    """Leave only the command that these words call, for Typer prepares every option of every command at each start.

    Whatever calls none by its name (options, a misspelling, nothing) leaves all of them.
    """
    name = next(iter(words), "")
    commands = [info for info in table.registered_commands if info.name == name]
    groups = [info for info in table.registered_groups if info.name == name]
    if "_LLMKIT_COMPLETE" in os.environ or not (commands or groups):
        yield
        return
    every = table.registered_commands, table.registered_groups
    table.registered_commands, table.registered_groups = commands, groups
    try:
        below = groups[0].typer_instance if groups else None
        with nullcontext() if below is None else called(words[1:], below):
            yield
    finally:
        table.registered_commands, table.registered_groups = every


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, allow_from_autoenv=False, help="Print the version and exit."
        ),
    ] = False,
    help_: Annotated[
        bool,
        typer.Option(
            "--help", "-h", callback=_help, is_eager=True, allow_from_autoenv=False, help="Show this message and exit."
        ),
    ] = False,
) -> None:
    """Hold the options that stand before a command."""
