"""What ``--dry-run`` prints of the requests that a run would send."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

from llmkit.cli._formats import ReportFormat

if TYPE_CHECKING:
    from llmkit.engine import Plan


def print_plan(plan: Plan, rows: str, output_format: ReportFormat) -> None:
    """Print requests, tokens and cost; ``rows`` says of how many rows."""
    if output_format is ReportFormat.json:
        sys.stdout.write(json.dumps(dataclasses.asdict(plan), indent=2) + "\n")
        return
    for label, value in (
        ("rows", rows),
        ("requests", f"{plan.requests:,} to send, {plan.cached:,} in the cache"),
        ("tokens", f"about {plan.tokens_in:,} in, {plan.tokens_out:,} out"),
        ("cost", said_cost(plan.cost)),
    ):
        sys.stdout.write(f"{label:<9} {value}\n")


def said_cost(cost: float | None) -> str:
    """Return an estimated cost as a user reads it; None is a model without a price."""
    return "unknown: the model has no price" if cost is None else f"about ${cost:.4f}"
