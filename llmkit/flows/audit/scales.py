"""Which kind of labels there are, and both sides put on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from llmkit.flows.labels import Value

Kind: TypeAlias = Literal["nominal", "ordinal", "interval"]

_NUMBERS = 0.9
"""Where so many of the labels are numbers, the others are no labels."""

_STEPS = 11
"""Whole numbers of at most so many values are steps; more are numbers."""


@dataclass
class Scale:
    """The scale that verdicts and labels lie on.

    Attributes:
        kind: Names, steps in an order, or numbers.
        said: How that is known, in a sentence's tail.
        labels: All labels, lowest first; None for those that occur.
        numbers: Whether labels are numbers.
        shared: Whether judge and people use the same scale, so that a difference of theirs means something.
        off: Values that are no label, by side.
    """

    kind: Kind
    said: str
    labels: tuple[Any, ...] | None
    numbers: bool
    shared: bool = True
    off: dict[str, Counter[str]] = field(default_factory=dict)

    def read(self, values: Sequence[Value], side: str) -> list[Any]:
        """Return values as labels of this scale, None for those that are none; these are counted."""
        off = self.off.setdefault(side, Counter())
        known = None if self.labels is None else {_folded(label): label for label in self.labels}
        found: list[Any] = []
        for value in values:
            label: Any = value
            if value is not None and known is not None:
                label = known.get(_folded(value))
            elif value is not None and self.numbers and isinstance(value, str):
                label = None
            elif value is not None and not self.numbers:
                label = text_of(value)
            if label is None and value is not None:
                off[text_of(value)] += 1
            found.append(label)
        return found


def text_of(value: Any) -> str:
    """Return a label as text."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _folded(value: Any) -> str:
    return text_of(value).casefold()


def resolve(
    verdicts: Sequence[Value],
    people: Sequence[Value],
    *,
    asked: Kind | None,
    labels: Sequence[str],
    bounds: tuple[float, float] | None = None,
) -> Scale:
    """Return the scale of verdicts and people's labels: as asked for, else as they look."""
    if labels:
        given = [_number(label) for label in labels]
        numbers = all(isinstance(one, float) for one in given)
        kind = asked or ("nominal" if len(labels) == 2 else "ordinal")  # noqa: PLR2004 - yes and no
        return Scale(kind, "the config lists the labels", tuple(given if numbers else labels), numbers)
    present = [value for value in (*verdicts, *people) if value is not None]
    floats = sum(isinstance(value, float) for value in present)
    numbers = floats >= _NUMBERS * len(present)
    if asked in {"ordinal", "interval"}:
        numbers = True
    if not numbers:
        return Scale("nominal", "the labels are text", None, False)
    mine = [value for value in verdicts if isinstance(value, float)]
    theirs = [value for value in people if isinstance(value, float)]
    distinct = set(mine) | set(theirs)
    shared = not mine or not theirs or _same_range(mine, theirs, bounds)
    kind, said = _of_numbers(distinct, shared=shared) if asked is None else (asked, "the config says so")
    return Scale(kind, said, None, True, shared)


def _of_numbers(distinct: set[float], *, shared: bool) -> tuple[Kind, str]:
    """Return which kind of labels numbers are, and how that is known."""
    if not shared:
        return "interval", "judge and people use different numbers"
    if len(distinct) <= 2:  # noqa: PLR2004 - yes and no
        return "nominal", "there are two labels"
    if len(distinct) <= _STEPS and all(value == int(value) for value in distinct):
        return "ordinal", f"the labels are {len(distinct)} whole numbers"
    if distinct == {0.0, 0.5, 1.0}:
        return "ordinal", "the labels are loss, tie and win"
    return "interval", "the labels are numbers"


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _same_range(mine: list[float], theirs: list[float], bounds: tuple[float, float] | None) -> bool:
    """Whether a judge's numbers look like people's: within their range, and not all in a small part of it."""
    low, high = min(theirs), max(theirs)
    span = high - low
    if bounds is not None and (low < bounds[0] or high > bounds[1]):
        return False
    if bounds is not None and span:
        return span > (bounds[1] - bounds[0]) / 4
    least, most = min(mine), max(mine)
    if not span:
        return low - 1 <= least and most <= low + 1
    within = low - span / 2 <= least and most <= high + span / 2
    squeezed = most - least <= span / 4 and len(set(mine)) > 2  # noqa: PLR2004 - two values are no scale of their own
    return within and not squeezed


def together(labels: Sequence[Any], scale: Scale) -> Any:
    """Return what several people say of one row: their mean, lower median or majority, as the scale allows.

    None where nobody labelled, or where two labels are named equally often.
    """
    given = [label for label in labels if label is not None]
    if len(given) <= 1:
        return given[0] if given else None
    if scale.kind == "interval":
        return sum(given) / len(given)
    if scale.kind == "ordinal":
        order = given if scale.labels is None else [scale.labels.index(label) for label in given]
        middle = sorted(order)[(len(order) - 1) // 2]
        return middle if scale.labels is None else scale.labels[middle]
    counts = Counter(given).most_common(2)
    return None if len(counts) > 1 and counts[0][1] == counts[1][1] else counts[0][0]
