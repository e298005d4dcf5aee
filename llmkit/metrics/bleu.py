"""BLEU: n-gram precision with a penalty for brevity."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from llmkit.errors import ConfigError, Problem
from llmkit.metrics._base import NO_REFERENCE
from llmkit.metrics._ngrams import overlap
from llmkit.metrics._sacrebleu import SacrebleuMetric
from llmkit.metrics._tokenize import NEEDS, Tokenizer, tokenizer, tokenizer_signature
from llmkit.registry import metric
from llmkit.types import Output, Sample, Skipped

if TYPE_CHECKING:
    from numpy.typing import NDArray

ORDER = 4
"""Longest n-gram."""
_SMOOTHING_DEFAULT = {"exp": None, "floor": 0.1, "add-k": 1.0, "none": None}
_LOG_OF_ZERO = -9999999999.0  # sacreBLEU's stand-in: far enough below to make the product 0


@metric("bleu")
@dataclass(frozen=True)
class Bleu(SacrebleuMetric):
    """Precision of 1- to 4-grams against the references, as sacreBLEU computes it.

    BLEU = 100 * BP * exp(mean over n = 1..4 of ln p_n): p_n is the share of the outputs' n-grams that a reference of
    the same sample also has (each counted at most as often as the reference that has most of it), summed over the
    corpus before dividing; BP = exp(1 - r / c) where the outputs' length c is under the references' length r (of
    several references the closest in length), else 1.

    Range 0 to 100, higher is better. The corpus value is made of totals; it is not the mean of the samples' scores.

    Source: Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation"; Post 2018, "A Call
    for Clarity in Reporting BLEU Scores"; values and signature equal sacreBLEU's.

    Use it for whole test sets of translations or other texts with close references. Do not use it to judge one
    sentence, to compare across tokenizers or data sets, or for free answers that can be right in other words: on
    open-ended text it tracks human judgment poorly (Liu et al. 2016, arXiv 1603.08023).

    Attributes:
        tokenize: How texts become tokens: 13a is WMT's, none takes text that is already tokenised.
        lowercase: Ignore case.
        smooth_method: What an order without a match counts as.
        smooth_value: For floor (by default 0.1) and add-k (by default 1).
        effective_order: Leave out orders that the outputs are too short for. One sample's own score always does, as
            sacreBLEU's sentence BLEU does.
    """

    tokenize: Tokenizer = "13a"
    lowercase: bool = False
    smooth_method: Literal["exp", "floor", "add-k", "none"] = "exp"
    smooth_value: float | None = None
    effective_order: bool = False

    def __post_init__(self) -> None:
        """Refuse a tokenizer whose package is missing and a smoothing value that is not used."""
        problems = []
        module, package = NEEDS.get(self.tokenize, ("", ""))
        if module and find_spec(module) is None:
            message = f"the tokenizer {self.tokenize} needs a package: pip install '{package}'"
            problems.append(Problem(message))
        if self.smooth_value is not None and _SMOOTHING_DEFAULT[self.smooth_method] is None:
            message = f"smooth_value has no meaning for smooth_method {self.smooth_method}"
            problems.append(Problem(message, hint="leave it out, or choose floor or add-k"))
        if problems:
            raise ConfigError(problems=problems)

    @property
    def conditions(self) -> Mapping[str, Any]:
        """Case, effective order, tokenizer and smoothing, in sacreBLEU's words."""
        smooth = self.smooth_method + ("" if self._smoothing is None else f"[{self._smoothing:.2f}]")
        return {
            "case": "lc" if self.lowercase else "mixed",
            "eff": self.effective_order,
            "tok": tokenizer_signature(self.tokenize),
            "smooth": smooth,
        }

    @property
    def _smoothing(self) -> float | None:
        return _SMOOTHING_DEFAULT[self.smooth_method] if self.smooth_value is None else self.smooth_value

    @cached_property
    def _split(self) -> Callable[[str], list[str]]:
        return tokenizer(self.tokenize)

    @cached_property
    def _of_one(self) -> Bleu:
        return self if self.effective_order else replace(self, effective_order=True)

    def _tokens(self, text: str) -> list[str]:
        return self._split((text.lower() if self.lowercase else text).rstrip())

    def stats(self, sample: Sample, output: Output) -> tuple[float, ...] | Skipped:
        """Return output length, closest reference length, matches for n = 1..4, output n-grams for n = 1..4."""
        if not sample.references:
            return NO_REFERENCE
        tokens = self._tokens(output.text or "")
        references = [self._tokens(reference) for reference in sample.references]
        length = len(tokens)
        closest = min(map(len, references), key=lambda other: (abs(length - other), other))
        matches = [0] * ORDER
        for n in range(1, ORDER + 1):
            matches[n - 1] = overlap(tokens, references, n)
            if not matches[n - 1]:
                break  # a longer match would hold a shorter one
        return (length, closest, *matches, *(max(0, length - n) for n in range(ORDER)))

    def sample_value(self, stats: Sequence[float | str]) -> float:
        """Return the sentence BLEU: the value of a corpus of one, with effective order."""
        return self._of_one.value([float(item) for item in stats], 1)

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return corpus BLEU from summed statistics."""
        length, reference_length = totals[:2]
        matches, counts = totals[2 : 2 + ORDER], totals[2 + ORDER :]
        if not any(matches):
            return 0.0
        precisions, orders = self._precisions(matches, counts)
        penalty = math.exp(1 - reference_length / length) if length < reference_length else 1.0
        logs = [math.log(precision) if precision else _LOG_OF_ZERO for precision in precisions[:orders]]
        return penalty * math.exp(sum(logs) / orders)

    def _precisions(self, matches: Sequence[float], counts: Sequence[float]) -> tuple[list[float], int]:
        """Return the four smoothed precisions in percent, and how many of them count."""
        precisions = [0.0] * ORDER
        orders = ORDER
        halvings = 1.0
        for i, (match, count) in enumerate(zip(matches, counts, strict=True)):
            added = self._smoothing if self.smooth_method == "add-k" and i and self._smoothing else 0.0
            hits, total = match + added, count + added
            if not total:
                break
            if self.effective_order:
                orders = i + 1
            if hits:
                precisions[i] = 100.0 * hits / total
            elif self.smooth_method == "exp":
                halvings *= 2
                precisions[i] = 100.0 / (halvings * total)
            elif self.smooth_method == "floor" and self._smoothing is not None:
                precisions[i] = 100.0 * self._smoothing / total
        return precisions, orders

    def value_many(self, totals: NDArray[Any], n: int) -> NDArray[Any]:
        """Return `value` of each row of totals, all at once, for resampling.

        Args:
            totals: Array of shape (m, 10).
            n: Samples behind each row.

        Returns:
            Array of shape (m,).
        """
        import numpy as np

        totals = np.asarray(totals, dtype=np.float64)
        matches, counts = totals[:, 2 : 2 + ORDER].copy(), totals[:, 2 + ORDER :].copy()
        some = matches.any(axis=1)
        if self.smooth_method == "add-k":
            matches[:, 1:] += self._smoothing
            counts[:, 1:] += self._smoothing
        # Once an order has no n-grams, it and all longer ones count for nothing.
        alive = np.logical_and.accumulate(counts > 0, axis=1)
        empty = alive & (matches == 0)
        orders = np.maximum(alive.sum(axis=1), 1) if self.effective_order else np.full(len(totals), ORDER)
        with np.errstate(divide="ignore", invalid="ignore"):
            precisions = 100.0 * matches / counts
            if self.smooth_method == "exp":
                precisions = np.where(empty, 100.0 / (2.0 ** np.cumsum(empty, axis=1) * counts), precisions)
            elif self.smooth_method == "floor":
                precisions = np.where(empty, 100.0 * (self._smoothing or 0.0) / counts, precisions)
            logs = np.where(alive & (precisions > 0), np.log(precisions), _LOG_OF_ZERO)
            penalty = np.where(totals[:, 0] < totals[:, 1], np.exp(1 - totals[:, 1] / totals[:, 0]), 1.0)
        logs = np.where(np.arange(ORDER) < orders[:, None], logs, 0.0)
        return np.where(some, penalty * np.exp(logs.sum(axis=1) / orders), 0.0)
