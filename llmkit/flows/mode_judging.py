"""Judges of the target `rag` in every mode: what each mode's answer was made from, and what was said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmkit.flows.judging import Bench
from llmkit.flows.rag import MODES
from llmkit.types import Failure, Judgment, Output, Passage, Sample, Skipped

JUDGMENTS = "judgments"
"""Where what judges said of a mode's answer is kept, beside the answer."""


def seen_in(mode: str, sample: Sample) -> Sample:
    """Return the row as a judge may see it: an answer from memory was made from no contexts, whatever the row has."""
    return replace(sample, contexts=()) if mode == "closed_book" else sample


async def judge_modes(
    bench: Bench, modes: Sequence[str], sample: Sample, output: Output
) -> tuple[Output, dict[str, Judgment]]:
    """Return the output with what judges said of its other modes, and what they said.

    Judgments of the first mode go by the judge's name; those of another by the judge's and the mode's, so that what was
    asked and answered is recorded too.
    """
    said = await bench.judge(seen_in(modes[0], sample), output)
    outputs = by_mode(output, modes)
    extra = {} if output.response is None else output.response.extra.get(MODES, {})
    kept = dict(extra)
    for mode in modes[1:]:
        found = await bench.judge(seen_in(mode, sample), outputs[mode])
        if found and mode in kept:
            kept[mode] = {**kept[mode], JUDGMENTS: {name: _row(one) for name, one in found.items()}}
        said |= {f"{name} ({mode})": one for name, one in found.items()}
    if kept and output.response is not None:
        response = replace(output.response, extra={**output.response.extra, MODES: kept})
        output = replace(output, response=response)
    return output, said


def said_of(output: Output, mode: str) -> dict[str, Judgment]:
    """Return what judges said of the answer in a mode other than the first, without the exchanges."""
    kept = {} if output.response is None else output.response.extra.get(MODES, {}).get(mode) or {}
    return {name: _judgment(row) for name, row in kept.get(JUDGMENTS, {}).items()}


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


def _row(judgment: Judgment) -> dict[str, Any]:
    stats = judgment.stats
    if isinstance(stats, Skipped):
        return {"skipped": stats.reason}
    if isinstance(stats, Failure):
        return {"error": {"kind": stats.kind, "message": stats.message}}
    return {"stats": list(stats), "reason": judgment.reason}


def _judgment(row: Mapping[str, Any]) -> Judgment:
    if "skipped" in row:
        return Judgment(Skipped(row["skipped"]))
    if "error" in row:
        return Judgment(Failure(row["error"]["kind"], row["error"]["message"]))
    return Judgment(tuple(row["stats"]), row.get("reason", ""))
