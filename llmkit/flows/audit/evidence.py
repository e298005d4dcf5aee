"""What an audit knows of each row: the verdict, people's labels, and what the answer looks like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmkit.flows.labels import Value
from llmkit.types import Sample

_LIST = re.compile(r"^[ \t]*(?:[-*+•]|\d+[.)])[ \t]+\S", re.MULTILINE)
_MARKUP = re.compile(r"^#{1,6} \S|\*\*[^*\n]+\*\*|^```|^\|.*\|", re.MULTILINE)
_KEPT = 400
"""Characters of texts that are kept to show."""


@dataclass(slots=True)
class Row:
    """One verdict as it comes, before it is counted.

    Attributes:
        sample: The row.
        answer: The answer that was judged; None where it is not known.
        verdict: The verdict; None where there is none, and ``fault`` says why.
        reason: The judge's.
        repeats: All verdicts on this same answer, where there are several.
        swapped: The verdict on the same comparison in the other order.
        games: Of a comparison in both orders: the preference for the answer where it came first, and where second.
        other: The other answer of a comparison.
        probes: What the judge says of changed answers, by the name of the change.
    """

    sample: Sample
    answer: str | None
    verdict: Value
    fault: str = ""
    reason: str = ""
    repeats: tuple[Value, ...] = ()
    swapped: Value = None
    games: tuple[float, float] | None = None
    other: str | None = None
    probes: Mapping[str, Value] = field(default_factory=dict)


@dataclass
class Evidence:
    """Columns of equal length, one entry a row, in dataset order.

    Attributes:
        ids: Of the rows.
        verdicts: The judge's.
        people: Each annotator's label.
        fields: Of each row the values of the fields the audit groups by.
        length, lists, markup: What the answer looks like, of a comparison less the other answer; None where unknown.
        shown: What the rows say, cut to be shown.
        reasons: The judge's.
        repeats, swapped, games, probes: As in `Row`.
        faults: Why verdicts are missing.
    """

    names: Sequence[str] = ()
    ids: list[str] = field(default_factory=list)
    verdicts: list[Value] = field(default_factory=list)
    people: list[tuple[Value, ...]] = field(default_factory=list)
    fields: dict[str, list[str]] = field(default_factory=dict)
    length: list[float | None] = field(default_factory=list)
    lists: list[float | None] = field(default_factory=list)
    markup: list[float | None] = field(default_factory=list)
    shown: list[tuple[str, str]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    repeats: list[tuple[Value, ...]] = field(default_factory=list)
    swapped: list[Value] = field(default_factory=list)
    games: list[tuple[float, float] | None] = field(default_factory=list)
    probes: dict[str, list[Value]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, row: Row, labels: tuple[Value, ...], fields: Mapping[str, str]) -> None:
        """Take the next row."""
        self.ids.append(row.sample.id)
        self.verdicts.append(row.verdict)
        if row.verdict is None:
            self.faults[row.fault or "no verdict"] += 1
        self.people.append(labels)
        for name, value in fields.items():
            self.fields.setdefault(name, []).append(value)
        self._look(row.answer, row.other)
        self.shown.append((_cut(_question(row.sample)), _cut(row.answer or "")))
        self.reasons.append(row.reason)
        self.repeats.append(row.repeats)
        self.swapped.append(row.swapped)
        self.games.append(row.games)
        for name in row.probes:
            self.probes.setdefault(name, [None] * (len(self.ids) - 1))
        for name, column in self.probes.items():
            column.append(row.probes.get(name))

    def _look(self, answer: str | None, other: str | None) -> None:
        if answer is None:
            found: tuple[float | None, float | None, float | None] = (None, None, None)
        elif other is None:
            found = _looks(answer)
        else:
            mine, theirs = _looks(answer), _looks(other)
            found = (mine[0] - theirs[0], mine[1] - theirs[1], mine[2] - theirs[2])
        self.length.append(found[0])
        self.lists.append(found[1])
        self.markup.append(found[2])


def _looks(text: str) -> tuple[float, float, float]:
    return float(len(text)), float(_LIST.search(text) is not None), float(_MARKUP.search(text) is not None)


def _question(sample: Sample) -> str:
    if isinstance(sample.input, str):
        return sample.input
    return str(sample.input[-1].get("content", "")) if sample.input else ""


def _cut(text: str) -> str:
    return text if len(text) <= _KEPT else f"{text[:_KEPT]}…"


def number_in(value: Any) -> Value:
    """Return the one number in what a judge wrote; a range, several numbers or none are no verdict.

    ``2/3`` and ``2 out of 3`` are the first of the two, a grade and what it is out of.
    """
    if value is None or isinstance(value, (int, float)):
        return None if value is None else float(value)
    text = re.sub(r"(?<=\d)\s*(?:/|out of)\s*\d+(?:\.\d+)?", "", str(value))
    found = re.findall(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?![\w]|\.\d)", text)
    return float(found[0]) if len(found) == 1 else None


def first_digit(value: Any) -> Value:
    """Return the first digit after the last ``Rating:``, whatever follows it; ``1-3`` is skipped.

    That is how the program of Chiang and Lee (2023, Findings of EMNLP, "A Closer Look into Automatic Evaluation Using
    Large Language Models") comes to read scores; use it to reproduce such figures, and `number_in` for new ones.
    """
    found = re.search(r"\d", str(value).lower().replace("1-3", " ").split("rating:")[-1])
    return float(found[0]) if found else None
