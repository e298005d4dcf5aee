"""G-Eval: criteria, evaluation steps, form filling, and a score weighted by the model's own probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from llmkit.errors import RequestError
from llmkit.hashing import digest
from llmkit.judges import GUARD, Fault, ModelJudge, asked, block, judge, last_number, question, together
from llmkit.judges._numbers import Weighed, weighed
from llmkit.judges._steps import found_steps, read_steps, steps_path, steps_text
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Judgment, Message, Output, Request, Response, Sample, Table

_WORDS = {
    "coherence": "Coherence: the sentences of the answer belong together. It has a clear order, each sentence follows "
    "from what came before, and the whole reads as one text and not as a heap of facts.",
    "consistency": "Consistency: everything the answer states is supported by the text it is about. A statement that "
    "the text does not make, or contradicts, lowers the score, however plausible it is.",
    "fluency": "Fluency: the language of the answer is sound: grammar, spelling, punctuation, choice of words and the "
    "build of its sentences.",
    "relevance": "Relevance: the answer holds what matters of what was asked for and leaves out what does not. Missing "
    "points, repetition and excess lower the score.",
    "correctness": "Correctness: what the answer claims is true and agrees with the reference answer where there is "
    "one. Each wrong or missing fact lowers the score; wording and style do not matter.",
}
"""Criteria by name."""
_SCALES = {"fluency": (1, 3)}
_SCALE = (1, 5)
_SYSTEM = "You rate one quality of an assistant's answer, carefully and by the steps you are given."
_WRITE_STEPS = (
    "A model will rate answers by one criterion, on a scale of whole numbers from {low} to {high}.\n\n{criterion}\n\n"
    "It is shown: {shows}. Write the steps it should go through to reach a score: what to read, what to look for, what "
    "lowers the score and by how much. Write three to six numbered steps, one a line, and nothing else."
)
_ASK = "Give the score as one whole number from {low} to {high}. Write the number alone and nothing else."
_SHOWN = {
    "input": "the question",
    "contexts": "the passages it was answered from",
    "references": "reference answers",
    "output": "the answer",
}
_TOP = 20
_LEAST_ANSWERED = 0.5
_FIRST = 5
"""Samples asked before the others: where none of them is a number, the others are not paid for."""
Part = Literal["input", "contexts", "references", "output"]


@judge("geval")
@dataclass(frozen=True)
class Geval(ModelJudge):
    """Score of each answer on one criterion, weighted by the judge's own probabilities.

    Formula: sum over the scale of p(s) * s, with p the judge's probabilities of the whole numbers of the scale, made to
    sum to 1; the mean over the answers. Range ``scale``, higher is better. Where the endpoint gives no
    log-probabilities, or less than ``least_mass`` of them lies on the scale, it is the mean of ``samples`` answers at
    temperature 1, with its standard error; what is not a number on the scale is left out there and counted, and never
    taken for 0; where none of the first five is one, no more are asked. The report says how many rows were scored in
    which way.

    The steps of the evaluation are written by the model once, into a file under ``folder`` that is read and committed
    like code; they are part of the signature, and never written again while the file is there.

    Use it for qualities of free text that can be said in words and have degrees. Several criteria are several judges.
    Its numbers are finer than grades and no truer: measure it against people with ``llmkit audit``. Not for facts that
    a reference decides (`factuality`), nor for comparing two systems closely (`pairwise`).

    Source: G-Eval (Liu et al. 2023, arXiv 2303.16634). Unlike its program, an answer that cannot be read is never 0;
    unlike other programs' versions, probability off the scale counts as missing, and "1" and "10" are told apart.
    Criteria and prompts are our own.

    Attributes:
        criteria: ``coherence``, ``consistency``, ``fluency``, ``relevance`` or ``correctness``, or a text of your own.
        scale: Lowest and highest whole number; without it the criterion's own, else 1 to 5.
        steps: The evaluation steps; without them they are in a file of ``folder``.
        folder: Where files of steps are kept.
        shows: What the judge is shown: ``input``, ``contexts``, ``references``, ``output``; by default all.
        probabilities: ``auto`` takes them where the endpoint gives them, ``never`` samples.
        least_mass: How much probability must lie on the scale.
        samples: How many answers are sampled where probabilities cannot be had.
        rescale: Put the score on 0 to 1.
    """

    criteria: str
    scale: tuple[int, int] | None = None
    steps: list[str] = field(default_factory=list)
    folder: Path = field(default=Path("judges"), metadata={"identity": False, "signature": False})
    shows: tuple[Part, ...] = ("input", "contexts", "references", "output")
    probabilities: Literal["auto", "never"] = "auto"
    least_mass: float = 0.9
    samples: int = 20
    rescale: bool = False

    def __post_init__(self) -> None:
        if not self.criteria.strip():
            raise ValueError("'criteria' is empty; say what to score")
        low, high = self.range
        if not 0 <= low < high:
            raise ValueError(f"scale is {low} to {high}: two whole numbers from 0, the lowest first")
        if "output" not in self.shows:
            raise ValueError("'shows' leaves out the output, which is what is judged")
        if not 0 < self.least_mass <= 1:
            raise ValueError(f"least_mass is {self.least_mass:g}: a share, above 0 and at most 1")
        if self.samples < 2:  # noqa: PLR2004 - a standard error needs two
            raise ValueError(f"samples is {self.samples}: at least 2, for a standard error")
        if not self.unprepared:
            self._steps()

    @property
    def criterion(self) -> str:
        """The criterion in words."""
        return _WORDS.get(self.criteria, self.criteria)

    @property
    def range(self) -> tuple[int, int]:
        """The scale."""
        return self.scale if self.scale is not None else _SCALES.get(self.criteria, _SCALE)

    @property
    def path(self) -> Path:
        """Where the steps are kept."""
        return steps_path(self.folder, self.criteria, self._asked_for)

    @property
    def bounds(self) -> tuple[float, float]:
        """The scale, or 0 to 1."""
        return (0.0, 1.0) if self.rescale else self.range

    @property
    def needs(self) -> tuple[str, ...]:
        """Nothing: what a row lacks is not shown."""
        return ()

    @property
    def settings(self) -> dict[str, Any]:
        """Every field, with the scale that is meant; the steps are in the prompt's digest."""
        return {**{k: v for k, v in super().settings.items() if k != "steps"}, "scale": self.range}

    @property
    def prompt_digest(self) -> str:
        """Of the texts that are sent, the steps included."""
        return digest([_SYSTEM, GUARD, _ASK, self.criterion, [] if self.unprepared else self._steps()], 4)

    @property
    def _asked_for(self) -> str:
        """What the steps are written for: the criterion, the scale, and what is shown."""
        low, high = self.range
        return f"{self.criterion} | {low} to {high} | {', '.join(self.shows)}"

    @cached_property
    def _written(self) -> list[str]:
        return read_steps(self.path, self._asked_for)

    def _steps(self) -> list[str]:
        return self.steps or self._written

    @property
    def unprepared(self) -> bool:
        """Whether the steps are still to be written."""
        return not self.steps and not self.path.exists()

    def prepare(self) -> Dialogue[dict[Path, str]]:
        """Have the steps written.

        Raises:
            RequestError: the model gave none.
        """
        low, high = self.range
        shown = ", ".join(_SHOWN[part] for part in self.shows)
        text = _WRITE_STEPS.format(low=low, high=high, criterion=self.criterion, shows=shown)
        by = ""

        def read(response: Response) -> list[str] | Fault:
            nonlocal by
            by = response.model
            return found_steps(response.text) or Fault("off_form", "there is no numbered step in it")

        found = yield from asked([{"role": "user", "content": text}], read, params=self.params)
        if isinstance(found, Failure):
            raise RequestError(f"it wrote no evaluation steps: {found.message}", kind=found.kind)
        return {self.path: steps_text(self._asked_for, found, by)}

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Ask for the number, by its probabilities or several times."""
        chat = self._chat(sample, output)
        if self.probabilities == "auto":
            weights = yield from self._weigh(chat)
            if weights is not None and weights.mass >= self.least_mass:
                return Judgment((self._scaled(weights.mean), weights.mass, 0.0, 0.0, 1.0), _told(weights))
        return (yield from self._sample(chat))

    def _weigh(self, chat: Sequence[Message]) -> Dialogue[Weighed | None]:
        """Ask once with log-probabilities; None where the endpoint has none to give."""
        params = {**self.params, "max_tokens": len(str(self.range[1])) + 1, "logprobs": True, "top_logprobs": _TOP}
        try:
            [response] = yield [Request(messages=tuple(chat), params=params)]
        except RequestError as error:
            if "logprob" in str(error).casefold():
                return None
            raise
        return weighed(response.logprobs, *self.range)

    def _sample(self, chat: Sequence[Message]) -> Dialogue[Judgment]:
        """Ask several times at temperature 1; what is no number on the scale is left out."""
        params = {**self.params, "temperature": 1.0}
        numbers: list[float] = []
        failures: list[Failure] = []
        last = 0
        for upto in (min(_FIRST, self.samples), self.samples):
            found = yield from together([self._one(chat, params, number) for number in range(last + 1, upto + 1)])
            numbers += [item for item in found if not isinstance(item, Failure)]
            failures += [item for item in found if isinstance(item, Failure)]
            last = upto
            if not numbers:
                break
        if len(numbers) < max(2, _LEAST_ANSWERED * last):
            few = f"only {len(numbers)} of {last} answers are a number on the scale"
            return Judgment(Failure(failures[0].kind, f"{few}; of the others, {failures[0].message}"))
        mean = sum(numbers) / len(numbers)
        spread = math.sqrt(sum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1) / len(numbers))
        low, high = self.range
        error = spread / (high - low) if self.rescale else spread
        reason = f"{mean:.3g} over {len(numbers)} answers, standard error {spread:.2g}"
        return Judgment((self._scaled(mean), 0.0, error, float(len(failures)), 0.0), reason)

    def _one(self, chat: Sequence[Message], params: Mapping[str, Any], number: int) -> Dialogue[float | Failure]:
        low, high = self.range

        def read(response: Response) -> float | Fault:
            named = last_number(response.text, low, high, after="Score:", whole=True)
            if not isinstance(named, Fault):
                return named
            return last_number(f"Score: {response.text.strip()}", low, high, after="Score:", whole=True)

        return (yield from asked(chat, read, params=params, again=0, repeat=number))

    def _scaled(self, score: float) -> float:
        low, high = self.range
        return (score - low) / (high - low) if self.rescale else score

    def _chat(self, sample: Sample, output: Output) -> list[Message]:
        low, high = self.range
        steps = ["(to be written)"] * 5 if self.unprepared else self._steps()
        passages = [passage.text for passage in output.retrieved] or list(sample.contexts)
        parts = [self.criterion, "Steps:\n" + "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))]
        if "input" in self.shows:
            parts.append(question(sample, output))
        if "contexts" in self.shows:
            parts += [block(f"passage {number}", text) for number, text in enumerate(passages, 1)]
        if "references" in self.shows:
            parts += [block("reference answer", text) for text in sample.references]
        parts += [block("answer", output.text or ""), _ASK.format(low=low, high=high)]
        return [
            {"role": "system", "content": f"{_SYSTEM} {GUARD}"},
            {"role": "user", "content": "\n\n".join(parts)},
        ]

    def details(self, table: Table) -> dict[str, Any]:
        """Return how many rows were scored in which way, and how sure each way was."""
        masses, errors, dropped, ways = ([float(item) for item in column] for column in table.columns[1:5])
        weighed_rows = [mass for mass, way in zip(masses, ways, strict=True) if way]
        sampled = [error for error, way in zip(errors, ways, strict=True) if not way]
        notes = []
        if weighed_rows:
            mean = sum(weighed_rows) / len(weighed_rows)
            notes.append(
                f"{len(weighed_rows)} rows scored by log-probabilities; on average {mean:.1%} of the probability lies "
                f"on the scale, at least {min(weighed_rows):.1%}."
            )
        if sampled:
            notes.append(
                f"{len(sampled)} rows scored by {self.samples} samples each; mean standard error "
                f"{sum(sampled) / len(sampled):.3g}; samples that were no number on the scale: {int(sum(dropped))}."
            )
        return {"notes": notes}


def _told(weights: Weighed) -> str:
    shares = ", ".join(f"{number}: {share:.1%}" for number, share in weights.shares.items() if share >= 0.001)  # noqa: PLR2004
    return f"probabilities {shares}; on the scale {weights.mass:.1%}"
