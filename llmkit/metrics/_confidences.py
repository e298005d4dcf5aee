"""How sure an answer is, and whether it is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from llmkit.errors import Problem
from llmkit.metrics import RowsMetric
from llmkit.metrics._json_answer import json_answer
from llmkit.metrics._label_tokens import NO_TOKENS
from llmkit.metrics._labels import Extract
from llmkit.metrics._probabilities import ScoreFields, dig
from llmkit.types import Output, Sample, Skipped

NOT_A_PROBABILITY = Skipped("the confidence is not between 0 and 1")


@dataclass(frozen=True)
class ConfidenceFields(ScoreFields):
    """Where confidences come from; every metric of confidences has these fields.

    A row with a number for each label answers the label with the greatest (of equal ones the first) and is as sure as
    that number says. One number a row is the probability of the positive label where ``positive`` is given or the
    output is the number; else it is how sure the output is of the label that it names.

    Attributes:
        source: Where the confidence is. ``output``: the output is the probability of the positive label. ``json``: in
            the output's JSON, at ``key``. ``meta``: in the row's field ``key``. ``logprobs``: the log-probabilities of
            the token that begins the label, and of its alternatives, renormalised over the known labels.
            ``loglikelihoods``: of the choices, through a softmax. ``likelihood``: the probability of the whole output,
            the product of its tokens'.
        answer: Field of the output's JSON that holds the label; dots reach inside. Empty: the output is the label.
        extract: How the label is read where a row has one number: ``exact``: the whole output; ``first`` or ``last``:
            the known label found in it.
    """

    source: Literal["output", "json", "meta", "logprobs", "loglikelihoods", "likelihood"] = "output"
    answer: str = ""
    extract: Extract = "exact"

    @property
    def extraction(self) -> Extract:
        """How a predicted label is read."""
        return self.extract

    def problems(self) -> Sequence[Problem]:
        """Return what does not fit together in the fields."""
        found = list(super().problems())
        if self.answer and self.source != "json":
            found.append(Problem("answer has a meaning for source=json only"))
        if self.source == "likelihood" and self.positive:
            found.append(Problem("positive has no meaning for source=likelihood: it rates the answer given"))
        return found

    def confidence(self, sample: Sample, output: Output) -> tuple[float, float] | Skipped:
        """Return how sure the answer is, between 0 and 1, and 1 where it is right, else 0."""
        if self.source == "likelihood":
            tokens = output.response.logprobs if output.response else ()
            sure = min(1.0, math.exp(sum(token.logprob for token in tokens)))
            return self._of_answer(sample, output, sure) if tokens else NO_TOKENS
        scores = self.scores(sample, output)
        if isinstance(scores, Skipped):
            return scores
        if not isinstance(scores, dict) and not self.positive and self.source != "output":
            return self._of_answer(sample, output, scores)
        found = self.distribution(sample, output)
        if isinstance(found, Skipped):
            return found
        probabilities, gold = found
        answer = max(probabilities, key=probabilities.__getitem__)
        return probabilities[answer], float(answer == gold)

    def _of_answer(self, sample: Sample, output: Output, sure: float) -> tuple[float, float] | Skipped:
        if not 0 <= sure <= 1:
            return NOT_A_PROBABILITY
        if self.answer:
            said = dig(json_answer(output.text or "", "anywhere"), self.answer)
            if said is None or isinstance(said, (dict, list)):
                return Skipped("the output's JSON has no label where answer looks")
            output = replace(output, text=str(said).lower() if isinstance(said, bool) else str(said))
        pair = self._label.gold_and_predicted(sample, output)
        return pair if isinstance(pair, Skipped) else (sure, float(pair[0] == pair[1]))


@dataclass(frozen=True)
class ConfidenceRows(ConfidenceFields, RowsMetric):
    """A metric of confidences that sees all rows."""

    bounds = (0.0, 1.0)

    def stats(self, sample: Sample, output: Output) -> tuple[float, float] | Skipped:
        """Return the confidence, and 1 for a right answer, else 0."""
        return self.confidence(sample, output)

    def sample_value(self, stats: Sequence[float | str]) -> float | None:
        """Return None: one row has no such value."""
        return None
