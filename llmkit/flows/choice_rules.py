"""What the choice of a multiple-choice rule alone does to accuracy: every rule of a run, over the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from llmkit import registry
from llmkit.flows.difference import shown
from llmkit.flows.setup import Setup
from llmkit.flows.summarise import Design, allowing, estimate
from llmkit.flows.tally import Tally
from llmkit.stats import spread_of_means
from llmkit.types import Output, Sample

_LEAST = 2


def rules_summary(
    setup: Setup, pairs: Iterable[tuple[Sample, Output]], scorers: Sequence[Tally], design: Design
) -> dict[str, Any] | None:
    """Return accuracy by each rule and how far they lie apart, as plain JSON; None where there is one rule.

    The rules are those of the config's ``choice.rules``, and with them each normalisation that a scorer names. A rule
    by which no row could be scored is left out, with the reason; the others are compared over the rows that all of
    them could score.

    Args:
        setup: The run.
        pairs: Every sample with its output, in order.
        scorers: The run's own tallies.
        design: How rows hang together.
    """
    if setup.config.choice is None:
        return None
    named = (variant for tally in scorers for variant in getattr(tally.metric, "variants", ()))
    variants = dict.fromkeys([*((rule, "none") for rule in setup.config.choice.rules), *named])
    if len(variants) < _LEAST:
        return None
    tallies = [_tally(*variant) for variant in variants]
    for row, (sample, output) in enumerate(pairs):
        if not sample.perturbation:
            for tally in tallies:
                tally.add(row, sample, output)
    return _beside(tallies, design)


def _tally(rule: str, normalise: str) -> Tally:
    plugin, _ = registry.build("metrics", {"choice_accuracy": {"rule": rule, "normalise": normalise}})
    return Tally(rule if normalise == "none" else f"{rule}:{normalise}", plugin)


def _beside(tallies: Sequence[Tally], design: Design) -> dict[str, Any]:
    scored = {tally.name: tally for tally in tallies if tally.ok}
    found: dict[str, Any] = {
        "rows": 0,
        "level": design.level,
        "rules": {},
        "left_out": {tally.name: _why(tally) for tally in tallies if not tally.ok},
        "spread": None,
    }
    shared = reduce(np.intersect1d, map(_rows, scored.values())) if scored else np.empty(0)
    if len(scored) < _LEAST or not len(shared):
        return found
    places = {name: np.flatnonzero(np.isin(_rows(tally), shared)) for name, tally in scored.items()}
    spread = spread_of_means(
        [np.frombuffer(tally.columns[0])[places[name]] for name, tally in scored.items()],
        binary=True,
        samples=None if design.samples is None else design.samples[shared],
        clusters=None if design.clusters is None else design.clusters[shared],
        level=design.level,
        seed=design.seed,
    )
    for (name, tally), below in zip(scored.items(), spread.below, strict=True):
        alone = estimate(tally, design, places[name])
        found["rules"][name] = {**shown(alone), "below": shown(allowing(below, design))}
    whole, names = allowing(spread.estimate, design), list(scored)
    made = f"n:{len(shared)}|ci:{whole.method}|level:{design.level:g}|seed:{design.seed}"
    return found | {
        "rows": len(shared),
        "spread": shown(whole),
        "highest": names[spread.highest],
        "lowest": names[spread.lowest],
        "signature": f"choice of rule|rules:{','.join(names)}|{made}",
    }


def _rows(tally: Tally) -> Any:
    return np.frombuffer(tally.rows, dtype=np.uint32)


def _why(tally: Tally) -> str:
    """Return the most frequent reason why a rule has no scores."""
    return next((reason for reason, _ in tally.reasons.most_common(1)), "no row was answered")
