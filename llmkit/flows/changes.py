"""Which samples changed between two runs, worst first, and which are flaky: their repeats disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmkit.flows.conditions import paired_rows
from llmkit.flows.pairs import Pairs
from llmkit.flows.run_settings import settings_of
from llmkit.flows.scored_run import Floats, ScoredRun
from llmkit.store import open_baseline
from llmkit.types import Comparison, Run

LISTED = 100
"""So many samples a scorer stand in each list of flips."""

_SAME = 1e-12


@dataclass(frozen=True, slots=True)
class Changes:
    """Samples that changed.

    Attributes:
        changed: Their ids, over all scorers with a better direction: the largest drop first.
        flips: By scorer: ``worse`` and ``better``, each a list of ``id``, ``base`` and ``candidate``, the largest
            change first; and how many there are in all. Flaky samples are not among them.
        flaky: By yes-or-no scorer with repeats: ``id``, ``pass_rate`` and ``base_pass_rate``, the lowest first.
    """

    changed: Sequence[str]
    flips: Mapping[str, Mapping[str, Any]]
    flaky: Mapping[str, Any]


def of_samples(pairs: Pairs, described: Mapping[str, Mapping[str, Any]]) -> Changes:
    """Return the samples that changed by any of the scorers."""
    count = len(pairs.ids)
    drops, gains = np.zeros(count), np.zeros(count)
    flips: dict[str, dict[str, Any]] = {}
    flaky: dict[str, Any] = {}
    ranked = [name for name, about in described.items() if about["higher_is_better"] is not None]
    without_unit = [name for name in ranked if not described[name]["unit"]] or ranked
    for name in ranked:
        base, candidate, unsteady = pairs.means(name)
        if described[name]["binary"] and unsteady.any():
            flaky[name] = _flaky(pairs.ids, base, candidate, unsteady)
        change = _gains(described[name], base, candidate, unsteady)
        flips[name] = {
            "worse": _listed(pairs.ids, base, candidate, change),
            "better": _listed(pairs.ids, base, candidate, -change),
            "has_values": bool(np.isfinite(candidate).any() and np.isfinite(base).any()),
            "worse_in_all": int((change < 0).sum()),
            "better_in_all": int((change > 0).sum()),
            "left_out": max(0, int((change < 0).sum()) - LISTED) + max(0, int((change > 0).sum()) - LISTED),
        }
        if name in without_unit:
            scale = _span(described[name].get("bounds")) or float(np.abs(change).max(initial=0.0)) or 1.0
            drops = np.minimum(drops, change / scale)
            gains = np.maximum(gains, change / scale)
    order = np.lexsort((np.arange(count), -gains, drops))
    changed = [pairs.ids[place] for place in order if drops[place] < 0 or gains[place] > 0]
    return Changes(changed, flips, flaky)


def every_worse(comparison: Comparison, candidate: Run) -> dict[tuple[str, str], tuple[float, float]]:
    """Return by scorer and sample the score before and now, of every sample that got worse, however many they are."""
    base = open_baseline(comparison.base["path"])
    names = [name for name, found in comparison.metrics.items() if found["higher_is_better"] is not None]
    repeats = min(int(run.manifest.get("repeats", 1)) for run in (base, candidate))
    left, right = ScoredRun(base, repeats=repeats), ScoredRun(candidate, repeats=repeats)
    before, after = (dict(zip(run.ids, run.digests, strict=True)) for run in (left, right))
    pairs = Pairs(left, right, paired_rows(before, after, left.repeated | right.repeated).shared, None, repeats)
    described = candidate.summary["scores"]
    corpus = [name for name in names if described[name]["kind"] != "mean"]
    for name, metric in settings_of(candidate).scorers(corpus).items():
        left.columns[name].value_samples(metric)
    found = {}
    for name in names:
        then, now, unsteady = pairs.means(name)
        for at in np.flatnonzero(_gains(described[name], then, now, unsteady) < 0):
            found[name, pairs.ids[at]] = float(then[at]), float(now[at])
    return found


def _gains(about: Mapping[str, Any], base: Floats, candidate: Floats, unsteady: Any) -> Floats:
    """Return each sample's change in the better direction; 0 where there is none, or its repeats disagree anyway."""
    change: Floats = np.nan_to_num(candidate - base) * (1.0 if about["higher_is_better"] else -1.0)
    change[np.abs(change) <= _SAME * max(1.0, float(np.abs(change).max(initial=0.0)))] = 0.0
    if about["binary"]:
        change[unsteady] = 0.0
    return change


def _span(bounds: Sequence[float | None] | None) -> float:
    """Return how far scores can lie apart; 0 where nothing says so."""
    low, high = bounds or (None, None)
    return 0.0 if low is None or high is None else high - low


def _listed(ids: Sequence[str], base: Floats, candidate: Floats, change: Floats) -> list[dict[str, Any]]:
    """Return the samples with a change below 0, the largest first."""
    worse = np.flatnonzero(change < 0)
    worst = worse[np.argsort(change[worse], kind="stable")][:LISTED]
    return [{"id": ids[at], "base": float(base[at]), "candidate": float(candidate[at])} for at in worst]


def _flaky(ids: Sequence[str], base: Floats, candidate: Floats, unsteady: Any) -> list[dict[str, Any]]:
    places = np.flatnonzero(unsteady)
    rate = np.nan_to_num(candidate[places], nan=np.inf)
    return [
        {"id": ids[at], "pass_rate": _rate(candidate[at]), "base_pass_rate": _rate(base[at])}
        for at in places[np.argsort(rate, kind="stable")]
        if _rate(candidate[at]) is not None
    ]


def _rate(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
