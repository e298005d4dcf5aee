"""Small drawings for a page, as inline SVG: intervals on an axis, histograms, reliability diagrams.

Positions are percentages, so a drawing is as wide as its place. Colours are classes of the page's style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

BINS = 20
_STRIP, _HISTOGRAM, _SQUARE = 22, 88, 260
_PAD = 3.0
"""Per cent of the width that stay free on either side, so that a mark at the end of the axis is whole."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From where to where a drawing goes, ``low`` < ``high``."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return where a value lies, in per cent of the width; what lies outside stands at the end."""
        share = (value - self.low) / (self.high - self.low)
        return _PAD + min(max(share, 0.0), 1.0) * (100 - 2 * _PAD)


UNIT = Axis(0.0, 1.0)


def axis_of(values: Sequence[float | None]) -> Axis:
    """Return a round axis that holds the values: 0 to 1 where they fit, else from 0 where that is no waste."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if low >= 0 and high <= 1:
        return UNIT
    if low >= 0:
        return Axis(0.0, _ceiling(high))
    reach = _ceiling(max(-low, high))
    return Axis(-reach, reach if high > 0 else 0.0)


def small_axis_of(values: Sequence[float]) -> Axis:
    """Return a round axis from 0 that holds the values, of whatever size; 0 to 1 where they have spread over it."""
    high = max(values, default=1.0)
    if min(values, default=0.0) < 0 or high <= 0:
        return axis_of(values)
    return UNIT if 0.5 < high <= 1 else Axis(0.0, _ceiling(high))  # noqa: PLR2004 - over half of it


def around_zero(values: Sequence[float | None]) -> Axis:
    """Return a round axis with 0 in the middle."""
    reach = max((abs(value) for value in values if value is not None and math.isfinite(value)), default=0.0)
    reach = _ceiling(reach) if reach else 1.0
    return Axis(-reach, reach)


def _ceiling(value: float) -> float:
    """Return the next of 1, 2, 2.5, 5, 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * (1 - 1e-12))


def tick(value: float) -> str:
    """Return a number of an axis as text."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004


def scale(axis: Axis) -> str:
    """Return the numbers of an axis, to stand above strips."""
    return f'<svg class="strip" width="100%" height="14" aria-hidden="true">{"".join(_ticks(axis, 11))}</svg>'


def _ticks(axis: Axis, y: int) -> list[str]:
    return [
        f'<text class="tick" x="{axis.at(value):.2f}%" y="{y}" text-anchor="middle">{tick(value)}</text>'
        for value in (axis.low, (axis.low + axis.high) / 2, axis.high)
    ]


def strip(
    entry: Mapping[str, Any],
    axis: Axis,
    *,
    other: Mapping[str, Any] | None = None,
    zero: bool = False,
    margin: float | None = None,
    kind: str = "",
) -> str:
    """Return one line of a forest plot: the interval, the value as a dot, and an earlier one below it, hollow.

    ``zero`` marks the middle of a difference; ``margin`` shades what counts as no change on either side of it. It is
    hidden from screen readers: the numbers stand beside it.
    """
    middle = _STRIP / 2
    ends = (axis.low, (axis.low + axis.high) / 2, axis.high)
    parts = [_line(axis.at(value), 0, axis.at(value), _STRIP, "grid") for value in ends]
    if margin:
        left, right = axis.at(-margin), axis.at(margin)
        parts.append(f'<rect class="margin" x="{left:.2f}%" y="0" width="{right - left:.2f}%" height="{_STRIP}"/>')
    if zero and axis.low <= 0 <= axis.high:
        parts.append(_line(axis.at(0), 0, axis.at(0), _STRIP, "zero"))
    if other is not None and other.get("value") is not None:
        parts += _mark(other, axis, middle + 6, "was")
        middle -= 4
    if entry.get("value") is not None:
        parts += _mark(entry, axis, middle, f"is {kind}".strip())
    return f'<svg class="strip" width="100%" height="{_STRIP}" aria-hidden="true">{"".join(parts)}</svg>'


def _mark(entry: Mapping[str, Any], axis: Axis, y: float, name: str) -> list[str]:
    parts = []
    low, high = entry.get("low"), entry.get("high")
    if low is not None and high is not None:
        parts.append(_line(axis.at(low), y, axis.at(high), y, f"interval {name}"))
        parts += [_line(axis.at(end), y - 3, axis.at(end), y + 3, f"interval {name}") for end in (low, high)]
    parts.append(f'<circle class="{name}" cx="{axis.at(entry["value"]):.2f}%" cy="{y:g}" r="3.5"/>')
    return parts


