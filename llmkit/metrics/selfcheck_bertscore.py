"""SelfCheckGPT by likeness: how well the nearest sentence of other answers matches each sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

from llmkit import registry
from llmkit.errors import ConfigError, Problem
from llmkit.metrics._base import BaseMetric
from llmkit.metrics._repeats import Inner
from llmkit.metrics._selfcheck import Checked, SelfCheck
from llmkit.registry import metric
from llmkit.text.sentences import split_sentences
from llmkit.types import Output, Sample, Skipped

Pair: TypeAlias = tuple[str, str]
"""A sentence, and one of another answer."""


def _inner() -> dict[str, Any]:
    return {"bertscore": {"rescale": True}}


@metric("selfcheck_bertscore")
@dataclass(frozen=True)
class SelfcheckBertscore(SelfCheck):
    """Unlikeness of an answer's sentences to those of further answers to the same question.

    Formula: for each sentence 1 - the mean, over the further answers, of the greatest likeness to one of their
    sentences; the mean over sentences and over samples. Range 0 to 1 where the likeness is, lower is better.

    Needs ``repeats`` of 2 or more (the paper takes 20) at a temperature above 0. Failed and empty repeats are left
    out; a sample whose first answer is missing or empty is skipped. Two sentences that ``of`` cannot compare have no
    likeness, which is not a likeness of 0: they are left out, and a sample all of whose sentences are is skipped.

    Use it to find what a model makes up, where there is neither a reference nor a source. Not for sentences that
    differ in a name or a number alone, which are alike: `selfcheck_nli` and the judge `selfcheck` tell them apart.

    Source: SelfCheckGPT, BERTScore variant (Manakul et al. 2023, arXiv 2303.08896), whose program leaves sentences of
    three tokens or fewer out of the further answers; here all count.

    Attributes:
        of: The metric that says how alike two sentences are, from 0 to 1: ``bertscore``, ``embedding_similarity``...
    """

    of: Inner = field(default_factory=_inner)

    inner: BaseMetric = field(init=False, repr=False, compare=False)
    inner_name: str = field(init=False, repr=False, compare=False)
    batch: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the metric inside.

        Raises:
            ConfigError: there is no such metric, or it does not score one answer by itself.
        """
        built = registry.build("metrics", self.of, base=Path())
        if getattr(built.plugin, "over_repeats", False) or built.plugin.kind != "mean":
            message = f"of: '{built.name}' does not score two sentences by themselves"
            raise ConfigError(problems=[Problem(message, hint="name bertscore or embedding_similarity")])
        object.__setattr__(self, "inner", built.plugin)
        object.__setattr__(self, "inner_name", built.name)
        object.__setattr__(self, "batch", max(1, getattr(built.plugin, "batch", 64)))

    @property
    def settings(self) -> dict[str, Any]:
        """The metric inside, with its signature."""
        return {"of": f"{self.inner_name}[{self.inner.signature.replace('|', ',')}]"}

    def inconsistencies(self, groups: Sequence[Checked]) -> Sequence[Sequence[float] | Skipped]:
        """Return each sentence's unlikeness; every different pair of sentences is compared once."""
        split = [(sentences, [split_sentences(text) for text in texts]) for sentences, texts in groups]
        pairs = {
            (sentence, other)
            for sentences, several in split
            for sentence in sentences
            for others in several
            for other in others
        }
        alike = self._alike(sorted(pairs))
        return [_unlike(sentences, several, alike) for sentences, several in split]

    def _alike(self, pairs: Sequence[Pair]) -> dict[Pair, float | Skipped]:
        rows = [
            (Sample(str(number), references=(other,)), Output(str(number), sentence))
            for number, (sentence, other) in enumerate(pairs)
        ]
        many = getattr(self.inner, "stats_many", None)
        every = many(rows) if many else [self.inner.stats(*row) for row in rows]
        return {
            pair: stats if isinstance(stats, Skipped) else _defined(self.inner.sample_value(stats))
            for pair, stats in zip(pairs, every, strict=True)
        }


def _defined(value: float | None) -> float | Skipped:
    return Skipped("it has no value") if value is None else value


def _unlike(
    sentences: Sequence[str], several: Sequence[Sequence[str]], alike: Mapping[Pair, float | Skipped]
) -> list[float] | Skipped:
    """Return each sentence's unlikeness to the other answers; what has no likeness is left out."""
    found: list[float] = []
    why = Skipped("the other answers have no sentence")
    for sentence in sentences:
        nearest = []
        for others in several:
            likenesses = [alike[sentence, other] for other in others]
            if numbers := [one for one in likenesses if not isinstance(one, Skipped)]:
                nearest.append(max(numbers))
            else:
                why = next((one for one in likenesses if isinstance(one, Skipped)), why)
        if nearest:
            found.append(1 - fmean(nearest))
    return found or Skipped(f"no sentence can be compared with another answer's: {why.reason}")
