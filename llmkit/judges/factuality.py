"""Factuality: how the facts of an answer relate to those of an expert's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llmkit.judges import block, judge, question
from llmkit.judges._verdicts import ChoiceJudge
from llmkit.types import Output, Sample, Skipped

_INSTRUCTIONS = (
    "You compare the facts in an assistant's answer with those in an expert's answer to the same question. Style, "
    "grammar, order and length do not matter, only what is claimed. Choose the one class that fits:\n"
    "A: the answer's facts are a part of the expert's, and none conflicts with them.\n"
    "B: the answer holds all of the expert's facts and more, and none conflicts with them.\n"
    "C: the answer holds the same facts as the expert's.\n"
    "D: the answer and the expert's disagree on a fact.\n"
    "E: they differ, but in nothing that matters for whether the answer is true.\n"
)


def _scores() -> dict[str, float]:
    return {"A": 0.4, "B": 0.6, "C": 1.0, "D": 0.0, "E": 1.0}


@judge("factuality")
@dataclass(frozen=True)
class Factuality(ChoiceJudge):
    """Agreement of an answer's facts with the reference, in five classes, by a model.

    Formula: the mean of the classes' scores: A (a consistent part of the reference) 0.4, B (all of it and more) 0.6,
    C (the same) 1, D (a contradiction) 0, E (differences that do not matter) 1. Range 0 to 1, higher is better.

    Use it where references are complete and answers are free text. Not where the reference is only one of many right
    answers (`grade`, `rubric`), nor to check an answer against passages (`faithfulness`). The scores of A and B are a
    convention, not a finding: say in ``scores`` what a partial answer is worth to you.

    Rows without a reference are skipped; with several, the first is the expert's.

    Source: the five classes and their scores are those of openai/evals' ``fact`` template and autoevals' Factuality;
    the prompt is our own.

    Attributes:
        scores: What each class counts, ``{A: 0.4, B: 0.6, C: 1, D: 0, E: 1}``.
    """

    scores: dict[str, float] = field(default_factory=_scores)

    needs = ("references",)

    def __post_init__(self) -> None:
        if sorted(self.scores) != list("ABCDE"):
            raise ValueError(f"'scores' must name the classes A, B, C, D and E, and names {', '.join(self.scores)}")

    @property
    def menu(self) -> Mapping[str, float]:
        """The classes with their scores."""
        return {label: float(self.scores[label]) for label in "ABCDE"}

    @property
    def instructions(self) -> str:
        """What the judge is told to do."""
        return _INSTRUCTIONS

    def material(self, sample: Sample, output: Output) -> Sequence[str] | Skipped:
        """The question, the expert's answer and the answer."""
        if not sample.references:
            return Skipped("no reference")
        return [
            question(sample, output),
            block("expert answer", sample.references[0]),
            block("answer", output.text or ""),
        ]
