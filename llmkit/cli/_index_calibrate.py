"""`llmkit index calibrate`: from what confidence on `llmkit ask` answers from an index."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from llmkit.cli._formats import Format
from llmkit.cli._options import Legs, Named, Qrels, Queries, replaced, shown


def calibrate_command(
    index: Named,
    queries: Queries,
    qrels: Qrels = None,
    unanswerable: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Questions that the index has no answer to; without, right documents go."),
    ] = None,
    max_false: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Answer at most this share of the questions without an answer (0.05)."),
    ] = None,
    min_precision: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Of what is answered, at least this share has the answer in its passages."),
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="How many passages 'llmkit ask' reads.")] = 6,
    mode: Legs = None,
    override: Annotated[list[str] | None, replaced("INDEX_CALIBRATE", "a key of 'retrieve'")] = None,
    output_format: Annotated[Format, shown("INDEX_CALIBRATE")] = Format.text,
) -> None:
    """Choose from what confidence on 'llmkit ask' answers: on half of the questions, held to the other half."""
    from llmkit.errors import UsageError
    from llmkit.flows.index.calibrate import calibrate_index
    from llmkit.flows.index.queries import read_queries
    from llmkit.flows.opening import search_settings
    from llmkit.retrieval.abstention import Target

    if max_false is not None and min_precision is not None:
        raise UsageError("--max-false and --min-precision are two targets; give one")
    target = Target() if max_false is None else Target("max_false", max_false)
    if min_precision is not None:
        target = Target("min_precision", min_precision)
    rows = read_queries(queries, qrels)
    others = () if unanswerable is None else read_queries(unanswerable, judged=False)
    settings = search_settings(override, mode=mode and mode.value)
    report = calibrate_index(index, rows, others, target=target, settings=settings, k=k)
    if output_format is Format.json:
        sys.stdout.write(json.dumps(report, ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(report)) + "\n")


def _lines(report: dict[str, Any]) -> list[str]:
    chosen, told = report["chosen_on"], report["reported_on"]
    how = "that are said to have none" if report["without"] == "named" else "asked without the documents that answer"
    lines = [
        f"threshold  {report['threshold']:.3f}, for {_target(report)}",
        f"chosen on  {chosen['with']:,} questions with an answer and {chosen['without']:,} without ({how})",
        f"held to    {told['with']:,} and {told['without']:,} others:",
        f"  coverage {_share(report['coverage'])} of the questions with an answer are answered",
        f"  false    {_share(report['false'])} of those without one are answered",
        f"  risk     {_share(report['risk'])} of what is answered has no passage with the answer",
        f"  AUROC    {_share(report['auroc'])}",
        "",
        "threshold  coverage   false    risk",
    ]
    lines += [
        f"{one['threshold']:9.3f}  {_cell(one['coverage']):>8}  {_cell(one['false']):>6}  {_cell(one['risk']):>6}"
        for one in report["curve"][::2]
    ]
    if report["left_aside"]:
        lines += ["", f"{report['left_aside']:,} questions say neither what is right nor that nothing is; left aside"]
    return lines


def _target(report: dict[str, Any]) -> str:
    [(kind, share)] = report["target"].items()
    if kind == "max_false":
        return f"at most {share:.1%} of the questions without an answer answered"
    return f"at least {share:.1%} of what is answered with the answer in its passages"


def _share(one: dict[str, Any]) -> str:
    if one["value"] is None:
        return "-"
    interval = "" if one["low"] is None else f" [{one['low']:.3f}, {one['high']:.3f}]"
    return f"{one['value']:.3f}{interval}"


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
