"""Rubric: named levels, each described, each worth a score; or pass and fail."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmkit.judges import block, judge, question
from llmkit.judges._verdicts import ChoiceJudge
from llmkit.types import Output, Sample

_INSTRUCTIONS = (
    "You assess the answer of an assistant to a user's question against a rubric. Choose the one level whose "
    "description fits the answer best. Where an answer lies between two levels, choose the lower one. Length, "
    "formatting and a confident tone earn nothing unless the rubric names them. The levels:\n{levels}\n"
)


@judge("rubric")
@dataclass(frozen=True)
class Rubric(ChoiceJudge):
    """Level that an answer reaches on a rubric of your own, by a model.

    Formula: the mean of the scores of the levels chosen. Range lowest to highest score, higher is better. The report
    shows how often each level was given.

    Use it for quality in a few named degrees, which judges apply more steadily than numbers; two levels make a
    pass/fail judge with a reason. Describe what can be seen in an answer, not how good it is. Not for lists of
    independent requirements (`checklist`).

    Source: rubric grading as in Prometheus (Kim et al. 2023, arXiv 2310.08491); the prompt is our own.

    Attributes:
        levels: Each level's name with its score, or with ``{score: ..., means: "..."}``. In the place of it:
        passes: What an answer must do to pass: two levels, ``pass`` (1) and ``fail`` (0).
        reference: Whether the row's references are shown to the judge.
    """

    levels: dict[str, Any] = field(default_factory=dict)
    passes: str = ""
    reference: bool = True

    def __post_init__(self) -> None:
        if bool(self.levels) == bool(self.passes.strip()):
            raise ValueError("give 'levels' (names with scores) or 'passes' (what an answer must do), one of the two")
        if self.levels and len(self.levels) == 1:
            raise ValueError("a rubric needs two levels or more")
        for name, level in self.levels.items():
            score = level.get("score") if isinstance(level, Mapping) else level
            if isinstance(score, bool) or not isinstance(score, (int, float)):
                raise ValueError(
                    f"the level '{name}' has no score; write '{name}: 1' or '{name}: {{score: 1, means: ...}}'"
                )
            if not math.isfinite(score):
                raise ValueError(f"the score of the level '{name}' is {score:g}, which is no number to average")
            extra = sorted(set(level) - {"score", "means"}) if isinstance(level, Mapping) else []
            if extra:
                raise ValueError(f"the level '{name}' has an unknown key '{extra[0]}'; it takes score and means")

    @property
    def menu(self) -> Mapping[str, float]:
        """The levels with their scores."""
        if self.passes:
            return {"pass": 1.0, "fail": 0.0}
        return {
            name: float(level["score"] if isinstance(level, Mapping) else level) for name, level in self.levels.items()
        }

    @property
    def instructions(self) -> str:
        """What the judge is told to do, with the levels."""
        if self.passes:
            lines = [f"- pass: {self.passes}", "- fail: it does not."]
        else:
            means = {
                name: level.get("means", "") if isinstance(level, Mapping) else ""
                for name, level in self.levels.items()
            }
            lines = [f"- {name}: {text}" if text else f"- {name}" for name, text in means.items()]
        return _INSTRUCTIONS.format(levels="\n".join(lines))

    def material(self, sample: Sample, output: Output) -> Sequence[str]:
        """The question, the references where they are shown, and the answer."""
        references = [block("reference answer", text) for text in sample.references] if self.reference else []
        return [question(sample, output), *references, block("answer", output.text or "")]
