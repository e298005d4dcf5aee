"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class Mode(StrEnum):
    """Which legs search."""

    auto = "auto"
    lexical = "lexical"
    dense = "dense"
    tfidf = "tfidf"
    hybrid = "hybrid"


Named = Annotated[
    str, typer.Argument(metavar="INDEX|CONFIG", help="The index: its folder, its name, or the config that builds it.")
]
NamedOrAsked = Annotated[
    str,
    typer.Argument(
        metavar="INDEX|CONFIG",
        help="The index: its folder, its name, or the config that builds it. May be left out where there is one alone.",
    ),
]
Queries = Annotated[Path, typer.Option(metavar="FILE", help="Questions with qrels, references or spans: an eval set.")]
Qrels = Annotated[Path | None, typer.Option(metavar="FILE", help="Judgments in TREC's form, by the questions' ids.")]
Legs = Annotated[Mode | None, typer.Option(help="Which legs search; without it, as the index's config says.")]
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
