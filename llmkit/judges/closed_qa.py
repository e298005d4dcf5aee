"""Closed question: does the answer meet a criterion, yes or no?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmkit.judges import block, judge, question
from llmkit.judges._verdicts import ChoiceJudge
from llmkit.types import Output, Sample

_INSTRUCTIONS = (
    "You decide whether the answer of an assistant to a user's question meets one criterion. Look at this criterion "
    "alone: an answer that is bad in other ways can meet it, and a good one can miss it. Where the answer leaves it "
    "open, it does not meet it."
)
_SCORES: Mapping[str, float] = {"yes": 1.0, "no": 0.0}


@judge("closed_qa")
@dataclass(frozen=True)
class ClosedQa(ChoiceJudge):
    """Share of answers that meet a criterion, by a model's yes or no.

    Formula: 1 for yes, 0 for no, averaged. Range 0 to 1, higher is better. The last verdict in an answer counts.

    Use it for one clear requirement that code cannot check: "names the price and the currency", "refuses politely". Not
    for several at once (`checklist`), nor for degrees (`rubric`, `geval`).

    Source: the closed question-answering template of the field's evaluation programs (openai/evals, autoevals); the
    prompt is our own.

    Attributes:
        criterion: What the answer must do or be, in words.
        reference: Whether the row's references are shown to the judge.
    """

    criterion: str
    reference: bool = False

    def __post_init__(self) -> None:
        if not self.criterion.strip():
            raise ValueError("'criterion' is empty; say what the answer must do")

    @property
    def menu(self) -> Mapping[str, float]:
        """Yes and no."""
        return _SCORES

    @property
    def instructions(self) -> str:
        """What the judge is told to do."""
        return _INSTRUCTIONS

    def material(self, sample: Sample, output: Output) -> Sequence[str]:
        """The question, the references where they are shown, the answer and the criterion."""
        references = [block("reference answer", text) for text in sample.references] if self.reference else []
        asked = f"Does the answer meet this criterion?\n{block('criterion', self.criterion)}"
        return [question(sample, output), *references, block("answer", output.text or ""), asked]
