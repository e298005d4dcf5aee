"""How far the choice of a multiple-choice rule alone moves accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmkit.errors import ConfigError, Problem
from llmkit.metrics import TotalsMetric, metric
from llmkit.metrics._choice import chosen, gold_of, is_right
from llmkit.prompts.choice import RULES
from llmkit.types import Output, Sample, Skipped

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NORMALISE = ("none", "token", "char", "byte", "pmi")
_LEAST = 2


@metric("choice_spread")
@dataclass(frozen=True)
class ChoiceSpread(TotalsMetric):
    """The distance between the highest and the lowest accuracy that rules give the same answers of one model.

    Formula: the accuracy by the rule that is kindest - the accuracy by the rule that is hardest, over the rows that
    every rule could score. Range 0 to 1, lower is better: the figure depends less on whose program made it. The
    report of a run with several rules has each one's accuracy beside it.

    A maximum less a minimum is above 0 by chance too, the more so the fewer the rows; the interval allows for that, and
    begins at 0 where no two rules differ for certain. A row that one of the rules cannot score (the target gives no
    log-probabilities) is skipped. An empty answer is wrong by ``helm``, and counts.

    Use it before figures of different programs are compared. Not to rank models: `choice_accuracy`, one rule for all.

    Source: Fourrier et al. 2023, "What's going on with the Open LLM Leaderboard?" (Hugging Face), which finds that
    MMLU's rules move one model's accuracy and change the order of models. The rules are those of `choice_accuracy`.

    Attributes:
        rules: Rules of ``choice_accuracy``, each with a normalisation behind a colon where it has one:
            ``harness_continuation:char``.
    """

    rules: tuple[str, ...] = ("original", "helm", "harness")

    higher_is_better = False
    bounds = (0.0, 1.0)
    needs = ("choices", "answer")
    asks = ("choice",)
    interval = "spread"

    def __post_init__(self) -> None:
        problems = [Problem(f"rules: {wrong}") for name in self.rules if (wrong := _wrong(name))]
        if len(set(self.rules)) < max(_LEAST, len(self.rules)):
            problems.append(Problem("rules: name at least two, each once"))
        if problems:
            raise ConfigError(problems=problems)

    @property
    def variants(self) -> tuple[tuple[str, str], ...]:
        """The rules and their normalisations that it needs of a run."""
        return tuple(_variant(name) for name in self.rules)

    def stats(self, sample: Sample, output: Output) -> tuple[float, ...] | Skipped:
        """Return for each rule whether its choice is right, and 1 for the row."""
        gold = gold_of(sample)
        if isinstance(gold, Skipped):
            return gold
        found = []
        for rule, normalise in self.variants:
            pick = chosen(sample, output, rule, normalise)
            if isinstance(pick, Skipped):
                return pick
            found.append(float(is_right(sample, pick, gold, rule)))
        return (*found, 1.0)

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return the spread from summed statistics."""
        return (max(totals[:-1]) - min(totals[:-1])) / totals[-1]

    def value_many(self, totals: NDArray[Any], n: int) -> NDArray[Any]:
        """Return the spreads, shape (m,), of totals of shape (m, rules + 1)."""
        spread: NDArray[Any] = (totals[:, :-1].max(axis=1) - totals[:, :-1].min(axis=1)) / totals[:, -1]
        return spread


def _variant(name: str) -> tuple[str, str]:
    rule, _, normalise = name.partition(":")
    return rule, normalise or "none"


def _wrong(name: str) -> str:
    rule, normalise = _variant(name)
    if rule not in RULES:
        return f"there is no rule '{rule}'; there are {', '.join(RULES)}"
    if normalise not in _NORMALISE:
        return f"'{name}' has no normalisation '{normalise}'; there are {', '.join(_NORMALISE)}"
    if RULES[rule].generates and normalise != "none":
        return f"'{name}': the rule '{rule}' generates its answer, and has no likelihoods to normalise"
    return ""
