"""What most metrics share: the three kinds, the reference rule, the signature."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, TypeVar

from llmkit.scorer import MeanScorer, Scorer
from llmkit.types import Output, Sample, Skipped

References = Literal["max", "mean", "first"]
"""How one score is made of several references: the best, the average, or the first reference alone."""

R = TypeVar("R")

NO_REFERENCE = Skipped("no reference")


class BaseMetric(Scorer):
    """What every metric shares; see `llmkit.protocols.Metric`.

    ``asks`` names the ways of asking (the config's ``ask``) that give what the metric reads. ``needs`` and ``bounds``
    are plain attributes here.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    bounds: ClassVar[tuple[float, float] | None] = None
    asks: ClassVar[tuple[str, ...]] = ("answer", "choices")

    @abstractmethod
    def stats(self, sample: Sample, output: Output) -> Sequence[float | str] | Skipped:
        """Return the sufficient statistics of one output, or why there are none."""


class MeanMetric(MeanScorer, BaseMetric):
    """A metric whose corpus value is the mean of its sample scores. Subclasses write only ``score()``."""

    @abstractmethod
    def score(self, sample: Sample, output: Output) -> float | bool | Skipped:
        """Return the score of one output, or why there is none."""

    def stats(self, sample: Sample, output: Output) -> tuple[float] | Skipped:
        """Return the score as the one statistic."""
        score = self.score(sample, output)
        return score if isinstance(score, Skipped) else (float(score),)


class TotalsMetric(BaseMetric):
    """A metric made of totals (BLEU, chrF, TER). Subclasses write ``stats`` and ``value``."""

    kind = "totals"

    def sample_value(self, stats: Sequence[float | str]) -> float:
        """Return the value of a corpus of one."""
        return self.value([float(item) for item in stats], 1)


class RowsMetric(BaseMetric):
    """A metric that is not a sum (macro F1, PR-AUC). Subclasses write ``stats``, ``sample_value`` and ``value_of``."""

    kind = "rows"


def over_references(rule: References, score: Callable[[R], float], references: Sequence[R]) -> float | Skipped:
    """Return one score, at most 1, over several references by ``rule``; skipped where there is no reference.

    ``references`` are what ``score`` takes: texts, or texts already read into words.
    """
    if not references:
        return NO_REFERENCE
    if rule == "first":
        return score(references[0])
    if rule == "max":
        best = score(references[0])
        for reference in references[1:]:
            if best >= 1.0:
                break
            best = max(best, score(reference))
        return best
    return sum(score(reference) for reference in references) / len(references)
