"""`llmkit index eval`: how well an index finds what is right."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from llmkit.cli._formats import PageFormat
from llmkit.cli._options import Named, Qrels, Queries, replaced, shown


def eval_command(
    index: Named,
    queries: Queries,
    qrels: Qrels = None,
    leg: Annotated[
        list[str] | None,
        typer.Option(
            envvar="LLMKIT_INDEX_EVAL_LEG", help="lexical, dense, tfidf, hybrid or configured; may be repeated."
        ),
    ] = None,
    override: Annotated[list[str] | None, replaced("INDEX_EVAL", "a key of 'retrieve'")] = None,
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
    slices: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            metavar="FIELD",
            envvar="LLMKIT_INDEX_EVAL_SLICE",
            help="A table for each value of this field of the questions; may be repeated.",
        ),
    ] = None,
    worst: Annotated[int, typer.Option(min=0, help="How many of the questions that fare worst are listed.")] = 10,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report (JSON) there too.")] = None,
    page: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write the report there as .md or .html, for people."),
    ] = None,
    output_format: Annotated[PageFormat, shown("INDEX_EVAL")] = PageFormat.text,
) -> int:
    """Measure an index on questions, each leg beside the others; compare with an earlier report; fail where it must."""
    from llmkit.cli._streams import say
    from llmkit.errors import UsageError
    from llmkit.flows.index.compared import against, groups_of, sliced
    from llmkit.flows.index.evaluate import evaluate_index
    from llmkit.flows.index.fail_if import check_slice, judge_rules, read_rule
    from llmkit.flows.index.queries import read_queries
    from llmkit.flows.opening import search_overrides
    from llmkit.store import write_text

    rules = [read_rule(rule) for rule in fail_if or ()]
    if baseline is None and any(rule.baseline for rule in rules):
        raise UsageError("a rule of --fail-if speaks of a baseline; name one with --baseline")
    if page is not None and page.suffix not in {".md", ".html"}:
        raise UsageError(f"--report {page}: give a name that ends in .md or .html (--out writes JSON)")
    rows = read_queries(queries, qrels)
    base = None if baseline is None else _report_of(baseline)
    fields = [*(slices or ()), *(rule.slice[0] for rule in rules if rule.slice is not None)]
    groups = {field: groups_of(rows, field) for field in fields}
    for rule in rules:
        check_slice(rule, groups)
    report = evaluate_index(
        index, rows, legs=leg or (), settings=search_overrides(override or []), depth=depth, worst_shown=worst
    )
    report["compared"] = compared = None if base is None else against(report, base)
    report["slices"] = sliced(report, rows, fields, base)
    verdicts, problems = judge_rules([rule.written for rule in rules], report, compared)
    report["gate"] = [{"rule": one.rule, "failed": one.failed, "why": one.why} for one in verdicts]
    text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
    if out is not None:
        write_text(out, text)
    if page is not None:
        from llmkit.report.index_eval import index_eval_sections

        write_text(page, _written(index_eval_sections(report), page.suffix))
    if output_format is PageFormat.json:
        sys.stdout.write(text)
    else:
        _print(report, output_format)
    for one in verdicts:
        say(f"{'error: failed' if one.failed else 'passed'}: {one.rule}: {one.why}")
    if problems:
        raise UsageError("\n".join(problems))
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


def _print(report: dict[str, Any], output_format: PageFormat) -> None:
    from llmkit.report.index_eval import index_eval_sections

    sections = index_eval_sections(report)
    if output_format is PageFormat.text:
        from llmkit.cli._talk import stdout_console
        from llmkit.report.section import print_sections

        print_sections(sections, stdout_console(), items=None)
    else:
        sys.stdout.write(_written(sections, f".{output_format}"))


def _written(sections: Any, suffix: str) -> str:
    from llmkit.report.section import sections_html, sections_markdown

    if suffix == ".html":
        return sections_html(sections, over="llmkit index eval").encode("utf-8", "backslashreplace").decode()
    return sections_markdown(sections)
