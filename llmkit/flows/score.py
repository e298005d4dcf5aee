"""Scoring from Python, without a config: outputs and references in, numbers with intervals out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmkit import registry
from llmkit.errors import UsageError
from llmkit.flows.summarise import HIGHEST_LEVEL, Design, estimate
from llmkit.flows.tally import Tally
from llmkit.types import Estimate, Output, Sample, Score


@dataclass(frozen=True, slots=True)
class Scored:
    """What one metric says of many outputs.

    Attributes:
        estimate: The corpus value with its interval; None where no output could be scored.
        scores: One `Score` for each output, in order.
        signature: Everything that makes the number.
    """

    estimate: Estimate | None
    scores: Sequence[Score]
    signature: str


def score(
    outputs: Iterable[str | Output],
    references: Iterable[str | Sequence[str]] | None = None,
    *,
    metrics: Sequence[str | Mapping[str, Any]],
    samples: Iterable[Sample] | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Scored]:
    """Score outputs that are already there.

    Args:
        outputs: Texts, or `Output` records.
        references: For each output its reference, or several.
        metrics: Specs, as in a config: ``"exact_match"``, ``"rouge(variant='L')"``.
        samples: Whole rows instead of references, for metrics that look at more than those.
        seed: Of bootstrap intervals.
        level: Of the intervals, above 0 and at most 0.9999.

    Returns:
        For each metric, by its canonical spec, a `Scored`.

    Raises:
        UsageError: lengths differ, both or neither of ``references`` and ``samples`` are given, or the level is none.
        ConfigError: a metric is unknown or its arguments are wrong.
    """
    if (references is None) == (samples is None):
        raise UsageError("give score() either references or samples")
    if not 0 < level <= HIGHEST_LEVEL:
        raise UsageError(f"score() got the level {level}: it is a share, above 0 and at most {HIGHEST_LEVEL}")
    rows = list(samples) if samples is not None else _rows(references or ())
    answers = [_output(item, position) for position, item in enumerate(outputs)]
    if len(rows) != len(answers):
        raise UsageError(f"score() got {len(answers)} outputs for {len(rows)} references")
    found: dict[str, Scored] = {}
    for written in metrics:
        plugin, name = registry.build("metrics", written)
        tally = Tally(name, plugin)
        pairs = [(row, replace(answer, sample_id=row.id)) for row, answer in zip(rows, answers, strict=True)]
        scores = tally.add_all(pairs)
        value = estimate(tally, Design(seed=seed, level=level)) if tally.ok else None
        found[name] = Scored(value, scores, f"{name}|{tally.signature}")
    return found


def _rows(references: Iterable[str | Sequence[str]]) -> list[Sample]:
    return [
        Sample(str(position), references=(item,) if isinstance(item, str) else tuple(item))
        for position, item in enumerate(references)
    ]


def _output(item: str | Output, position: int) -> Output:
    return item if isinstance(item, Output) else Output(str(position), item)
