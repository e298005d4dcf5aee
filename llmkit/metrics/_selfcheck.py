"""SelfCheckGPT: sentences of the first answer, checked against further answers to the same question."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar, TypeAlias

from llmkit.metrics._repeats import OverRepeats
from llmkit.text.sentences import split_sentences
from llmkit.types import Output, Sample, Skipped

Checked: TypeAlias = tuple[Sequence[str], Sequence[str]]
"""The sentences of an answer, and the other answers."""


@dataclass(frozen=True)
class SelfCheck(OverRepeats):
    """Inconsistency of a sample's first answer with its further ones; a subclass says how a sentence is checked.

    The value of a sample is the mean over its sentences, unless the subclass has another word.
    """

    higher_is_better: ClassVar[bool | None] = False

    @abstractmethod
    def inconsistencies(self, groups: Sequence[Checked]) -> Sequence[Sequence[float] | Skipped]:
        """Return for each group the inconsistency of each sentence, or why there is none; the value is their mean."""

    def stats_over(self, sample: Sample, outputs: Sequence[Output]) -> tuple[float, ...] | Skipped:
        """Return the inconsistency of the first answer; skipped where it is empty or stands alone."""
        return self.stats_over_many([(sample, outputs)])[0]

    def stats_over_many(
        self, groups: Sequence[tuple[Sample, Sequence[Output]]]
    ) -> Sequence[tuple[float, ...] | Skipped]:
        """Return the inconsistency of each sample's first answer."""
        read = [_read(outputs) for _, outputs in groups]
        found = iter(self.inconsistencies([group for group in read if not isinstance(group, Skipped)]))
        return [group if isinstance(group, Skipped) else _mean(next(found), len(group[1])) for group in read]


def _mean(sentences: Sequence[float] | Skipped, others: int) -> tuple[float, ...] | Skipped:
    return sentences if isinstance(sentences, Skipped) else (fmean(sentences), others)


def _read(outputs: Sequence[Output]) -> Checked | Skipped:
    first, *others = outputs
    if first.error is not None:
        return Skipped("the answer that is checked is missing")
    sentences = split_sentences(first.text or "")
    if not sentences:
        return Skipped("empty answer")
    texts = [output.text for output in others if output.error is None and output.text and output.text.strip()]
    return (sentences, texts) if texts else Skipped("no other answer to compare with")
