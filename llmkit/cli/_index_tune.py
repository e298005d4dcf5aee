"""`llmkit index tune`: which back-end should search an index."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from llmkit.cli._formats import Format
from llmkit.cli._options import Named, Qrels, shown


def tune_command(
    index: Named,
    queries: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Real questions, an eval set; without, vectors of the index itself."),
    ] = None,
    qrels: Qrels = None,
    target: Annotated[float, typer.Option(min=0.0, max=1.0, help="Least share of the ten nearest to be found.")] = 0.95,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw recall against searches a second there.")
    ] = None,
    output_format: Annotated[Format, shown("INDEX_TUNE")] = Format.text,
) -> None:
    """Try every back-end on an index's vectors: half of the questions choose, half report; the choice is kept."""
    from llmkit.cli._streams import say
    from llmkit.flows.index.queries import read_queries
    from llmkit.flows.index.tune import tune_index
    from llmkit.report.tuning import curve_svg, table_lines
    from llmkit.store import write_text

    questions = None if queries is None else read_queries(queries, qrels, judged=False)
    if questions is None:
        say("no questions given: vectors of the index stand for them, which are easier to find than real ones")
    report = tune_index(index, questions, target=target, tell=lambda spec: say(f"trying {spec}"))
    for spec, why in report["left_out"].items():
        say(f"left out: {spec}: {why}")
    if svg is not None:
        write_text(svg, curve_svg(report))
    if output_format is Format.json:
        sys.stdout.write(json.dumps(report, ensure_ascii=False, indent=2) + "\n")
    else:
        lines = [*table_lines(report), "", f"choice: {report['choice']}: {report['why']}"]
        sys.stdout.write("\n".join(lines) + "\n")
