"""Answers scored by the probabilities a model gives them with each passage. Natural logarithms throughout.

For a question q, an answer a of T tokens and K passages p: ``tokens`` is an array (K, T) with log p(a_t | q, p, a_<t),
``prior`` an array (K,) with log p(p | q), made of the retriever's scores by `log_prior`.

- RAG-Sequence: one passage speaks for the whole answer (Lewis et al. 2020, arXiv 2005.11401).
- RAG-Token: every token may come from another passage (the same).
- Direct, noisy channel and product of experts: Lazaridou et al. 2022, arXiv 2203.05115, section 3.3.

Only sums of logarithms; one `logsumexp`. With one passage, or with passages that agree, RAG-Sequence equals RAG-Token;
with one token too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

EXPERTS = ("retrieval", "direct", "question", "answer", "prior")
"""What a product of experts may weigh: log p(p|q), log p(a|q,p), log p(q|a,p), log p(a|p), log p(q|p)."""


def logsumexp(values: Any, axis: int | None = None) -> Any:
    """Return log of the sum of exponentials, without overflow; -inf where every value is -inf."""
    import numpy as np

    array = np.asarray(values, dtype=np.float64)
    top = np.max(array, axis=axis, keepdims=True)
    safe = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        found = np.log(np.sum(np.exp(array - safe), axis=axis, keepdims=True)) + safe
    return found.squeeze(axis) if axis is not None else float(found.reshape(()))


def log_prior(scores: Sequence[float], temperature: float = 1.0) -> Any:
    """Return log p(p | q): the softmax of the retriever's scores / ``temperature``, as an array (K,)."""
    import numpy as np

    if temperature <= 0:
        raise ValueError(f"the temperature is {temperature}; it must be greater than 0")
    scaled = np.asarray(scores, dtype=np.float64) / temperature
    return scaled - logsumexp(scaled)


def rag_sequence(tokens: Any, prior: Any) -> float:
    """Return log p(a | q) = log sum over passages of p(p | q) * product over tokens of p(a_t | q, p, a_<t)."""
    import numpy as np

    return float(logsumexp(np.asarray(prior) + np.asarray(tokens, dtype=np.float64).sum(axis=1)))


def rag_sequence_of_sums(sums: Sequence[float], prior: Any) -> float:
    """Return the same of each passage's summed log-probability, which is all that some endpoints give."""
    import numpy as np

    return float(logsumexp(np.asarray(prior) + np.asarray(sums, dtype=np.float64)))


def rag_token(tokens: Any, prior: Any) -> float:
    """Return log p(a | q) = sum over tokens of log sum over passages of p(p | q) * p(a_t | q, p, a_<t)."""
    import numpy as np

    return float(np.sum(logsumexp(np.asarray(prior)[:, None] + np.asarray(tokens, dtype=np.float64), axis=0)))


def direct(answer: float) -> float:
    """Return the score of an answer made with one passage by itself: log p(a | q, p)."""
    return answer


def noisy_channel(question: float, answer: float, prior: float) -> float:
    """Return log p(q | a, p) + log p(a | p) - log p(q | p)."""
    return question + answer - prior


def product_of_experts(logs: Mapping[str, float], weights: Mapping[str, float] | None = None) -> float:
    """Return the weighted sum of the logs that `EXPERTS` names; every weight 1 without, and 0 for one not named.

    Raises:
        ValueError: a weight has no log-probability, or neither is an expert.
    """
    chosen = dict.fromkeys(logs, 1.0) if weights is None else weights
    strange = sorted({*logs, *chosen} - set(EXPERTS))
    missing = sorted(set(chosen) - set(logs))
    if strange or missing:
        raise ValueError(f"no experts: {', '.join(strange) or 'none'}; without a log-probability: {', '.join(missing)}")
    return math.fsum(weight * logs[name] for name, weight in chosen.items())
