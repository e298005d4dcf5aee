"""Accuracy in multiple choice, by the rule of the program whose figures it is to be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmkit.errors import ConfigError, Problem
from llmkit.metrics import BaseMetric, metric
from llmkit.metrics._choice import Normalise, RuleName, chosen, gold_of, is_right
from llmkit.prompts.choice import RULES
from llmkit.prompts.compiler import letter
from llmkit.types import Output, Sample, Skipped, Table

_FEW = 20
"""With fewer rows than this, gold answers may stand in one place by chance."""


@metric("choice_accuracy")
@dataclass(frozen=True)
class ChoiceAccuracy(BaseMetric):
    """Share of questions where the chosen answer is the right one, chosen as one of the field's programs does.

    Formula: right rows / rows (the micro mean). Range 0 to 1, higher is better. The details have the macro mean over
    subjects, and what always answering with the same letter would score.

    A rule decides both the prompt and the choice. ``original``, ``harness``: the likeliest letter.
    ``harness_continuation``, ``harness_2023``: the likeliest full answer, the first of equals. ``helm``: a letter is
    generated; any other text is wrong, and so is an empty one. A target that gives no log-probabilities is skipped by
    every rule but ``helm``. The config must ask by the rule: ``choice: {rules: [original]}``.

    Use it to compare with published figures, and `choice_spread` to see how much the rule alone moves them. Not for
    chats that answer in sentences: `accuracy` with ``extract``.

    Sources: MMLU (Hendrycks et al. 2021, arXiv 2009.03300; hendrycks/test), HELM (Liang et al. 2022, arXiv
    2211.09110) and EleutherAI's lm-evaluation-harness: its ``acc`` is ``normalise: none``, ``acc_norm`` is ``char``,
    ``acc_bytes`` is ``byte``. PMI: Holtzman et al. 2021 (arXiv 2104.08315), after "Answer:" as HELM's calibrated
    choices. The original program looks at the 100 likeliest tokens and gives other letters -100; here every letter is
    scored, so that the choices differ only where all letters are missing there.

    Attributes:
        rule: Whose prompt and decision.
        normalise: What a choice's log-likelihood is divided by: ``token``, ``char`` or ``byte`` lengths of the answer
            without the space before it; ``pmi`` takes away its likelihood without the question.
        subject: The meta field that the macro mean groups by.
    """

    rule: RuleName = "original"
    normalise: Normalise = "none"
    subject: str = "subject"

    bounds = (0.0, 1.0)
    needs = ("choices", "answer")
    asks = ("choice",)

    def __post_init__(self) -> None:
        if RULES[self.rule].generates and self.normalise != "none":
            message = f"normalise: the rule '{self.rule}' generates its answer, and has no likelihoods to normalise"
            raise ConfigError(problems=[Problem(message, hint="leave normalise out")])

    @property
    def binary(self) -> bool:
        """Always true."""
        return True

    @property
    def variants(self) -> tuple[tuple[str, str], ...]:
        """The rule and the normalisation that it needs of a run."""
        return ((self.rule, self.normalise),)

    def stats(self, sample: Sample, output: Output) -> tuple[float, str, str] | Skipped:
        """Return whether the choice is right, the gold letter, and the subject."""
        gold = gold_of(sample)
        if isinstance(gold, Skipped):
            return gold
        pick = chosen(sample, output, self.rule, self.normalise)
        if isinstance(pick, Skipped):
            return pick
        right = is_right(sample, pick, gold, self.rule)
        return float(right), letter(gold), str(sample.meta.get(self.subject, ""))

    def sample_value(self, stats: Sequence[float | str]) -> float:
        """Return 1 for a right choice, else 0."""
        return float(stats[0])

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return the mean."""
        return totals[0] / n

    def details(self, table: Table) -> dict[str, Any]:
        """Return the micro and macro means, the best constant answer, and a warning where gold stands in one place."""
        import numpy as np

        right, golds, subjects = (np.asarray(column) for column in table.columns)
        letters, names = table.vocabulary[1], table.vocabulary[2]
        counts = np.bincount(golds.astype(int), minlength=len(letters))
        most = min(range(len(letters)), key=lambda at: (-counts[at], letters[at]))
        means = [float(right[subjects == code].mean()) for code in range(len(names))]
        rows: list[list[Any]] = [["all rows (micro)", float(right.mean()), len(right)]]
        if len(means) > 1:
            rows.append([f"mean of {len(means)} subjects (macro)", sum(means) / len(means), len(right)])
        rows.append([f"always {letters[most]}", float(counts[most] / len(right)), len(right)])
        made: dict[str, Any] = {
            "tables": [{"title": "Means", "columns": ["over", "accuracy", "rows"], "rows": rows}],
        }
        if len(letters) == 1 and len(right) >= _FEW and RULES[self.rule].options is not None:
            warning = f"the right answer is {letters[0]} in every row, and this rule shows the letters"
            made["warnings"] = [f"{warning}; harness_continuation does not"]
        return made
