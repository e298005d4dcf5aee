"""Bits per byte: how well does a language model compress the references?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmkit.metrics._likelihoods import ReferenceLikelihoods
from llmkit.registry import metric
from llmkit.types import Loglikelihood

if TYPE_CHECKING:
    from numpy.typing import NDArray


@metric("bits_per_byte")
@dataclass(frozen=True)
class BitsPerByte(ReferenceLikelihoods):
    """Bits that the model needs for each byte of the references after their prompts.

    Formula: -sum of log2 p / sum of bytes over all references of all rows, where p is the probability that the model
    gives a reference after the prompt, and its bytes are those of UTF-8. Range 0 or more, lower is better. The corpus
    value is made of totals; it is not the mean of the rows' values.

    The run must ask for it: ``ask: references``. Empty references are left out; a row with no other is skipped. A
    space at the end of the prompt is scored with the reference, but not counted among its bytes.

    Use it to compare language models with different tokenizers. Not for chat models, which are not trained to continue
    a text.

    Source: Gao et al. 2020, "The Pile", arXiv 2101.00027, section 3.1; EleutherAI's lm-evaluation-harness
    (``bits_per_byte``).

    Attributes:
        refs: ``all`` references of a row count, each with its length, or the ``first`` alone.
    """

    bounds = (0.0, math.inf)

    def length(self, reference: str, found: Loglikelihood) -> int:
        """Return the reference's UTF-8 bytes."""
        return len(reference.encode("utf-8", "surrogatepass"))

    def value_many(self, totals: NDArray[Any], n: int) -> NDArray[Any]:
        """Return the values, shape (m,), of totals of shape (m, 2): minus log-likelihood, and bytes."""
        values: NDArray[Any] = totals[:, 0] / totals[:, 1] / math.log(2)
        return values
