"""`llmkit schema`: the JSON Schema of a config, for editors and checks."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer


class Kind(StrEnum):
    """Configs that have a schema."""

    eval = "eval"
    audit = "audit"
    of_index = "index"  # an index of texts is a method of theirs


def schema_command(kind: Annotated[Kind, typer.Argument(help="Which config.")] = Kind.eval) -> None:
    """Print the JSON Schema of a config, with every known metric and provider."""
    from llmkit.config.schema import audit_schema_text, eval_schema_text, index_schema_text

    texts = {Kind.eval: eval_schema_text, Kind.audit: audit_schema_text, Kind.of_index: index_schema_text}
    sys.stdout.write(texts[kind]())
