"""Answers of an earlier run, scored again without asking anyone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from llmkit.datasets import row_digest
from llmkit.errors import DataError, Problem
from llmkit.flows.rows import checked_rows
from llmkit.flows.setup import Setup
from llmkit.store import open_run
from llmkit.types import Failure, Output, Sample

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")

_NAMED = 5


class RecordedRun:
    """Pairs the rows of an eval set with the outputs of an earlier run.

    Both are in dataset order, so they are walked side by side; only when the orders differ are the outputs
    held in memory. A row without an output is an error row, never left out.
    """

    def __init__(self, path: Path, setup: Setup, *, allow_unfinished: bool = False) -> None:
        self._setup = setup
        self._run = open_run(path, allow_unfinished=allow_unfinished)
        self.path = path
        self.folder = Path(self._run.path).resolve()
        self.target = str(self._run.manifest.get("target", ""))
        self.members: tuple[str, ...] = tuple(self._run.manifest.get("members", ()))

    @property
    def stopped(self) -> Mapping[str, Any] | None:
        """What the run says of asking that stopped early; None where every row was asked."""
        found: Mapping[str, Any] | None = self._run.summary.get("sequential")
        return found if found and found["not_asked"] else None

    def require_variants(self) -> None:
        """Refuse a run that was not asked the reworded rows of this one.

        Raises:
            DataError: it was asked without one of the perturbations, or with another seed.
        """
        wanted = self._setup.variants.perturbations
        had, seed = self._run.manifest["subject"].get("perturb", ()), self._run.manifest["seed"]
        lacking = [name for name in wanted if name not in had]
        if lacking:
            message = f"it was not asked the rows as {', '.join(lacking)} perturbs them"
            hint = "leave that out of 'perturb', or run that evaluation again with it"
        elif wanted and seed != self._setup.variants.seed:
            message = f"its rows were perturbed with the seed {seed}, and the config says {self._setup.variants.seed}"
            hint = "give both one seed"
        else:
            return
        raise DataError(problems=[Problem(message, file=str(self.path), hint=hint)])

    def pairs(self, *, some: bool = False) -> Iterator[tuple[Sample, Output]]:
        """Yield every sample and repeat of the eval set with its output.

        With ``some``, and where asking stopped early, rows that were not asked are left out.

        Raises:
            DataError: not one row of the eval set has an output in the run.
        """
        outputs = InOrder(self._run.outputs, lambda output: (output.sample_id, output.repeat))
        asked = {row.sample.id for row in self._run.samples} if some or self.stopped else None
        found = 0
        for sample in checked_rows(self._setup):
            if asked is not None and sample.id not in asked:
                continue
            for repeat in range(self._setup.config.repeats):
                output = outputs.find((sample.id, repeat))
                found += output is not None
                yield sample, output or _missing(sample, repeat, self.path)
        if not found:
            named = ", ".join(repr(key[0]) for key in list(outputs.waiting)[:_NAMED])
            message = f"none of its outputs belongs to a row of {self._setup.census.source} (it holds {named}...)"
            raise DataError(problems=[Problem(message, file=str(self.path), hint="is it a run over this eval set?")])

    def require_all(self) -> None:
        """Refuse a run that lacks an output of some row, or was asked another row under the same id.

        Raises:
            DataError: how many rows that concerns, and the first of them.
        """
        outputs = InOrder(self._run.outputs, lambda output: (output.sample_id, output.repeat))
        rows = InOrder(self._run.samples, lambda row: row.sample.id)
        lacking, other = [0, ""], [0, ""]
        for sample in checked_rows(self._setup):
            row = rows.find(sample.id)
            if row is not None and row.digest != row_digest(sample):
                _note(other, repr(sample.id))
            for repeat in range(self._setup.config.repeats):
                if outputs.find((sample.id, repeat)) is None:
                    _note(lacking, f"{sample.id!r}{f', repeat {repeat + 1}' if repeat else ''}")
        source = self._setup.census.source
        told = (
            (lacking, f"outputs of rows of {source} that it lacks", "leave the member out"),
            (other, f"rows of {source} that were other rows when it was made", "give rows ids of their own"),
        )
        found = [
            Problem(
                f"{what}: {count:,}, the first {first}",
                file=str(self.path),
                hint=f"run that evaluation again over this eval set, or {instead}",
            )
            for (count, first), what, instead in told
            if count
        ]
        if found:
            raise DataError(problems=found)


class InOrder(Generic[K, R]):
    """Finds records by key in a stream that mostly has them in the order in which they are asked for.

    Attributes:
        waiting: Records that were read and not asked for yet.
    """

    def __init__(self, records: Iterable[R], key: Callable[[R], K]) -> None:
        self._records = iter(records)
        self._key = key
        self.waiting: dict[K, R] = {}

    def find(self, key: K) -> R | None:
        """Return the record, or None where the stream has none."""
        if key in self.waiting:
            return self.waiting.pop(key)
        for record in self._records:
            found = self._key(record)
            if found == key:
                return record
            self.waiting[found] = record
        return None


def _note(found: list[Any], first: str) -> None:
    found[0] += 1
    found[1] = found[1] or first


def _missing(sample: Sample, repeat: int, path: Path) -> Output:
    message = f"the run {path} holds no output of this row"
    return Output(sample.id, None, repeat, error=Failure("missing", message))
