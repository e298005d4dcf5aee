"""What every scorer shares, metric or judge: kind, direction, how statistics become values, and the signature."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from llmkit._version import __version__
from llmkit.types import Table


class Scorer(ABC):
    """Signature, direction and unit of a scorer; see `llmkit.protocols.Metric` and `llmkit.protocols.Judge`.

    A scorer may have `details(table)`, plain JSON for the summary: reports show its ``tables`` (each with ``title``,
    ``columns`` and ``rows``), its ``notes`` (sentences), and in ``no_value`` why there is no value.
    """

    kind: ClassVar[Literal["mean", "totals", "rows"]] = "mean"
    higher_is_better: ClassVar[bool | None] = True
    unit: ClassVar[str] = ""
    implementation: ClassVar[str] = f"llmkit-{__version__}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields of a `Sample` without which it can score nothing (``references``, ``answer``, ``meta.qrels``)."""
        return ()

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the greatest score there can be; the interval of a mean is cut to them."""
        return None

    @property
    def binary(self) -> bool:
        """True when every sample scores exactly 0 or 1."""
        return False

    @property
    def settings(self) -> dict[str, Any]:
        """Every field that makes the score, defaults included; what the signature prints."""
        return {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)  # type: ignore[arg-type]
            if f.init and f.metadata.get("signature", True)
        }

    @property
    def signature(self) -> str:
        """``field:value`` pairs and the implementation, as in sacreBLEU."""
        parts = [f"{key}:{_short(value)}" for key, value in self.settings.items()]
        return "|".join([*parts, f"impl:{self.implementation}"])

    def signature_for(self, nrefs: int | None) -> str:
        """Return the signature for data with ``nrefs`` references a sample (None: it varies); BLEU's names it."""
        return self.signature

    @abstractmethod
    def sample_value(self, stats: Sequence[float | str]) -> float | None:
        """Return the score of one sample from its statistics."""

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return the corpus value from totals."""
        raise TypeError(f"{type(self).__name__} is not a sum; use value_of")

    def value_of(self, table: Table) -> float | None:
        """Return the corpus value from all rows."""
        raise TypeError(f"{type(self).__name__} is a sum; use value")


class MeanScorer(Scorer):
    """A scorer whose corpus value is the mean of its sample scores, the first statistic of each."""

    kind = "mean"

    def sample_value(self, stats: Sequence[float | str]) -> float:
        """Return the first statistic."""
        return float(stats[0])

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return the mean."""
        return totals[0] / n


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
