"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Named = Annotated[
    str, typer.Argument(metavar="INDEX|CONFIG", help="The index: its folder, its name, or the config that builds it.")
]
Cache = Annotated[bool, typer.Option("--cache/--no-cache", help="Use the response cache.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Ask anew and renew the cache.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be asked and its cost; ask nothing.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no hints on stderr.")]


def shown(command: str) -> Any:
    """Return the option that says what stands on stdout, of a command as environment variables write it."""
    return typer.Option("--format", envvar=f"LLMKIT_{command}_FORMAT", help="What to print on stdout.")


def replaced(command: str, what: str = "a value of the config") -> Any:
    """Return the option that replaces values, of a command as environment variables write it."""
    return typer.Option("--set", metavar="KEY=VALUE", envvar=f"LLMKIT_{command}_SET", help=f"Replace {what}.")
