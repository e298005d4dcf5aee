"""What an answer votes for, so that answers worded differently can agree."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from llmkit.errors import ConfigError, Problem
from llmkit.metrics._labels import OTHER, LabelFields
from llmkit.metrics._pattern import compiled
from llmkit.metrics._repeats import OverRepeats
from llmkit.text.normalise import Normalise, normaliser
from llmkit.text.numbers import last_number
from llmkit.types import Output, Sample, Skipped

Vote: TypeAlias = str | float | None
"""What an answer names; None where it names nothing, and so agrees with no other."""

VoteKind = Literal["text", "number", "label"]

NO_LABELS = Skipped("vote=label needs known labels: give labels, or choices in the row")


@dataclass(frozen=True)
class VoteFields(OverRepeats):
    """How an answer is read.

    Attributes:
        vote: What answers are compared by: ``text``, the normalised answer; ``number``, its last number; ``label``,
            the last known label in it, from ``labels`` or the row's choices.
        normalise: Named normalisations of texts and labels before they are compared (`llmkit.text.normalise`).
        extract: A regular expression; its first match in the answer (its first group, where it has one) is read in
            place of the whole. An answer without a match names nothing.
        labels: The known labels of ``vote: label``; empty means the choices of the row.
    """

    vote: VoteKind = "text"
    normalise: str | tuple[str, ...] = "label"
    extract: str = ""
    labels: tuple[str, ...] = ()

    _plain: Normalise = field(init=False, repr=False, compare=False)
    _extract: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _labels: _LabelReader = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the pattern and read the labels.

        Raises:
            ConfigError: the pattern or a label is wrong, or labels are given for another kind of vote.
        """
        if self.labels and self.vote != "label":
            message = f"labels have no meaning for vote {self.vote}"
            raise ConfigError(problems=[Problem(message, hint="leave them out, or write vote: label")])
        object.__setattr__(self, "_plain", normaliser(self.normalise))
        object.__setattr__(self, "_extract", compiled(self.extract, "extract") if self.extract else None)
        object.__setattr__(self, "_labels", _LabelReader(self.labels, "last", self.normalise))

    def votes(self, sample: Sample, outputs: Sequence[Output]) -> list[Vote] | Skipped:
        """Return what each answer names, or why that cannot be known."""
        read: Callable[[str], Vote] = self._text
        if self.vote == "number":
            read = last_number
        elif self.vote == "label":
            if not self._labels.known(sample):
                return NO_LABELS
            read = self._labels.reader(sample)
        texts = [self._extracted(output.text or "") for output in outputs]
        return [None if text is None else read(text) for text in texts]

    def _text(self, text: str) -> str | None:
        return self._plain(text) or None

    def _extracted(self, text: str) -> str | None:
        if self._extract is None:
            return text
        found = self._extract.search(text)
        return None if found is None else found[1 if self._extract.groups else 0]


class _LabelReader(LabelFields):
    def reader(self, sample: Sample) -> Callable[[str], str | None]:
        """Return what reads the label that a text names, None where it names none."""
        known = self.known(sample)
        choices = sample.choices if not self.labels else ()

        def read(text: str) -> str | None:
            found = self._predicted(text, known, choices)
            return None if found == OTHER else found

        return read
