"""Answers of an earlier run, scored again without asking anyone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from llmkit.errors import DataError, Problem
from llmkit.flows.rows import checked_rows
from llmkit.flows.setup import Setup
from llmkit.store import open_run
from llmkit.types import Failure, Output, Sample

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

    def pairs(self) -> Iterator[tuple[Sample, Output]]:
        """Yield every sample and repeat of the eval set with its output.

        Raises:
            DataError: not one row of the eval set has an output in the run.
        """
        waiting: dict[tuple[str, int], Output] = {}
        outputs = iter(self._run.outputs)
        found = 0
        for sample in checked_rows(self._setup):
            for repeat in range(self._setup.config.repeats):
                output = _next(waiting, outputs, (sample.id, repeat))
                found += output is not None
                yield sample, output or _missing(sample, repeat, self.path)
        if not found:
            named = ", ".join(repr(key[0]) for key in list(waiting)[:_NAMED])
            message = f"none of its outputs belongs to a row of {self._setup.census.source} (it holds {named}...)"
            raise DataError(problems=[Problem(message, file=str(self.path), hint="is it a run over this eval set?")])


def _next(waiting: dict[tuple[str, int], Output], outputs: Iterator[Output], key: tuple[str, int]) -> Output | None:
    if key in waiting:
        return waiting.pop(key)
    for output in outputs:
        if (output.sample_id, output.repeat) == key:
            return output
        waiting[output.sample_id, output.repeat] = output
    return None


def _missing(sample: Sample, repeat: int, path: Path) -> Output:
    message = f"the run {path} holds no output of this row"
    return Output(sample.id, None, repeat, error=Failure("missing", message))