def _line(x1: float, y1: float, x2: float, y2: float, name: str) -> str:
    return f'<line class="{name}" x1="{x1:.2f}%" y1="{y1:g}" x2="{x2:.2f}%" y2="{y2:g}"/>'


def bins_of(values: Sequence[float], axis: Axis) -> list[int]:
    """Return how many values lie in each of `BINS` bins; a bin holds its lower edge, the last one both."""
    counts = [0] * BINS
    width = axis.high - axis.low
    for value in values:
        place = int((value - axis.low) / width * BINS)
        counts[min(max(place, 0), BINS - 1)] += 1
    return counts


def histogram(values: Sequence[float], axis: Axis, label: str, *, other: Sequence[float] = ()) -> str:
    """Return bars of how often values lie where; the outline shows another run, scaled to as many rows."""
    counts, before = bins_of(values, axis), bins_of(other, axis)
    ratio = len(values) / len(other) if other else 0.0
    top = max([*counts, *(count * ratio for count in before), 1])
    step = (100 - 2 * _PAD) / BINS
    floor = _HISTOGRAM - 16
    parts = []
    for place, count in enumerate(counts):
        if count:
            height = max(count / top * (floor - 2), 1.5)
            parts.append(
                f'<rect class="bar" x="{_PAD + place * step:.2f}%" y="{floor - height:.1f}" '
                f'width="{step - 0.5:.2f}%" height="{height:.1f}"/>'
            )
    for place, count in enumerate(before):
        if count:
            y = floor - max(count * ratio / top * (floor - 2), 1.5)
            parts.append(_line(_PAD + place * step, y, _PAD + (place + 1) * step - 0.5, y, "was-level"))
    parts.append(_line(_PAD, floor + 0.5, 100 - _PAD, floor + 0.5, "axis"))
    parts += _ticks(axis, _HISTOGRAM - 2)
    return (
        f'<svg class="histogram" width="100%" height="{_HISTOGRAM}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def reliability(rows: Sequence[Sequence[Any]], label: str) -> str:
    """Return a reliability diagram: for each bin its mean confidence against its accuracy, larger for more rows.

    ``rows`` are those of the metric's table: confidence, rows, mean, accuracy.
    """
    side, pad = _SQUARE, 30
    room = side - pad - 10

    def x(value: float) -> float:
        return pad + value * room

    def y(value: float) -> float:
        return side - pad - value * room

    parts = [f'<rect class="frame" x="{pad}" y="10" width="{room}" height="{room}"/>']
    for value in (0.25, 0.5, 0.75):
        parts.append(f'<line class="grid" x1="{x(value):g}" y1="10" x2="{x(value):g}" y2="{side - pad}"/>')
        parts.append(f'<line class="grid" x1="{pad}" y1="{y(value):g}" x2="{side - 10}" y2="{y(value):g}"/>')
    parts.append(f'<line class="diagonal" x1="{x(0):g}" y1="{y(0):g}" x2="{x(1):g}" y2="{y(1):g}"/>')
    known = [(row[1], row[2], row[3]) for row in rows if row[2] is not None and row[3] is not None]
    for _, mean, share in known:
        parts.append(
            f'<line class="gap" x1="{x(mean):.1f}" y1="{y(mean):.1f}" x2="{x(mean):.1f}" y2="{y(share):.1f}"/>'
        )
    path = " ".join(f"{x(mean):.1f},{y(share):.1f}" for _, mean, share in known)
    parts.append(f'<polyline class="curve" points="{path}"/>')
    largest = max((count for count, _, _ in known), default=1)
    for count, mean, share in known:
        radius = 2.5 + 5 * math.sqrt(count / largest)
        parts.append(f'<circle class="point" cx="{x(mean):.1f}" cy="{y(share):.1f}" r="{radius:.1f}"/>')
    for value in (0, 0.5, 1):
        parts.append(f'<text class="tick" x="{x(value):g}" y="{side - pad + 14}" text-anchor="middle">{value:g}</text>')
        parts.append(f'<text class="tick" x="{pad - 5}" y="{y(value) + 4:g}" text-anchor="end">{value:g}</text>')
    parts.append(f'<text class="tick" x="{x(0.5):g}" y="{side - 2}" text-anchor="middle">mean confidence</text>')
    return (
        f'<svg class="reliability" viewBox="0 0 {side} {side}" width="{side}" height="{side}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )
