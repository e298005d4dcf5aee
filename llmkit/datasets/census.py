"""One reading of a whole set before anything is asked: are the rows sound, and which set is this?"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmkit.datasets._paths import getter, near
from llmkit.datasets.dataset import SHOWN, Dataset, data_error, repeated
from llmkit.datasets.rows import row_digest
from llmkit.errors import DataError, Problem
from llmkit.hashing import unordered_digest
from llmkit.types import Sample

_COUNTED = ("input", "turns", "references", "contexts", "choices", "answer", "output")


@dataclass(frozen=True, slots=True)
class Missing:
    """How many rows lack a field, and the line of the first."""

    count: int
    line: int


@dataclass(frozen=True, slots=True)
class Census:
    """What one reading of a set found.

    Attributes:
        source: The set's name.
        rows: Samples it will yield.
        fingerprint: One digest of all ids and contents (recorded outputs aside) that does not depend on their order.
        problems: The first of what is wrong; no run may start while there are any.
        problem_count: How many there are in all.
        skipped_rows: Rows left out because they are wrong and the user chose to skip such rows.
        has: For ``input turns references contexts choices answer output``, the rows that have it.
        fields: Names of meta fields, each on at least one row.
        missing: For each field asked for that some row lacks, how many and where first.
    """

    source: str
    rows: int
    fingerprint: str
    problems: tuple[Problem, ...]
    problem_count: int
    skipped_rows: int
    has: Mapping[str, int]
    fields: frozenset[str]
    missing: Mapping[str, Missing]

    def lacking(self, name: str) -> Problem | None:
        """Return the sentence about rows that lack a field that was asked for; None when every row has it."""
        found = self.missing.get(name)
        if found is None:
            return None
        if found.count == self.rows:
            known = self.fields | {name for name, count in self.has.items() if count}
            return Problem(f"no row has the field '{name}'", file=self.source, hint=near(name, known))
        rows = "rows lacks" if found.count == 1 else "rows lack"
        message = f"{found.count:,} of {self.rows:,} {rows} the field '{name}', the first on this line"
        return Problem(message, file=self.source, line=found.line)

    def report(self) -> str:
        """Return the problems one a line, and how many more there are; empty when there are none."""
        return str(data_error(self.problems, count=self.problem_count)) if self.problems else ""


@dataclass(slots=True)
class _Tally:
    """What the reading has found so far."""

    dataset: Dataset
    needs: Mapping[str, Callable[[Sample], Any]]
    most: int
    rows: int = 0
    bad_rows: int = 0
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    has: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTED, 0))
    fields: set[str] = field(default_factory=set)
    missing: dict[str, list[int]] = field(default_factory=dict)
    given_ids: array[int] = field(default_factory=lambda: array("q"))
    made_ids: array[int] = field(default_factory=lambda: array("q"))

    def digests(self) -> Iterator[str]:
        """Read the set; yield the digest of each sample."""
        fields, has, needs = self.fields, self.has, self.needs
        given, made = self.given_ids.append, self.made_ids.append
        for item, generated in self.dataset.numbered():
            if type(item) is list:
                self.bad_rows += 1
                for problem in item:
                    self.add(problem)
                continue
            self.rows += 1
            (made if generated else given)(hash(item.id))
            for name in _COUNTED:
                has[name] += _has(item, name)
            if not item.meta.keys() <= fields:
                fields.update(item.meta)
            for name, get in needs.items():
                if get(item) is None:
                    self.missing.setdefault(name, [0, item.line])[0] += 1
            yield row_digest(item)

    def add(self, problem: Problem) -> None:
        self.problem_count += 1
        if len(self.problems) < self.most:
            self.problems.append(problem)


def census(dataset: Dataset, *, fields_needed: Iterable[str] = (), max_problems: int = SHOWN) -> Census:
    """Read the whole set once and return what is in it; memory grows by 8 bytes a row.

    Only where ids repeat is the file read a second time, to name both lines.

    Args:
        dataset: The set.
        fields_needed: Names that a prompt, a slice or a scorer reads: ``contexts``, ``category``, ``meta.x``.
        max_problems: How many problems are kept; all are counted.

    Raises:
        InfrastructureError: a hub set cannot be fetched.
    """
    tally = _Tally(dataset, {name: field_getter(name) for name in fields_needed}, max_problems)
    fingerprint = ""
    try:
        fingerprint = unordered_digest(tally.digests())
    except DataError as error:
        # The file as a whole is at fault; what was wrong with single rows follows from that.
        tally.problems, tally.problem_count = list(error.problems), len(error.problems)
    else:
        _settle(tally)
    missing = {name: Missing(count, line) for name, (count, line) in tally.missing.items()}
    return Census(
        source=dataset.source,
        rows=tally.rows,
        fingerprint=fingerprint,
        problems=tuple(tally.problems),
        problem_count=tally.problem_count,
        skipped_rows=tally.bad_rows if dataset.skip_bad_rows else 0,
        has=tally.has,
        fields=frozenset(tally.fields),
        missing=missing,
    )


def field_getter(name: str) -> Callable[[Sample], Any]:
    """Return a function that takes a sample and returns its field ``name``: ``contexts``, ``category``, ``meta.x.y``.

    None where the sample lacks it. Slices and clusters read with the same function that checks that rows have them.
    """
    if name == "id":
        return lambda sample: sample.id
    if name in _COUNTED:
        return lambda sample: getattr(sample, name) if _has(sample, name) else None
    get = getter(name.removeprefix("meta."))
    return lambda sample: get(sample.meta)


def _has(sample: Sample, name: str) -> bool:
    value = getattr(sample, name)
    # 0 is an index, and an empty text is an answer that was recorded.
    return bool(value) or value == 0 or (value == "" and name == "output")


def _settle(tally: _Tally) -> None:
    """After the reading: skipped rows, repeated ids, an empty set."""
    if tally.dataset.skip_bad_rows:
        tally.problems, tally.problem_count = [], 0
    tally.dataset.know_twins(repeated(tally.made_ids))
    twice = repeated(tally.given_ids)
    if twice:
        _name_repeated(tally, frozenset(twice))
    if not tally.rows and not tally.problem_count:
        tally.add(_empty(tally))


def _name_repeated(tally: _Tally, hashes: frozenset[int]) -> None:
    first: dict[str, int] = {}
    for item, generated in tally.dataset.numbered():
        if type(item) is list or generated or hash(item.id) not in hashes:
            continue
        if item.id not in first:
            first[item.id] = item.line
            continue
        message = f"the id '{item.id}' stands on line {first[item.id]} already; ids must differ"
        tally.add(Problem(message, file=tally.dataset.source, line=item.line))


def _empty(tally: _Tally) -> Problem:
    source = tally.dataset.source
    if tally.bad_rows:
        return Problem(f"every row was skipped: all {tally.bad_rows:,} are wrong", file=source)
    if not tally.dataset.has_rows():
        return Problem("the file has no rows", file=source)
    return Problem(f"no row passes where: {tally.dataset.where}", file=source)
