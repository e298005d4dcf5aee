"""How a sample becomes questions: the dialogue between one eval row and the system under test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, Literal, TypeVar

from llmkit.prompts import Template
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Message, Output, Passage, Request, Response, Sample

N = TypeVar("N", int, float)

JUDGMENTS = "qrels"
"""The meta field with the relevant documents of a question; gold, as the references are."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Makes the dialogue of a sample.

    Attributes:
        template: The prompt; without one the input is sent as it is.
        shots: Returns the few-shot examples to show before a sample, never the sample itself.
        give_sample: Whether the target is code that sees the row (`Provider.wants_sample`).
        give_output: Whether the row's recorded output goes along (the ``recorded`` target).
        ask: What is asked for: an answer, or the log-likelihoods of the row's references or choices.
    """

    template: Template
    shots: Callable[[Sample], Sequence[Sample]]
    give_sample: bool = False
    give_output: bool = False
    ask: Literal["answer", "references", "choices"] = "answer"

    def dialogue(self, sample: Sample, repeat: int) -> Dialogue[Output]:
        """Ask the input, then every further turn after the answer to the one before."""
        if self.ask != "answer":
            return (yield from self._likelihoods(sample, repeat))
        row = row_for_target(sample, with_output=self.give_output) if self.give_sample else None
        messages = list(self.template.messages(sample, self.shots(sample.original or sample)))
        [response] = yield [Request(messages=tuple(messages), sample=row, repeat=repeat)]
        responses = [response]
        for turn in sample.turns:
            messages.append(_assistant(response))
            messages.append({"role": "user", "content": turn})
            [response] = yield [Request(messages=tuple(messages), sample=row, repeat=repeat)]
            responses.append(response)
        return Output(
            sample_id=sample.id,
            text=response.text,
            repeat=repeat,
            response=whole(responses),
            turns=tuple(answer.text for answer in responses) if sample.turns else (),
            retrieved=_retrieved(responses),
        )

    def _likelihoods(self, sample: Sample, repeat: int) -> Dialogue[Output]:
        """Ask how likely each reference or choice is; the answer is the likeliest choice, and without choices none."""
        texts = sample.references if self.ask == "references" else sample.choices
        if not texts and self.ask == "references":
            return Output(sample.id, "", repeat)
        if not texts:
            return unanswered(sample, repeat, "no_choices", "the row has no choices to ask for")
        messages = tuple(self.template.messages(sample, self.shots(sample.original or sample)))
        [response] = yield [Request(messages=messages, kind="loglikelihood", texts=texts, repeat=repeat)]
        found = [item.logprob for item in response.loglikelihoods]
        if len(found) != len(texts):
            return unanswered(sample, repeat, "no_loglikelihoods", f"asked for {len(texts)}, got {len(found)}")
        text = "" if self.ask == "references" else texts[found.index(max(found))]
        return Output(sample.id, text, repeat, response)


def row_for_target(sample: Sample, *, with_output: bool) -> Mapping[str, Any]:
    """Return what a target that is code may see of a row: never the references, the answer or the judgments.

    A reworded row goes by the id of the row itself, so that nothing tells that it is one.
    """
    row: dict[str, Any] = {"id": (sample.original or sample).id, "input": sample.input}
    for name in ("turns", "contexts", "choices"):
        value = getattr(sample, name)
        if value:
            row[name] = list(value)
    meta = {name: value for name, value in sample.meta.items() if name != JUDGMENTS}
    if meta:
        row["meta"] = meta
    if with_output:
        row["output"] = sample.output
    return row


def unanswered(sample: Sample, repeat: int, kind: str, message: str) -> Output:
    """Return the output of a row that could not be asked, or was not answered in form."""
    return Output(sample.id, None, repeat, error=Failure(kind, message))


def whole(responses: Sequence[Response]) -> Response:
    """Return the last answer of a conversation with the tokens and the cost of all its turns."""
    if len(responses) == 1:
        return responses[0]
    return replace(
        responses[-1],
        tokens_in=_sum([answer.tokens_in for answer in responses]),
        tokens_out=_sum([answer.tokens_out for answer in responses]),
        tokens_cached=_sum([answer.tokens_cached for answer in responses]),
        cost=_sum([answer.cost for answer in responses]),
        cached=all(answer.cached for answer in responses),
    )


def _sum(parts: Sequence[N | None]) -> N | None:
    """Return the sum; None where a part is unknown."""
    known = [part for part in parts if part is not None]
    return reduce(add, known) if len(known) == len(parts) else None


def _assistant(response: Response) -> Message:
    message: dict[str, Any] = {"role": "assistant", "content": response.text}
    if response.tool_calls:
        message["tool_calls"] = list(response.tool_calls)
    return message


def _retrieved(responses: Sequence[Response]) -> Sequence[Passage]:
    if len(responses) == 1:
        return responses[0].retrieved
    return tuple(passage for answer in responses for passage in answer.retrieved)
