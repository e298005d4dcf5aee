"""One answer of many, each made from one passage: by vote, or by the probabilities that a model gives given texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmkit.errors import PermanentError
from llmkit.prompts.fence import fenced
from llmkit.protocols import Dialogue
from llmkit.providers.rag import Rag
from llmkit.retrieval.likelihoods import log_prior, noisy_channel, product_of_experts, rag_sequence_of_sums, rag_token
from llmkit.text.normalise import squad
from llmkit.types import EACH_LOGPROB, Loglikelihood, Passage, Request


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer that was chosen, and what each different answer scored."""

    text: str
    scores: dict[str, float]


def prior_of(scores: Sequence[float], temperature: float) -> Any:
    """Return log p(passage | question), from scores as shares of the best one, whatever their scale."""
    best = max(scores, default=0.0)
    shares = [score / best if best > 0 else 0.0 for score in scores]
    return log_prior(shares, temperature)


def fused(
    question: str, passages: Sequence[Passage], answers: Sequence[str], prior: Any, settings: Rag
) -> Dialogue[Choice]:
    """Return the chosen answer; of equals the one of the better passage. Answers that differ in form only are one.

    Raises:
        PermanentError: kind ``no_likelihoods``: the model does not say how likely a given text is. Nothing is put in
            the place of what it does not say.
    """
    import numpy as np

    first = {squad(answer): answer for answer in reversed(answers)}
    order = {name: first[name] for name in dict.fromkeys(map(squad, answers))}
    weights = np.exp(prior)
    if settings.fuse == "vote":
        scores = {
            name: float(sum(w for w, answer in zip(weights, answers, strict=True) if squad(answer) == name))
            for name in order
        }
        return _best(order, scores)
    texts = [passage.text for passage in passages]
    if settings.fuse in {"rag_sequence", "rag_token"}:
        per_token = settings.fuse == "rag_token"
        prompts, candidates = [_asks(question, text) for text in texts], list(order.values())
        given = yield from _likelihoods(prompts, [candidates] * len(texts), per_token=per_token)
        columns = {name: [row[at] for row in given] for at, name in enumerate(order)}
        if per_token:
            scores = {name: rag_token(_matrix(column, order[name]), prior) for name, column in columns.items()}
        else:
            scores = {
                name: rag_sequence_of_sums([one.logprob for one in column], prior) for name, column in columns.items()
            }
        return _best(order, scores)
    logs = yield from _experts(question, texts, answers, settings.fuse)
    scores = {}
    for at, answer in enumerate(answers):
        one = {name: values[at] for name, values in logs.items()}
        score = _score(one, float(prior[at]), settings)
        name = squad(answer)
        scores[name] = max(scores.get(name, score), score)
    return _best(order, scores)


def _score(logs: dict[str, float], prior: float, settings: Rag) -> float:
    if settings.fuse == "direct":
        return logs["direct"]
    if settings.fuse == "noisy_channel":
        return noisy_channel(logs["question"], logs["answer"], logs["prior"])
    return product_of_experts({**logs, "retrieval": prior}, settings.weights or None)


def _best(order: dict[str, str], scores: dict[str, float]) -> Choice:
    name = max(order, key=lambda one: scores[one])  # the first of equals: dictionaries keep the passages' order
    return Choice(order[name], {order[one]: scores[one] for one in order})


def _experts(
    question: str, texts: Sequence[str], answers: Sequence[str], fuse: str
) -> Dialogue[dict[str, list[float]]]:
    """Return each logarithm for each passage with its own answer."""
    prompts: dict[str, list[tuple[str, str]]] = {}
    if fuse in {"direct", "experts"}:
        prompts["direct"] = [(_asks(question, text), answer) for text, answer in zip(texts, answers, strict=True)]
    if fuse in {"noisy_channel", "experts"}:
        pairs = list(zip(texts, answers, strict=True))
        prompts["question"] = [
            (f"{_reads(text)}\n\nAnswer: {answer}\nQuestion:", f" {question}") for text, answer in pairs
        ]
        prompts["answer"] = [(f"{_reads(text)}\n\nAnswer:", f" {answer}") for text, answer in pairs]
        prompts["prior"] = [(f"{_reads(text)}\n\nQuestion:", f" {question}") for text in texts]
    flat = [pair for pairs in prompts.values() for pair in pairs]
    given = yield from _likelihoods([prompt for prompt, _ in flat], [[text] for _, text in flat])
    values = iter(row[0].logprob for row in given)
    return {name: [next(values) for _ in pairs] for name, pairs in prompts.items()}


def _likelihoods(
    prompts: Sequence[str], texts: Sequence[Sequence[str]], *, per_token: bool = False
) -> Dialogue[list[Sequence[Loglikelihood]]]:
    params = {EACH_LOGPROB: True} if per_token else {}
    responses = yield [
        Request(
            messages=({"role": "user", "content": prompt},), params=params, kind="loglikelihood", texts=tuple(wanted)
        )
        for prompt, wanted in zip(prompts, texts, strict=True)
    ]
    for response, wanted in zip(responses, texts, strict=True):
        if len(response.loglikelihoods) != len(wanted):
            message = "not available: the model does not say how likely a given text is; use fuse: vote"
            raise PermanentError(message, kind="no_likelihoods")
        if per_token and any(len(one.parts) != one.tokens for one in response.loglikelihoods):
            message = "not available: the model does not say how likely each token of a text is; use fuse: rag_sequence"
            raise PermanentError(message, kind="no_likelihoods")
    return [response.loglikelihoods for response in responses]


def _matrix(column: Sequence[Loglikelihood], answer: str) -> list[tuple[float, ...]]:
    """Return the log-probability of each token (T) of an answer under each passage (K), shape (K, T).

    Raises:
        PermanentError: kind ``no_likelihoods``: after another passage it is cut into other tokens.
    """
    if len({one.tokens for one in column}) > 1:
        message = f"not available: the model cuts '{answer[:40]}' into other tokens after another passage"
        raise PermanentError(f"{message}; use fuse: rag_sequence", kind="no_likelihoods")
    return [one.parts for one in column]


def _reads(text: str) -> str:
    return fenced("passage 1", text)


def _asks(question: str, text: str) -> str:
    return f"{_reads(text)}\n\nQuestion: {question}\nAnswer:"
