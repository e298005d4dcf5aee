"""The report of `llmkit index eval`: legs side by side, the baseline, slices, and the questions that fare worst."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmkit.report.section import Section

_MAIN = (
    "ndcg@10",
    "mrr",
    "recall_at@10",
    "success@1",
    "success@5",
    "success@20",
    "span_recall@1000",
    "span_precision@1000",
)
"""Metrics that a slice shows; JSON has all."""

_TOLD = ("truncated_chunks", "duplicate_chunks", "empty_chunks", "documents_without_chunks")


def index_eval_sections(report: Mapping[str, Any]) -> list[Section]:
    """Return a report of `llmkit.flows.index.evaluate.evaluate_index` as sections."""
    found = [_legs(report)]
    if report.get("compared"):
        found.append(Section("Against the baseline", tables=[_compared("metric", _changes("", report["compared"]))]))
    found += [_slice(field, values) for field, values in (report.get("slices") or {}).items()]
    if report.get("worst"):
        found.append(_worst(report))
    gate = report.get("gate") or ()
    if gate:
        lines = [f"{'! failed' if one['failed'] else 'passed'}: {one['rule']}: {one['why']}" for one in gate]
        found.append(Section("Gate", lines))
    return found


def _legs(report: Mapping[str, Any]) -> Section:
    legs, meta, coverage = report["legs"], report["index"], report["coverage"]
    names = list(dict.fromkeys(name for one in legs.values() for name in one["metrics"]))
    rows = []
    for name in names:
        entries = [one["metrics"].get(name) for one in legs.values()]
        n = max(entry["n"] for entry in entries if entry is not None)
        rows.append([name, f"{n:,}", *(_cell(entry, 4) for entry in entries)])
    rows += [
        [f"latency {share}", f"{report['queries']:,}", *(f"{one['latency_ms'][share]:.1f} ms" for one in legs.values())]
        for share in ("p50", "p90", "p99")
    ]
    what = f"{report['queries']:,} questions, {meta['documents']:,} documents, {meta['chunks']:,} chunks"
    lines = [f"{what}, generation {meta['generation']}; {report['cost']['bytes_per_chunk']:,} bytes a chunk"]
    if coverage["gold_documents"]:
        lines.append(f"{coverage['gold_indexed']:,} of {coverage['gold_documents']:,} right documents are indexed")
    told = [f"{coverage[name]:,} {name.replace('_', ' ')}" for name in _TOLD if coverage[name]]
    return Section(f"Index {meta['name']}", [*lines, *([", ".join(told)] if told else [])], [(("", "n", *legs), rows)])


def _changes(
    first: str, compared: Mapping[str, Any], only: Sequence[str] | None = None, mark: str = ""
) -> Iterator[list[str]]:
    for leg, metrics in compared.items():
        for name, one in metrics.items():
            if only is not None and name not in only:
                continue
            interval = "-" if one["low"] is None else f"{one['low']:+.4f} to {one['high']:+.4f}"
            p = "-" if one["p"] is None else f"{one['p']:.3f}"
            now = one["base"] + one["difference"]
            row = [leg, f"{one['base']:.4f}", f"{now:.4f}", f"{one['difference']:+.4f}", interval, p, f"{one['n']:,}"]
            yield [*([first] if first else []), f"{name}{mark}", *row]


def _compared(first: str, rows: Iterator[list[str]]) -> tuple[Sequence[str], list[list[str]]]:
    heads = (first, "leg", "base", "now", "difference", "interval", "p", "n")
    return (heads if first == "metric" else (first, "metric", *heads[1:])), list(rows)


def _slice(field: str, values: Mapping[str, Any]) -> Section:
    names = {name for part in values.values() for metrics in part["legs"].values() for name in metrics}
    main = [name for name in _MAIN if name in names] or sorted(names)
    rows: list[list[str]] = []
    for value, part in values.items():
        for leg, metrics in part["legs"].items():
            cells = [_cell(metrics.get(name)) for name in main]
            rows.append([_marked(value, part), f"{part['n']:,}", leg, *cells])
    section = Section(f"By {field}", tables=[((field, "n", "leg", *main), rows)])
    if any(part["small"] for part in values.values()):
        section.lines.append(
            "(few): fewer than 30 scored questions; their intervals are wide, and a single one moves the value"
        )
    changes = [
        row
        for value, part in values.items()
        for row in _changes(_marked(value, part), part.get("compared") or {}, main)
    ]
    if changes:
        section.tables.append(_compared(field, iter(changes)))
    return section


def _marked(value: str, part: Mapping[str, Any]) -> str:
    return f"{value} (few)" if part["small"] else value


def _cell(entry: Mapping[str, Any] | None, places: int = 3) -> str:
    if entry is None:
        return "-"
    ends = None if entry["low"] is None else [f"{entry[end]:.{places - 1}f}" for end in ("low", "high")]
    return f"{entry['value']:.{places}f}{'' if ends is None else f' [{ends[0]}, {ends[1]}]'}"


def _worst(report: Mapping[str, Any]) -> Section:
    section = Section("Questions that fare worst")
    section.lines.append("where the first right document, answer or span stands in each leg, and what stood first")
    for one in report["worst"]:
        right = ", ".join(one["right"][:3]) + (", ..." if len(one["right"]) > 3 else "")  # noqa: PLR2004
        lines = [f"right {one['by']}: {right}"]
        for leg, found in one["legs"].items():
            lines.append(f"{leg}: {_placed(one['by'], found['rank'], report)}{_top(found)}")
        section.items.append((f"{one['id']}: {one['question']}", lines))
    return section


def _placed(by: str, rank: int | None, report: Mapping[str, Any]) -> str:
    if rank is not None:
        return f"rank {rank:,}"
    depth = report["answers_looked_for"] if by == "answer" else report["depth"]
    return f"not among the first {depth:,} passages"


def _top(found: Mapping[str, Any]) -> str:
    top = found["top"]
    if top is None:
        return "; nothing was found"
    if found["rank"] == 1:
        return ""
    return f"; first stood {top['path']}[{top['start']}:{top['end']}] {top['text']}"
