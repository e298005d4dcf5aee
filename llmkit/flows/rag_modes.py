"""The modes of the target `rag` side by side: scores, differences, and where wrong answers come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from llmkit import registry
from llmkit.flows.board import scores_beside
from llmkit.flows.rag import MODES, RagTarget
from llmkit.flows.scorers import Scorers, of_window
from llmkit.flows.setup import Setup
from llmkit.flows.summarise import Design
from llmkit.flows.tally import Tally
from llmkit.types import Failure, Output, Passage, Sample, Skipped

RIGHT = 0.5
"""Least score of the first metric that counts as right when errors are split."""

_ALL = 1_000_000
Row = tuple[Sample, dict[str, Output]]


def modes_summary(
    setup: Setup, pairs: Iterable[tuple[Sample, Output]], together: Sequence[Tally], design: Design
) -> dict[str, Any]:
    """Return each mode's scores, less those of the first mode, and the split of errors; plain JSON.

    Args:
        setup: The run; metrics score every mode, judges only the first one.
        pairs: Every sample with its output.
        together: The tallies of the first mode.
        design: How rows hang together.
    """
    assert isinstance(setup.target, RagTarget)
    modes = setup.target.settings.modes
    rows = [(sample, by_mode(output, modes)) for sample, output in pairs if not sample.perturbation]
    found: dict[str, Any] = {}
    for mode in modes[1:]:
        tallies = _tallies(setup, ((sample, outputs[mode]) for sample, outputs in rows))
        found[mode] = {
            "scores": scores_beside(tallies, together, design),
            "failures": sum(outputs[mode].error is not None for _, outputs in rows),
        }
    return {"first": modes[0], "others": found, "errors": _split(setup, rows, modes)}


def by_mode(output: Output, modes: Sequence[str]) -> dict[str, Output]:
    """Return an output's answers as outputs, one a mode."""
    found = {modes[0]: output}
    kept = {} if output.response is None else output.response.extra.get(MODES, {})
    for mode in modes[1:]:
        one = kept.get(mode)
        if not isinstance(one, Mapping):
            error = output.error or Failure("missing", f"no answer of the mode {mode} was kept")
            found[mode] = Output(output.sample_id, None, output.repeat, error=error)
            continue
        failed = None if one.get("error") is None else Failure(one["error"]["kind"], one["error"]["message"])
        retrieved: Sequence[Passage] = output.retrieved if mode.startswith("retrieval") else ()
        found[mode] = Output(output.sample_id, one.get("text"), output.repeat, retrieved=retrieved, error=failed)
    return found


def _tallies(setup: Setup, pairs: Iterator[tuple[Sample, Output]]) -> list[Tally]:
    scorers, repeats = Scorers(setup), setup.config.repeats
    kept = list(pairs)
    for row, (sample, output) in enumerate(kept):
        scorers.add(row, sample, output)
        scorers.add_repeats(row, sample, output, repeats)
    for tally in scorers.batched:
        size = repeats if tally.over_repeats else 1
        numbered = ((row, *pair) for row, pair in enumerate(kept))
        while window := list(islice(numbered, max(1, tally.batch // size) * size)):
            of_window(tally, window, size)
    return [tally for tally in scorers.all if tally.name in setup.metrics]


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
