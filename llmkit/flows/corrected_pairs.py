"""What people's labels make of the difference that a judge sees between two runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from llmkit.flows.corrected import corrected_difference
from llmkit.flows.pairs import Pairs, bounds_of
from llmkit.flows.scored_run import Floats, ScoredRun


def corrected_pairs(
    pairs: Pairs, scorer: str, about: Mapping[str, Any], *, slices: Sequence[str] = (), level: float = 0.95
) -> dict[str, Any] | None:
    """Return a judge's difference corrected by labels of both runs' answers; None where a run has no labels for it.

    Labels count where both answers of a row have one. Strata are those that the labelled rows were drawn from, or else
    the slices.

    Args:
        pairs: The two runs.
        scorer: The judge's name.
        about: Its entry in a summary.
        slices: Fields that the rows are sliced by; the candidate has read them.
        level: Of the intervals.

    Returns:
        What `corrected_difference` does, or ``{"reason": ...}`` where the labels cannot be used.
    """
    sides = [_labels(run, pairs.ids, scorer) for run in (pairs.base, pairs.candidate)]
    if about["kind"] != "mean" or sides[0] is None or sides[1] is None:
        return None
    first, second, _ = pairs.means(scorer)
    judged = np.flatnonzero(~(np.isnan(first) | np.isnan(second)))
    base, candidate = sides[0][judged], sides[1][judged]
    labelled = np.flatnonzero(~(np.isnan(base) | np.isnan(candidate)))
    if not len(labelled):
        return {"reason": "no row has labels of both runs' answers"}
    if _same(pairs, scorer) and bool((base[labelled] == candidate[labelled]).all()):
        same = "both runs have the same labels from the same source; a label belongs to one system's answer"
        return {"reason": f"{same}: label each run's answers apart"}
    return corrected_difference(
        (first[judged], second[judged]),
        (base[labelled], candidate[labelled]),
        labelled,
        strata=_strata(pairs, scorer, judged, slices),
        clusters=None if pairs.clusters is None else pairs.clusters[judged],
        bounds=bounds_of(about.get("bounds")),
        level=level,
    )


def _labels(run: ScoredRun, ids: Sequence[str], scorer: str) -> Floats | None:
    known = run.labels.get(scorer)
    if known is None:
        return None
    of_id = dict(zip(run.ids, known.tolist(), strict=True))
    return np.array([of_id[one] for one in ids], dtype=np.float64)


def _same(pairs: Pairs, scorer: str) -> bool:
    """Whether both runs took their labels from one place."""
    sources = [
        (run.run.summary["scores"][scorer].get("corrected") or {}).get("source")
        for run in (pairs.base, pairs.candidate)
    ]
    return sources[0] is not None and sources[0] == sources[1]


def _strata(pairs: Pairs, scorer: str, judged: Any, slices: Sequence[str]) -> list[str] | None:
    """Return the stratum of each judged row: where it was drawn from, else its slices, else None."""
    run = pairs.candidate
    places = {one: number for number, one in enumerate(run.ids)}
    rows = [places[pairs.ids[number]] for number in judged.tolist()]
    drawn = run.strata.get(scorer)
    if drawn is not None and all(drawn[row] for row in rows):
        return [drawn[row] for row in rows]
    if not slices:
        return None
    columns = [run.fields[field] for field in slices]
    return [", ".join(column[row] for column in columns) for row in rows]
