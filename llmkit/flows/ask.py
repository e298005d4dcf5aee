"""How a sample becomes questions: the dialogue between one eval row and the system under test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmkit.prompts import Template
from llmkit.protocols import Dialogue
from llmkit.types import Message, Output, Passage, Request, Response, Sample


@dataclass(frozen=True, slots=True)
class Asker:
    """Makes the dialogue of a sample.

    Attributes:
        template: The prompt; without one the input is sent as it is.
        shots: Returns the few-shot examples to show before a sample, never the sample itself.
        give_sample: Whether the target is code that sees the row (`Provider.wants_sample`).
        give_output: Whether the row's recorded output goes along (the ``recorded`` target).
    """

    template: Template
    shots: Callable[[Sample], Sequence[Sample]]
    give_sample: bool = False
    give_output: bool = False

    def dialogue(self, sample: Sample, repeat: int) -> Dialogue[Output]:
        """Ask the input, then every further turn after the answer to the one before."""
        row = row_for_target(sample, with_output=self.give_output) if self.give_sample else None
        messages = list(self.template.messages(sample, self.shots(sample)))
        answers: list[str] = []
        passages: list[Passage] = []
        [response] = yield [Request(messages=tuple(messages), sample=row, repeat=repeat)]
        answers.append(response.text)
        passages.extend(response.retrieved)
        for turn in sample.turns:
            messages.append(_assistant(response))
            messages.append({"role": "user", "content": turn})
            [response] = yield [Request(messages=tuple(messages), sample=row, repeat=repeat)]
            answers.append(response.text)
            passages.extend(response.retrieved)
        return Output(
            sample_id=sample.id,
            text=response.text,
            repeat=repeat,
            response=response,
            turns=tuple(answers) if sample.turns else (),
            retrieved=tuple(passages),
        )

    def first_request(self, sample: Sample, repeat: int) -> Request:
        """Return the request that opens the dialogue; what a dry run counts."""
        return next(self.dialogue(sample, repeat))[0]


def row_for_target(sample: Sample, *, with_output: bool) -> Mapping[str, Any]:
    """Return what a target that is code may see of a row: never the references or the answer."""
    row: dict[str, Any] = {"id": sample.id, "input": sample.input}
    for name in ("turns", "contexts", "choices"):
        value = getattr(sample, name)
        if value:
            row[name] = list(value)
    if sample.meta:
        row["meta"] = sample.meta
    if with_output:
        row["output"] = sample.output
    return row


def _assistant(response: Response) -> Message:
    message: dict[str, Any] = {"role": "assistant", "content": response.text}
    if response.tool_calls:
        message["tool_calls"] = list(response.tool_calls)
    return message
