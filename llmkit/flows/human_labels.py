"""People's labels of an evaluation's rows: what they make of what its judges say."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from llmkit.config import EvalConfig
from llmkit.errors import DataError, Problem
from llmkit.flows.corrected import corrected_mean, correction_notes, correction_table
from llmkit.flows.labels import People, people
from llmkit.flows.tally import Codes, Tally
from llmkit.registry import did_you_mean
from llmkit.types import Sample


def labelled_judges(cfg: EvalConfig, judges: Sequence[str], problems: list[Problem]) -> dict[str, People]:
    """Return for each judge that people labelled for where their labels are; what is wrong goes to ``problems``."""
    found: dict[str, People] = {}
    if cfg.human is None:
        return found
    for written, human in cfg.human.judges.items():
        name = written or (judges[0] if len(judges) == 1 else "")
        if name not in judges:
            key = f"human.judges.{written}" if written else "human"
            message = (
                f"there is no judge '{name}' to correct" if name else "labels are of one judge's scale; say of which"
            )
            listed = ", ".join(judges) or "none"
            hint = (
                did_you_mean(name, list(judges), n=1)
                if name
                else f"write 'human: {{judges: {{NAME: ...}}}}' ({listed})"
            )
            problems.append(Problem(message, key=key, hint=hint))
            continue
        try:
            found[name] = people(human, cfg.base)
        except DataError as error:
            problems += error.problems
    return found


class HumanLabels:
    """Gathers labels row by row, and corrects judges' means by them.

    Args:
        of: For each judge where its labels are.
    """

    def __init__(self, of: Mapping[str, People]) -> None:
        self._people = of
        self._labels: dict[str, array[float]] = {name: array("d") for name in of}
        self._strata: dict[str, list[str]] = {name: [] for name, one in of.items() if one.strata}

    def of(self, sample: Sample) -> tuple[dict[str, float], dict[str, str]]:
        """Return for each judge the label of a row (the mean of several), and the stratum it was drawn from.

        A perturbed row has no label of its own.
        """
        labels: dict[str, float] = {}
        strata: dict[str, str] = {}
        for name, one in self._people.items():
            given = () if sample.perturbation else one.of(sample)
            numbers = [label for label in given if isinstance(label, float)]
            if numbers:
                labels[name] = sum(numbers) / len(numbers)
            if sample.id in one.strata:
                strata[name] = one.strata[sample.id]
        return labels, strata

    def add(self, labels: Mapping[str, float], strata: Mapping[str, str]) -> None:
        """Take the labels of the next output's row."""
        for name, known in self._labels.items():
            known.append(labels.get(name, nan))
        for name, drawn in self._strata.items():
            drawn.append(strata.get(name, ""))

    def correct(
        self, entry: dict[str, Any], tally: Tally, slices: Sequence[Codes], design: Any, width: float | None
    ) -> None:
        """Add to a judge's entry of the summary what its labels make of its mean."""
        import numpy as np

        if tally.name not in self._people or tally.metric.kind != "mean" or not tally.ok:
            return
        rows = np.frombuffer(tally.rows, dtype=np.uint32)
        values = np.frombuffer(tally.columns[0], dtype=np.float64)
        labels = np.frombuffer(self._labels[tally.name], dtype=np.float64)[rows]
        samples = rows if design.samples is None or tally.over_repeats else design.samples[rows]
        _, first, inverse, counts = np.unique(samples, return_index=True, return_inverse=True, return_counts=True)
        judged = np.bincount(inverse, weights=values) / counts
        own, at = labels[first], rows[first]
        where = np.flatnonzero(~np.isnan(own))
        told = corrected_mean(
            judged,
            own[where],
            where,
            strata=self._strata_of(tally.name, at, slices),
            clusters=None if design.clusters is None else design.clusters[at],
            bounds=tally.metric.bounds,
            level=design.level,
            width=width,
        )
        told["source"] = self._people[tally.name].source
        entry["corrected"] = told
        details = dict(entry.get("details") or {})
        details["tables"] = [*details.get("tables", ()), correction_table(told)]
        details["notes"] = [*details.get("notes", ()), *correction_notes(told)]
        entry["details"] = details

    def _strata_of(self, name: str, rows: Any, slices: Sequence[Codes]) -> list[str] | None:
        drawn = self._strata.get(name)
        if drawn is not None:
            mine = [drawn[row] for row in rows.tolist()]
            if all(mine):
                return mine
        if not slices:
            return None
        names = [list(codes.values) for codes in slices]
        return [
            ", ".join(values[codes.codes[row]] for values, codes in zip(names, slices, strict=True))
            for row in rows.tolist()
        ]
