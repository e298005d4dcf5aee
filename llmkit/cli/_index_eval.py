"""`llmkit index eval`: how well an index finds what is right."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from llmkit.cli.search import Format


def eval_command(
    index: Annotated[
        str,
        typer.Argument(metavar="INDEX|CONFIG", help="The index: its folder, its name, or the config that builds it."),
    ],
    queries: Annotated[
        Path, typer.Option(metavar="FILE", help="Questions with qrels, references or spans: an eval set.")
    ],
    qrels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Judgments in TREC's form, by the questions' ids.")
    ] = None,
    leg: Annotated[
        list[str] | None,
        typer.Option(
            envvar="LLMKIT_INDEX_EVAL_LEG", help="lexical, dense, tfidf, hybrid or configured; may be repeated."
        ),
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", envvar="LLMKIT_INDEX_EVAL_SET", help="Replace a key of 'retrieve'."),
    ] = None,
    depth: Annotated[int, typer.Option(min=1, help="How many chunks are ranked.")] = 1000,
    baseline: Annotated[
        Path | None, typer.Option(metavar="REPORT", help="An earlier report (JSON) to compare with.")
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            envvar="LLMKIT_INDEX_EVAL_FAIL_IF",
            help="Exit with 1 where this holds: 'hybrid.ndcg@10 < baseline - 0.01'.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report (JSON) there too.")] = None,
    output_format: Annotated[
        Format, typer.Option("--format", envvar="LLMKIT_INDEX_EVAL_FORMAT", help="What to print on stdout.")
    ] = Format.text,
) -> int:
    """Measure an index on questions, each leg beside the others; compare with an earlier report; fail where it must."""
    from llmkit.cli._streams import say
    from llmkit.flows.index.evaluate import against, evaluate_index
    from llmkit.flows.index.fail_if import judge_rule
    from llmkit.flows.index.queries import read_queries
    from llmkit.flows.opening import search_overrides
    from llmkit.store import write_text

    rows = read_queries(queries, qrels)
    base = None if baseline is None else _report_of(baseline)
    report = evaluate_index(index, rows, legs=leg or (), settings=search_overrides(override or []), depth=depth)
    compared = None if base is None else against(report, base)
    verdicts = [judge_rule(rule, report, compared) for rule in fail_if or ()]
    report["compared"] = compared
    report["gate"] = [{"rule": one.rule, "failed": one.failed, "why": one.why} for one in verdicts]
    text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
    if out is not None:
        write_text(out, text)
    if output_format is Format.json:
        sys.stdout.write(text)
    else:
        _print(report)
    for one in verdicts:
        say(f"{'error: failed' if one.failed else 'passed'}: {one.rule}: {one.why}")
    return 1 if any(one.failed for one in verdicts) else 0


def _report_of(path: Path) -> dict[str, Any]:
    from llmkit.errors import UsageError

    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:
        raise UsageError(f"{path} is no report: it is not JSON") from error
    return found if isinstance(found, dict) else {}


def _print(report: dict[str, Any]) -> None:
    legs = report["legs"]
    names = list(dict.fromkeys(name for one in legs.values() for name in one["metrics"]))
    rows = [["", *legs]]
    compared = report["compared"] or {}
    for name in names:
        cells = []
        for leg, one in legs.items():
            entry = one["metrics"].get(name)
            cells.append("-" if entry is None else f"{entry['value']:.4f}{_change(compared.get(leg, {}).get(name))}")
        rows.append([name, *cells])
    rows += [
        [f"latency {share}", *(f"{one['latency_ms'][share]:.1f} ms" for one in legs.values())]
        for share in ("p50", "p90", "p99")
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        first, *rest = (
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        sys.stdout.write("  ".join((first, *rest)).rstrip() + "\n")
    meta, coverage, cost = report["index"], report["coverage"], report["cost"]
    sys.stdout.write(
        f"\n{report['queries']:,} questions, {meta['documents']:,} documents, {meta['chunks']:,} chunks, generation "
        f"{meta['generation']}; {cost['bytes_per_chunk']:,} bytes a chunk\n"
    )
    if coverage["gold_documents"]:
        sys.stdout.write(
            f"{coverage['gold_indexed']:,} of {coverage['gold_documents']:,} right documents are indexed\n"
        )
    told = [f"{coverage[name]:,} {name.replace('_', ' ')}" for name in _TOLD if coverage[name]]
    if told:
        sys.stdout.write(", ".join(told) + "\n")


_TOLD = ("truncated_chunks", "duplicate_chunks", "empty_chunks", "documents_without_chunks")


def _change(one: dict[str, Any] | None) -> str:
    if one is None:
        return ""
    interval = "" if one["low"] is None else f" [{one['low']:+.3f}, {one['high']:+.3f}]"
    return f" {one['difference']:+.4f}{interval}"
