"""What most metrics share: the three kinds, the reference rule, the signature."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, TypeVar

from llmkit._version import __version__
from llmkit.types import Output, Sample, Skipped, Table

References = Literal["max", "mean", "first"]
"""How one score is made of several references: the best, the average, or the first reference alone."""

R = TypeVar("R")

NO_REFERENCE = Skipped("no reference")


class BaseMetric(ABC):
    """Signature, direction and unit of a metric; see `llmkit.protocols.Metric`."""

    kind: ClassVar[Literal["mean", "totals", "rows"]] = "mean"
    higher_is_better: ClassVar[bool | None] = True
    unit: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()
    bounds: ClassVar[tuple[float, float] | None] = None
    asks: ClassVar[tuple[str, ...]] = ("answer", "choices")
    implementation: ClassVar[str] = f"llmkit-{__version__}"

    # `bounds` are the least and greatest score there can be; the interval of a mean is cut to them.
    # `needs` names the Sample fields without which the metric can score nothing (``references``, ``answer``,
    # ``meta.qrels``); an eval set none of whose rows has them is refused before anything is asked.
    # A metric may have `details(table)`, plain JSON for the summary: reports show its ``tables`` (each with ``title``,
    # ``columns`` and ``rows``), its ``notes`` (sentences), and in ``no_value`` why there is no value.
    # `asks` names the ways of asking (the config's ``ask``) that give what the metric reads.

    @property
    def binary(self) -> bool:
        """True when every sample scores exactly 0 or 1."""
        return False

    @property
    def settings(self) -> dict[str, Any]:
        """Every field with its value, defaults included; what the signature prints."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}  # type: ignore[arg-type]

    @property
    def signature(self) -> str:
        """``field:value`` pairs and the implementation, as in sacreBLEU."""
        parts = [f"{key}:{_short(value)}" for key, value in self.settings.items()]
        return "|".join([*parts, f"impl:{self.implementation}"])

    def signature_for(self, nrefs: int | None) -> str:
        """Return the signature for data with ``nrefs`` references a sample (None: it varies); BLEU's names it."""
        return self.signature

    @abstractmethod
    def stats(self, sample: Sample, output: Output) -> Sequence[float | str] | Skipped:
        """Return the sufficient statistics of one output, or why there are none."""

    @abstractmethod
    def sample_value(self, stats: Sequence[float | str]) -> float | None:
        """Return the score of one sample from its statistics."""

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return the corpus value from totals."""
        raise TypeError(f"{type(self).__name__} is not a sum; use value_of")

    def value_of(self, table: Table) -> float | None:
        """Return the corpus value from all rows."""
        raise TypeError(f"{type(self).__name__} is a sum; use value")


class MeanMetric(BaseMetric):
    """A metric whose corpus value is the mean of its sample scores. Subclasses write only ``score()``."""

    kind = "mean"

    @abstractmethod
    def score(self, sample: Sample, output: Output) -> float | bool | Skipped:
        """Return the score of one output, or why there is none."""

    def stats(self, sample: Sample, output: Output) -> tuple[float] | Skipped:
        """Return the score as the one statistic."""
        score = self.score(sample, output)
        return score if isinstance(score, Skipped) else (float(score),)

    def sample_value(self, stats: Sequence[float | str]) -> float:
        """Return the one statistic."""
        return float(stats[0])

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return the mean."""
        return totals[0] / n


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


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
