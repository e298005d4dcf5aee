"""Log-likelihoods of references, as metrics of language models read them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from llmkit.metrics._base import NO_REFERENCE, TotalsMetric
from llmkit.types import Loglikelihood, Output, Sample, Skipped

if TYPE_CHECKING:
    from numpy.typing import NDArray

EMPTY_REFERENCE = Skipped("empty reference")
NO_LIKELIHOODS = Skipped("the target gave no log-likelihoods of the references: it needs a local model, or echo")


@dataclass(frozen=True)
class ReferenceLikelihoods(TotalsMetric):
    """A metric made of the references' summed log-likelihood and their summed length.

    Attributes:
        refs: ``all`` references of a row count, each with its length, or the ``first`` alone.
    """

    refs: Literal["all", "first"] = "all"

    higher_is_better = False
    needs = ("references",)
    asks = ("references",)

    @abstractmethod
    def length(self, reference: str, found: Loglikelihood) -> int:
        """Return how long a reference is, in the unit that the metric divides by."""

    def stats(self, sample: Sample, output: Output) -> tuple[float, float] | Skipped:
        """Return minus the summed natural-log likelihood, and the summed length, of the references."""
        if not sample.references:
            return NO_REFERENCE
        found = output.response.loglikelihoods if output.response else ()
        if len(found) != len(sample.references):
            return NO_LIKELIHOODS
        pairs = list(zip(sample.references, found, strict=True))[: 1 if self.refs == "first" else None]
        pairs = [(reference, item) for reference, item in pairs if reference]
        length = sum(self.length(reference, item) for reference, item in pairs)
        return (-sum(item.logprob for _, item in pairs), length) if length else EMPTY_REFERENCE

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return the corpus value from summed statistics."""
        import numpy as np

        return float(self.value_many(np.asarray([totals], dtype=np.float64), n)[0])

    @abstractmethod
    def value_many(self, totals: NDArray[Any], n: int) -> NDArray[Any]:
        """Return the values, shape (m,), of totals of shape (m, 2): minus log-likelihood, and length."""
