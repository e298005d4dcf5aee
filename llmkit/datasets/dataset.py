"""An eval set: streamed, and readable again from the start."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmkit import jsonl
from llmkit.datasets import rows as row_rules
from llmkit.datasets import select
from llmkit.datasets._paths import near
from llmkit.datasets.fields import Fields
from llmkit.datasets.readers import Numbered
from llmkit.datasets.where import Where
from llmkit.errors import DataError, Problem
from llmkit.types import Sample

SHOWN = 20
"""How many problems a message lists before it says how many more there are."""

_QUESTION = ("id", "input", "messages", "references", "reference")


class Dataset:
    """The rows of a file or hub set as samples; make one with `open_dataset`.

    Attributes:
        source: The set as a user would name it: its path, or its hub name.
        path: The file; None for a hub set.
        skip_bad_rows: Whether rows that are wrong are left out (the census counts them) instead of refused.
    """

    def __init__(
        self,
        *,
        source: str,
        path: Path | None,
        read: Callable[[], Iterator[Numbered]],
        table: bool = False,
        fields: Fields | None = None,
        where: Where | None = None,
        limit: int | None = None,
        sample: tuple[int, int] | None = None,
        skip_bad_rows: bool = False,
    ) -> None:
        self.source = source
        self.path = path
        self.skip_bad_rows = skip_bad_rows
        self.where = where.source if where else ""
        self._read = read
        self._table = table
        self._fields = fields
        self._where = where
        self._limit = limit
        self._sample = sample
        self._drawn: frozenset[int] | None = None
        self._twins: frozenset[int] | None = None

    def __repr__(self) -> str:
        return f"Dataset({self.source!r})"

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples in the order of the file.

        Raises:
            DataError: rows are wrong (the rest of the file is read first, so that all are named), or there is no file.
        """
        items = self.walk()
        for item in items:
            if isinstance(item, Sample):
                yield item
            elif not self.skip_bad_rows:
                rest = (problem for problem in items if isinstance(problem, Problem))
                raise data_error([item, *rest])

    def walk(self) -> Iterator[Sample | Problem]:
        """Yield every sample, and every problem in its place. Equal rows without an id get ``-2``, ``-3``..."""
        times: Counter[str] = Counter()
        for item, generated in self.numbered():
            if isinstance(item, list):
                yield from item
            elif generated and hash(item.id) in self._known_twins():
                times[item.id] += 1
                number = times[item.id]
                yield item if number == 1 else replace(item, id=f"{item.id}-{number}")
            else:
                yield item

    def know_twins(self, hashes: Iterable[int]) -> None:
        """Remember ``hash(id)`` of the ids that several rows without an id share."""
        self._twins = frozenset(hashes)

    def _known_twins(self) -> frozenset[int]:
        if self._twins is None:
            made = array("q", (hash(item.id) for item, generated in self.numbered() if generated))
            self.know_twins(repeated(made))
        assert self._twins is not None
        return self._twins

    def has_rows(self) -> bool:
        """Return whether the file holds any row at all, before anything is selected."""
        return any(True for _ in self._read())

    def numbered(self) -> Iterator[tuple[Any, bool]]:
        """Yield each row's `Sample`, or the list of its problems, and whether the id was made from the content.

        Equal rows without an id still share the bare digest here: which rows those are is known only at the end
        of the file. The census finds out as it goes (`know_twins`); otherwise a pass of its own does.
        """
        convert, rename, source = row_rules.sample_of, self._fields.rename if self._fields else None, self.source
        for line, raw in self._selected():
            if type(raw) is Problem:
                yield [raw], False
                continue
            row = raw
            if type(row) is dict:
                if rename:
                    row = rename(row)
                if self._table:
                    row = _open_cells(row)
            made = convert(row, line, source)
            yield made, type(made) is not list and row.get("id") is None

    def _selected(self) -> Iterator[Numbered]:
        kept = self._limited()
        if self._sample is None:
            return kept
        return select.keep_drawn(kept, self._draw)

    def _draw(self) -> frozenset[int]:
        if self._drawn is None:
            assert self._sample is not None
            self._drawn = select.draw(self._limited(), *self._sample, content=self._asked)
        return self._drawn

    def _asked(self, row: Any) -> Any:
        """Return a row without its recorded output, so that the same questions are drawn whoever answered them."""
        if type(row) is not dict:
            return row
        named = self._fields.rename(row) if self._fields else row
        if all(named.get(name) is None for name in _QUESTION):
            return named
        return {name: value for name, value in named.items() if name != "output"}

    def _limited(self) -> Iterator[Numbered]:
        asked = dict.fromkeys(self._where.fields, "where") if self._where else {}
        asked |= dict.fromkeys(self._fields.sources, "fields") if self._fields else {}
        names = _Names(self.source, asked)
        found = names.watch(self._read()) if asked else self._read()
        if self._where:
            found = select.keep_where(found, self._where, self.source)
        if self._limit is not None:
            found = select.keep_first(found, self._limit)
        return names.verify(found) if asked else found


class _Names:
    """Names that a config asks rows for; refuses, when the rows have been read, those that no row has."""

    def __init__(self, source: str, asked: Mapping[str, str]) -> None:
        self._source = source
        self._asked = asked
        self._unseen = set(asked)
        self._seen: set[str] = set()

    def watch(self, rows: Iterable[Numbered]) -> Iterator[Numbered]:
        for line, row in rows:
            if self._unseen and type(row) is dict:
                self._seen.update(row)
                self._unseen = {n for n in self._unseen if not (n in self._seen or n.split(".")[0] in self._seen)}
            yield line, row

    def verify(self, rows: Iterable[Numbered]) -> Iterator[Numbered]:
        yield from rows
        if not self._seen or not self._unseen:
            return
        raise DataError(
            problems=[
                Problem(
                    f"no row has the field '{name}'",
                    file=self._source,
                    key=f"dataset.{self._asked[name]}",
                    hint=near(name, self._seen),
                )
                for name in sorted(self._unseen)
            ]
        )


def _open_cells(row: dict[str, Any]) -> dict[str, Any]:
    """Return a table's row with the lists that its cells hold as JSON."""
    for name in row_rules.LISTS & row.keys():
        cell = row[name]
        if isinstance(cell, str) and cell.lstrip().startswith("["):
            try:
                row[name] = jsonl.loads(cell)
            except ValueError:
                continue
        elif isinstance(cell, str) and name == "choices":
            row[name] = [cell]
    answer, choices = row.get("answer"), row.get("choices")
    if isinstance(answer, str) and answer.isdecimal() and isinstance(choices, list) and answer not in choices:
        row["answer"] = int(answer)
    return row


def repeated(hashes: array[int]) -> list[int]:
    """Return the numbers that stand more than once in an array of 64-bit integers; 8 bytes of memory a number."""
    import numpy as np

    numbers = np.sort(np.frombuffer(hashes, dtype=np.int64)) if hashes else np.empty(0, np.int64)
    again = numbers[1:][numbers[1:] == numbers[:-1]]
    return sorted(set(again.tolist()))


def data_error(problems: Iterable[Problem], *, count: int | None = None) -> DataError:
    """Return the error that lists the first problems and counts the rest."""
    listed = list(problems)
    more = (len(listed) if count is None else count) - min(len(listed), SHOWN)
    lines = [str(problem) for problem in listed[:SHOWN]]
    if more > 0:
        lines.append(f"and {more:,} more")
    return DataError("\n".join(lines), listed[:SHOWN])
