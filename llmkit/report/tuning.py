"""What `llmkit index tune` found, as a table and as a drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_WIDTH, _HEIGHT, _PAD = 640, 400, 48
_FONT = 'font-family="sans-serif" font-size="11"'
_HEADS = ("back-end", "recall@10", "p50 ms", "p99 ms", "1 %", "10 %", "50 %", "nDCG@10", "build s", "MB", "+1,000 s")


def table_lines(report: Mapping[str, Any]) -> list[str]:
    """Return the points as lines of a Markdown table, the quickest first; what no other beats in both is marked."""
    points = sorted(report["points"], key=lambda point: point["p50"])
    best = {point["spec"] for point in frontier(points)}
    exact = next((point["ndcg"] for point in points if point["spec"] == "exact"), None)
    rows = [_row(point, exact, marked=point["spec"] in best) for point in points]
    return [_line(_HEADS), "|" + "---|" * len(_HEADS), *map(_line, rows)]


def frontier(points: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the points that no other beats in both recall and time, the quickest first."""
    found: list[Mapping[str, Any]] = []
    for point in sorted(points, key=lambda one: (one["p50"], -one["recall"])):
        if not found or point["recall"] > found[-1]["recall"]:
            found.append(point)
    return found


def curve_svg(report: Mapping[str, Any]) -> str:
    """Return recall against searches a second (logarithmic) as an SVG drawing."""
    points = report["points"]
    rates = [math.log10(1000 / max(point["p50"], 1e-6)) for point in points]
    low, high = math.floor(min(rates)), math.ceil(max(rates) + 1e-9)
    least: float = min(0.9, math.floor(min(point["recall"] for point in points) * 10) / 10)

    def x(rate: float) -> float:
        return _PAD + (rate - low) / max(1, high - low) * (_WIDTH - 2 * _PAD)

    def y(recall: float) -> float:
        return _HEIGHT - _PAD - (recall - least) / (1 - least) * (_HEIGHT - 2 * _PAD)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT}>',
        f"<title>recall@10 of {report['count']} questions, {report['vectors']:,} vectors</title>",
    ]
    for power in range(low, high + 1):
        parts.append(f'<line x1="{x(power):.1f}" x2="{x(power):.1f}" y1="{_PAD}" y2="{_HEIGHT - _PAD}" stroke="#ddd"/>')
        parts.append(f'<text x="{x(power):.1f}" y="{_HEIGHT - _PAD + 16}" text-anchor="middle">{10**power:,g}</text>')
    for tenth in range(round(least * 10), 11):
        parts.append(
            f'<line x1="{_PAD}" x2="{_WIDTH - _PAD}" y1="{y(tenth / 10):.1f}" y2="{y(tenth / 10):.1f}" stroke="#ddd"/>'
        )
        parts.append(f'<text x="{_PAD - 6}" y="{y(tenth / 10) + 4:.1f}" text-anchor="end">{tenth / 10:g}</text>')
    edge = sorted(frontier(points), key=lambda point: point["p50"])
    path = " ".join(f"{x(math.log10(1000 / max(p['p50'], 1e-6))):.1f},{y(p['recall']):.1f}" for p in edge)
    parts.append(f'<polyline points="{path}" fill="none" stroke="#2563eb"/>')
    for point, rate in zip(points, rates, strict=True):
        colour = "#dc2626" if point["spec"] == report["choice"] else "#2563eb"
        place = f'cx="{x(rate):.1f}" cy="{y(point["recall"]):.1f}"'
        parts.append(f'<circle {place} r="4" fill="{colour}"><title>{escape(point["spec"])}</title></circle>')
    parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 8}" text-anchor="middle">searches a second</text>')
    parts.append(
        f'<text x="14" y="{_HEIGHT / 2}" transform="rotate(-90 14 {_HEIGHT / 2})" text-anchor="middle">recall@10</text>'
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(point: Mapping[str, Any], exact: float | None, *, marked: bool) -> list[str]:
    ndcg = point["ndcg"]
    shown = "-" if ndcg is None else f"{ndcg:.4f}"
    if ndcg is not None and exact is not None and point["spec"] != "exact":
        shown += f" ({ndcg - exact:+.4f})"
    return [
        point["spec"] + (" *" if marked else ""),
        f"{point['recall']:.3f}",
        f"{point['p50']:.3f}",
        f"{point['p99']:.3f}",
        *(f"{value:.3f}" for value in point["filtered"].values()),
        shown,
        f"{point['build']:.2f}",
        f"{point['size'] / 1e6:.1f}",
        "-" if point["adding"] is None else f"{point['adding']:.2f}",
    ]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
