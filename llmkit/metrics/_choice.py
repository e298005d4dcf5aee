"""What a run recorded of multiple choice, and which choice each program's rule makes of it.

A run with ``choice:`` keeps for every rule what the target said, in ``output.response.extra["choice"]``:
``{"logprobs", "tokens", "unconditional"}``, one number a choice, or ``{"text"}`` where the answer was generated, or
``{"unsupported"}`` with the reason why the target could not be asked so. Choosing is pure, so a run can be re-scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from llmkit.prompts.choice import RULES
from llmkit.types import Output, Sample, Skipped

RuleName: TypeAlias = Literal["original", "helm", "harness", "harness_continuation", "harness_2023"]
Normalise: TypeAlias = Literal["none", "token", "char", "byte", "pmi"]

NO_RECORD = "the answers hold nothing for the rule '{}': it is not in the config's choice.rules"
NO_CHOICES = Skipped("the row has no choices")
NO_GOLD = Skipped("no gold label: the answer is no index into the choices, and none of their letters or texts")
NO_UNCONDITIONAL = Skipped("pmi needs the answers' own likelihoods: write 'unconditional: true' under choice")

MISSING = -100.0
"""The log-probability that the original program gives a letter which is not among the likeliest tokens."""


def gold_of(sample: Sample) -> int | Skipped:
    """Return the index of the right choice; the answer is an index, a letter or the text of a choice."""
    if not sample.choices:
        return NO_CHOICES
    answer = sample.answer
    if isinstance(answer, int):
        return answer if 0 <= answer < len(sample.choices) else NO_GOLD
    letters = RULES["harness"].answers(sample.choices)
    for names in (letters, sample.choices):
        if answer in names:
            return names.index(answer)
    return NO_GOLD


def chosen(sample: Sample, output: Output, rule: str, normalise: str) -> int | Skipped | None:
    """Return the index of the choice that a rule makes of an output; None where the answer names no choice."""
    kept = output.response.extra.get("choice", {}) if output.response else {}
    found = kept.get(rule) if isinstance(kept, Mapping) else None
    if not isinstance(found, Mapping):
        return Skipped(NO_RECORD.format(rule))
    if "unsupported" in found:
        return Skipped(str(found["unsupported"]))
    answers = RULES[rule].answers(sample.choices)
    if RULES[rule].generates:
        text = str(found.get("text", "")).strip()
        return answers.index(text) if text in answers else None
    logprobs = [MISSING if value is None else float(value) for value in found.get("logprobs", ())]
    if len(logprobs) != len(answers):
        return Skipped(f"the run kept {len(logprobs)} log-probabilities for {len(answers)} choices")
    values = _normalised(logprobs, answers, found, normalise)
    # The first of equals, as numpy's argmax has it in every one of the programs.
    return values if isinstance(values, Skipped) else values.index(max(values))


def _normalised(
    logprobs: list[float], answers: Sequence[str], found: Mapping[str, Any], normalise: str
) -> list[float] | Skipped:
    if normalise == "none":
        return logprobs
    if normalise == "pmi":
        before = found.get("unconditional") or ()
        if len(before) != len(logprobs):
            return NO_UNCONDITIONAL
        return [after - float(alone) for after, alone in zip(logprobs, before, strict=True)]
    lengths = _lengths(answers, found, normalise)
    if len(lengths) != len(logprobs) or not all(lengths):
        return Skipped("a choice without text has no length to divide by")
    return [logprob / length for logprob, length in zip(logprobs, lengths, strict=True)]


def _lengths(answers: Sequence[str], found: Mapping[str, Any], normalise: str) -> list[int]:
    """Return how long each answer is, without the space before it; tokens are those that were scored."""
    if normalise == "token":
        return [int(count) for count in found.get("tokens", ())]
    return [len(answer.encode()) if normalise == "byte" else len(answer) for answer in answers]


def is_right(sample: Sample, pick: int | None, gold: int, rule: str) -> bool:
    """Return whether a choice is right: the gold one, and for a rule that generates also one of the same text."""
    if pick is None:
        return False
    if RULES[rule].generates:
        return sample.choices[pick].strip() == sample.choices[gold].strip()
    return pick == gold
