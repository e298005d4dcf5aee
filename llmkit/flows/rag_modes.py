"""The modes of the target `rag` side by side: scores, differences, and where wrong answers come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from llmkit import registry
from llmkit.flows.board import scores_beside
from llmkit.flows.mode_judging import by_mode, said_of
from llmkit.flows.rag import RagTarget
from llmkit.flows.scorers import Scorers, of_window
from llmkit.flows.setup import Setup
from llmkit.flows.summarise import Design
from llmkit.flows.tally import Tally
from llmkit.types import Output, Sample, Skipped

RIGHT = 0.5
"""Least score of the first metric that counts as right when errors are split."""

_ALL = 1_000_000
Row = tuple[Sample, dict[str, Output]]


def modes_summary(
    setup: Setup, pairs: Iterable[tuple[Sample, Output]], together: Sequence[Tally], design: Design
) -> dict[str, Any]:
    """Return each mode's scores, less those of the first mode, and the split of errors; plain JSON.

    Args:
        setup: The run; metrics score every mode, and so do the judges that look at single outputs.
        pairs: Every sample with its output.
        together: The tallies of the first mode.
        design: How rows hang together.
    """
    assert isinstance(setup.target, RagTarget)
    modes = setup.target.settings.modes
    rows = [(sample, by_mode(output, modes)) for sample, output in pairs if not sample.perturbation]
    found: dict[str, Any] = {}
    for mode in modes[1:]:
        tallies = _tallies(setup, mode, modes[0], rows)
        found[mode] = {
            "scores": _with_reasons(scores_beside(tallies, together, design), tallies),
            "failures": sum(outputs[mode].error is not None for _, outputs in rows),
        }
    return {"first": modes[0], "others": found, "errors": _split(setup, rows, modes)}


def _tallies(setup: Setup, mode: str, first: str, rows: Sequence[Row]) -> list[Tally]:
    scorers, repeats = Scorers(setup), setup.config.repeats
    kept = [(sample, outputs[mode]) for sample, outputs in rows]
    for row, (sample, output) in enumerate(kept):
        scorers.add(row, sample, output)
        scorers.add_repeats(row, sample, output, repeats)
        said = said_of(rows[row][1][first], mode)
        for tally in scorers.judged:
            tally.add_judgment(row, sample, output, said.get(tally.name))
    for tally in scorers.batched:
        size = repeats if tally.over_repeats else 1
        numbered = ((row, *pair) for row, pair in enumerate(kept))
        while window := list(islice(numbered, max(1, tally.batch // size) * size)):
            of_window(tally, window, size)
    return [tally for tally in scorers.all if tally not in scorers.judged_together]


def _with_reasons(scores: dict[str, Any], tallies: Sequence[Tally]) -> dict[str, Any]:
    """Return the scores with how many outputs have none, and why."""
    for tally in tallies:
        scores[tally.name] |= {
            "skipped": tally.skipped,
            "errors": tally.errors,
            "reasons": dict(tally.reasons.most_common(5)),
        }
    return scores


def _split(setup: Setup, rows: Sequence[Row], modes: Sequence[str]) -> dict[str, Any] | None:
    """Count the wrong answers of the mode retrieval_augmented by where they come from; None where that cannot be told.

    Right is a score of the first metric of at least `RIGHT`. ``missed``: no passage holds a reference. ``unused``: one
    does, and with the row's own contexts the model is right. ``despite``: one does, and it is wrong even then, or the
    mode oracle was not asked.
    """
    mode = "retrieval_augmented"
    metric = next((one for one in setup.metrics.values() if one.kind == "mean" and not getattr(one, "batch", 0)), None)
    if mode not in modes or metric is None or metric.higher_is_better is not True or hasattr(metric, "stats_over"):
        return None
    holds = registry.build("metrics", {"success": {"k": _ALL}}).plugin
    counts = dict.fromkeys(("right", "missed", "unused", "despite", "unknown"), 0)
    for sample, outputs in rows:
        right = _right(metric, sample, outputs[mode])
        hit = holds.stats(sample, outputs[mode]) if right is False else None
        if right is None or isinstance(hit, Skipped):
            counts["unknown"] += 1
        elif right:
            counts["right"] += 1
        elif hit is not None and not hit[0]:
            counts["missed"] += 1
        elif "oracle" in outputs and _right(metric, sample, outputs["oracle"]):
            counts["unused"] += 1
        else:
            counts["despite"] += 1
    return {"metric": next(name for name, one in setup.metrics.items() if one is metric), **counts}


def _right(metric: Any, sample: Sample, output: Output) -> bool | None:
    if output.text is None:
        return None
    stats = metric.stats(sample, output)
    value = None if isinstance(stats, Skipped) else metric.sample_value(stats)
    return None if value is None else value >= RIGHT
