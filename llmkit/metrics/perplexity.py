"""Perplexity: how surprised is a language model by the references?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmkit.metrics._likelihoods import ReferenceLikelihoods
from llmkit.registry import metric
from llmkit.types import Loglikelihood

if TYPE_CHECKING:
    from numpy.typing import NDArray


@metric("perplexity")
@dataclass(frozen=True)
class Perplexity(ReferenceLikelihoods):
    """Perplexity of the references after their prompts, for each token.

    Formula: exp(-sum of ln p / sum of tokens) over all references of all rows, where p is the probability that the
    model gives a reference after the prompt. Range 1 or more, lower is better. The corpus value is made of totals; it
    is not the mean of the rows' values.

    The run must ask for it: ``ask: references``. Empty references are left out; a row with no other is skipped. Put
    the space before the reference at the end of the prompt: models take it for the reference's first token.

    Use it to compare checkpoints or prompts of one model. Not across models with different tokenizers, whose tokens
    are not alike (`bits_per_byte`), nor for chat models, which are not trained to continue a text.

    Source: Jelinek et al. 1977, "Perplexity: a measure of the difficulty of speech recognition tasks"; the same as
    exp of the mean token loss of transformers' causal language models.

    Attributes:
        refs: ``all`` references of a row count, each with its length, or the ``first`` alone.
    """

    bounds = (1.0, math.inf)

    def length(self, reference: str, found: Loglikelihood) -> int:
        """Return the reference's tokens, as the model counts them."""
        return found.tokens

    def value_many(self, totals: NDArray[Any], n: int) -> NDArray[Any]:
        """Return the values, shape (m,), of totals of shape (m, 2): minus log-likelihood, and tokens."""
        import numpy as np

        with np.errstate(over="ignore"):
            values: NDArray[Any] = np.exp(totals[:, 0] / totals[:, 1])
        return values
