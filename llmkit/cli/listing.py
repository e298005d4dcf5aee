"""`llmkit list`: what is available, from the plug-ins' own words."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from llmkit.registry import Description


class Kind(StrEnum):
    """Kinds of plug-in."""

    chunkers = "chunkers"
    embedders = "embedders"
    judges = "judges"
    metrics = "metrics"
    perturbations = "perturbations"
    providers = "providers"
    vectors = "vectors"


def list_command(
    kind: Annotated[Kind, typer.Argument(help="Which kind.")],
    name: Annotated[str | None, typer.Argument(help="Explain just this one, with its arguments.")] = None,
    plugin: Annotated[list[Path] | None, typer.Option(help="A Python file with plug-ins of your own.")] = None,
    json_format: Annotated[bool, typer.Option("--json", envvar="LLMKIT_LIST_JSON", help="Print JSON.")] = False,
) -> None:
    """List what is available, or explain one of them."""
    from llmkit import registry

    registry.load_plugins(plugin or [])
    wanted = [name] if name else registry.names(kind.value)
    found = [registry.describe(kind.value, one) for one in wanted]
    if json_format:
        import json

        rows = [{**one._asdict(), "arguments": [argument._asdict() for argument in one.arguments]} for one in found]
        sys.stdout.write(json.dumps(rows[0] if name else rows, ensure_ascii=False, indent=2, default=str) + "\n")
    elif name:
        sys.stdout.write(_explained(found[0]))
    else:
        width = max((len(one.name) for one in found), default=0)
        sys.stdout.write("".join(f"{one.name:<{width}}  {one.summary}\n" for one in found))


def _explained(one: Description) -> str:
    lines = [one.name, "", one.doc.strip(), ""]
    if one.arguments:
        lines.append("Arguments:")
        lines += [
            f"  {argument.name}: {argument.type} = {argument.default}" + (f"  {argument.help}" if argument.help else "")
            for argument in one.arguments
        ]
    return "\n".join(lines).rstrip() + "\n"
