"""How large an eval set must be: planned from a pilot run, or from two, for every scorer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmkit.errors import NotComparableError, UsageError
from llmkit.flows.conditions import paired_rows
from llmkit.flows.pairs import Asked, Drawing, Pairs
from llmkit.flows.run_settings import settings_of
from llmkit.flows.scored_run import Column, ScoredRun
from llmkit.stats.distributions import normal_quantile
from llmkit.stats.power import Noise, Plan, noise_of, noise_of_run, plan_size, smallest_drop
from llmkit.stats.variance import variance_components
from llmkit.types import Run

FEWEST = 10
"""A pilot of fewer samples says too little about noise."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan for one scorer.

    Attributes:
        plan: Samples for the wanted drop, by repeats, and what other sizes could see; None where there is none.
        reason: Why there is none.
        samples: Samples of the pilot.
        now: The smallest drop that as many samples as the pilot has would show; None where none would.
    """

    plan: Plan | None
    reason: str = ""
    samples: int = 0
    now: float | None = None


def plan_eval_set(
    run: Run,
    *,
    drop: float = 0.02,
    power: float = 0.8,
    against: Run | None = None,
    correlation: float = 0.5,
    tests: int | None = None,
) -> dict[str, Planned]:
    """Plan the size of an eval set for every scorer that has a better direction and no unit.

    Args:
        run: The pilot.
        drop: The drop to be seen, in each scorer's unit.
        power: The chance to see it.
        against: Another run over the same rows: its differences tell the noise without guessing.
        correlation: Without ``against``: how alike the scores of two versions are expected to be, sample by sample.
        tests: How many scorers are judged together; None for all that are planned.

    Raises:
        UsageError: the pilot has no scorer with a better direction, or a number makes no sense.
        NotComparableError: the two runs have no row in common.
    """
    settings = settings_of(run)
    directed = {name: entry for name, entry in run.summary["scores"].items() if entry["higher_is_better"] is not None}
    described = {name: entry for name, entry in directed.items() if not entry["unit"]} or directed
    if not described:
        raise UsageError(f"{run.path} has no scorer with a better direction, so there is no drop to plan for")
    if not -1 <= correlation <= 1:
        raise UsageError(f"a correlation lies between -1 and 1, not {correlation:g}")
    if not (drop > 0 and 0 < power < 1):
        raise UsageError("a drop is above 0, and a power lies between 0 and 1")
    level, tests = settings.level, tests or len(described)
    found = {}
    noises = _of_one(run, described, correlation) if against is None else _of_two(run, against, described, level)
    for name, (noise, samples) in noises.items():
        if isinstance(noise, str):
            found[name] = Planned(None, noise, samples)
            continue
        how = {"alpha": 1 - level, "power": power, "tests": tests}
        try:
            plan = plan_size(noise, drop, **how)  # type: ignore[arg-type]
        except ValueError as error:
            found[name] = Planned(None, str(error), samples)
            continue
        found[name] = Planned(plan, "", samples, smallest_drop(noise, samples, **how))  # type: ignore[arg-type]
    return found


def _of_one(
    run: Run, described: Mapping[str, Mapping[str, Any]], correlation: float
) -> dict[str, tuple[Noise | str, int]]:
    scored = ScoredRun(run)
    return {name: _guess(scored.columns[name], entry, correlation) for name, entry in described.items()}


def _guess(column: Column, entry: Mapping[str, Any], correlation: float) -> tuple[Noise | str, int]:
    samples, values = column.samples, column.first
    count = len(np.unique(samples))
    if count < FEWEST:
        return f"{count} samples say too little about its noise; run at least {FEWEST}", count
    if entry["kind"] != "mean":
        if entry["low"] is None or entry["high"] is None:
            return "it has no interval to plan from", count
        error = (entry["high"] - entry["low"]) / 2 / normal_quantile(0.975)
        return noise_of_run(error * error * count, correlation=correlation), count
    parts = variance_components(values, samples)
    if parts is not None:
        return Noise(2 * parts.between * (1 - correlation), 2 * parts.within), count
    return noise_of_run(float(values.var(ddof=1)), correlation=correlation, binary=bool(entry["binary"])), count


def _of_two(
    run: Run, against: Run, described: Mapping[str, Mapping[str, Any]], level: float
) -> dict[str, tuple[Noise | str, int]]:
    repeats = min(int(one.manifest.get("repeats", 1)) for one in (run, against))
    left, right = ScoredRun(against, repeats=repeats), ScoredRun(run, repeats=repeats)
    before, after = (dict(zip(one.ids, one.digests, strict=True)) for one in (left, right))
    shared = paired_rows(before, after, left.repeated | right.repeated).shared
    if not shared:
        raise NotComparableError(f"{run.path} and {against.path} have no row in common")
    pairs = Pairs(left, right, shared, None, repeats)
    built = settings_of(run).scorers([name for name, entry in described.items() if entry["kind"] != "mean"])
    usable = {name: entry for name, entry in described.items() if name in left.columns}
    asked = [
        Asked(name, entry, Drawing(level, 0, 2000))
        for name, entry in usable.items()
        if entry["kind"] == "mean" or name in built
    ]
    results = pairs.results(asked, metrics=built)
    found: dict[str, tuple[Noise | str, int]] = {}
    for name in described:
        if name not in usable:
            found[name] = ("only one of the runs has measured it", 0)
        elif name not in results:
            found[name] = ("the scorer cannot be built here; plan in the folder where the run was made", 0)
        else:
            result = results[name]
            if isinstance(result, str):
                found[name] = (result, 0)
            elif result.n < FEWEST or result.error is None:
                found[name] = (f"{result.n} samples say too little about its noise; run at least {FEWEST}", result.n)
            else:
                found[name] = (noise_of(result), result.n)
    return found
