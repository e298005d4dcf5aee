"""Which rows a page holds, and how much of their texts: all of a small run, the telling ones of a large one.

Rows come by once, in dataset order. What lies in memory is bounded by the limits, whatever the size of the run.
"""

from __future__ import annotations

import heapq
import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeAlias

from llmkit.report._compact import Names, compact, cut, longest_text, values_of

MOST_ROWS = 10_000
LONGEST = 20_000
SHORTEST = 1_250
BUDGET = 24_000_000
"""Characters of JSON: a page of this size is written and opened in about a second."""

_Item: TypeAlias = tuple[tuple[float, ...], int, str, int]
"""What it is worth, its number, its JSON, and the length of its longest text before it was cut."""

_CHANGED, _ERROR, _SCORED, _UNSCORED = 3, 2, 1, 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a page may become.

    Attributes:
        rows: The most rows; half of them are kept for what is worth reading, half for a random sample of the rest.
        longest: Characters of one text; halved, down to ``shortest``, while the rows exceed the budget.
        budget: Characters of all rows together, as JSON; beyond it, with the shortest texts, there are fewer rows.
    """

    rows: int = MOST_ROWS
    longest: int = LONGEST
    shortest: int = SHORTEST
    budget: int = BUDGET


@dataclass(slots=True)
class Figures:
    """What is counted over all rows, those that are not kept included.

    Attributes:
        rows: How many came by.
        values: For each scorer the samples' values (means over repeats), undefined ones and those of reworded samples
            left out.
        base_values: The same of the other run.
        seconds: Latency of each answer that was waited for.
        costs: US dollars of each answer with a known price.
        graded: Scorers that gave a value other than 0 and 1; the others say yes or no.
    """

    rows: int = 0
    values: dict[str, array[float]] = field(default_factory=dict)
    base_values: dict[str, array[float]] = field(default_factory=dict)
    seconds: array[float] = field(default_factory=lambda: array("d"))
    costs: array[float] = field(default_factory=lambda: array("d"))
    graded: set[str] = field(default_factory=set)


class KeptRows:
    """Takes every row of a run; keeps changed and failed ones, the worst, and a seeded sample of the rest."""

    def __init__(
        self, names: Names, *, changed: Sequence[str] = (), seed: int = 0, limits: Limits | None = None
    ) -> None:
        limits = limits or Limits()
        self.figures = Figures(
            values={name: array("d") for name in names.scorers},
            base_values={name: array("d") for name in names.scorers},
        )
        self.longest = limits.longest
        self._limits = limits
        self._most = limits.rows
        self._names = names
        self._rank = {sample_id: len(changed) - place for place, sample_id in enumerate(changed)}
        self._seed = str(seed).encode()
        self._size = 0
        self._telling: list[_Item] = []
        self._others: list[_Item] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row and keep it if it is among those worth keeping."""
        number = self.figures.rows = self.figures.rows + 1
        values = values_of(row.get("scores") or {}, self._names.scorers)
        self._count(row, values)
        drawn = self._drawn(str(row["id"]))
        key = (*self._worth(row, values), drawn)
        telling = len(self._telling) < self._most // 2 or key > self._telling[0][0]
        if not telling and not self._has_room((drawn,)):
            return
        small = compact(row, self._names, values, number)
        length = longest_text(small)
        item = (key, number, _dumps(small if length <= self.longest else cut(small, self.longest)), length)
        self._size += len(item[2])
        if telling:
            heapq.heappush(self._telling, item)
        else:
            self._keep_at_random(item)
        while len(self._telling) > self._most // 2:
            self._keep_at_random(heapq.heappop(self._telling))
        self._shrink()

    def rows(self) -> list[str]:
        """Return the kept rows as JSON, in dataset order."""
        kept = [(number, text) for _, number, text, _ in (*self._telling, *self._others)]
        return [text for _, text in sorted(kept)]

    def _has_room(self, key: tuple[float, ...]) -> bool:
        return len(self._others) < self._most - self._most // 2 or key > self._others[0][0]

    @property
    def was_cut(self) -> bool:
        """Whether a text of the kept rows is not whole."""
        return any(length > self.longest for *_, length in (*self._telling, *self._others))

    def _keep_at_random(self, item: _Item) -> None:
        key, number, text, length = item
        heapq.heappush(self._others, ((key[-1],), number, text, length))
        while len(self._others) > self._most - self._most // 2:
            self._size -= len(heapq.heappop(self._others)[2])

    def _shrink(self) -> None:
        """Make shorter texts, then fewer rows, while all together are too many."""
        while self._size > self._limits.budget and self.longest > self._limits.shortest:
            self.longest = max(self.longest // 2, self._limits.shortest)
            for heap in (self._telling, self._others):
                heap[:] = [self._shorter(*item) for item in heap]
            self._size = sum(len(text) for heap in (self._telling, self._others) for _, _, text, _ in heap)
        while self._size > self._limits.budget and self._most > 2:  # noqa: PLR2004 - one of either kind stays
            self._most = max(2, min(self._most, len(self._telling) + len(self._others)) * 9 // 10)
            while len(self._telling) > self._most // 2:
                self._keep_at_random(heapq.heappop(self._telling))
            while len(self._others) > self._most - self._most // 2:
                self._size -= len(heapq.heappop(self._others)[2])

    def _shorter(self, key: tuple[float, ...], number: int, text: str, length: int) -> _Item:
        return key, number, text if length <= self.longest else _dumps(cut(json.loads(text), self.longest)), length

    def _count(self, row: Mapping[str, Any], values: Sequence[float | None]) -> None:
        figures = self.figures
        if not row.get("perturbation"):
            for name, value in zip(self._names.scorers, values, strict=True):
                if value is not None:
                    figures.values[name].append(value)
        for name, scores in (row.get("scores") or {}).items():
            if name not in figures.graded and any(score.get("value") not in {None, 0, 1} for score in scores):
                figures.graded.add(name)
        outputs = row.get("outputs") or ()
        figures.seconds.extend(output["latency"] for output in outputs if output.get("latency"))
        figures.costs.extend(output["cost"] for output in outputs if output.get("cost") is not None)
        if row.get("base") and not row.get("perturbation"):
            base = values_of(row["base"].get("scores") or {}, self._names.scorers)
            for name, value in zip(self._names.scorers, base, strict=True):
                if value is not None:
                    figures.base_values[name].append(value)

    def _worth(self, row: Mapping[str, Any], values: Sequence[float | None]) -> tuple[float, float]:
        if row["id"] in self._rank:
            return _CHANGED, self._rank[row["id"]]
        if any(output.get("error") for output in row.get("outputs") or ()):
            return _ERROR, 0.0
        if any(score.get("status") == "error" for scores in (row.get("scores") or {}).values() for score in scores):
            return _ERROR, 0.0
        for value, better in zip(values, self._names.better, strict=True):
            if better and value is not None:
                return _SCORED, -better * value
        return _UNSCORED, 0.0

    def _drawn(self, sample_id: str) -> int:
        digest = blake2b(sample_id.encode("utf-8", "surrogatepass"), digest_size=6, key=self._seed[:64]).digest()
        return int.from_bytes(digest, "big")


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
