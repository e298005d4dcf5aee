"""Exact match: is the answer, after normalising, one of the references?"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from llmkit.metrics import NO_REFERENCE, MeanMetric, References, metric
from llmkit.metrics._pattern import compiled
from llmkit.text.normalise import Normalise, normaliser
from llmkit.types import Output, Sample, Skipped


@metric("exact_match")
@dataclass(frozen=True)
class ExactMatch(MeanMetric):
    """Share of answers that equal a reference.

    Formula: 1 where the normalised output equals the normalised reference (``mode: prefix``: begins with it), else 0;
    the best, mean or first over several references (``refs``). Range 0 to 1, higher is better.

    An empty output is an answer: it scores 1 where a reference is empty too, else 0. In ``prefix`` mode a
    reference that is empty after normalising is matched only by an output that is empty as well.

    Use it for short closed answers. Not for free text, where a right answer has many wordings (`token_f1`, a judge),
    nor for numbers (`number_match`).

    Sources: ``normalise: squad`` is the exact match of SQuAD (Rajpurkar et al. 2016, arXiv 1606.05250);
    ``strip`` and ``helm``, each with ``mode: exact`` or ``prefix``, are the four variants of HELM (Liang et al. 2022,
    arXiv 2211.09110): exact, quasi-exact, prefix and quasi-prefix match. HELM alone scores an empty output 0 always.

    Attributes:
        normalise: Named normalisations of output and reference, the first applied first (`llmkit.text.normalise`).
        mode: ``exact``, or ``prefix`` for models that go on talking after the answer.
        refs: How several references make one score.
        extract: A regular expression; its first match in the output (its first group, where it has one) is the
            answer. An output without a match scores 0.
    """

    normalise: str | tuple[str, ...] = "strip"
    mode: Literal["exact", "prefix"] = "exact"
    refs: References = "max"
    extract: str = ""

    needs = ("references",)
    bounds = (0.0, 1.0)

    _plain: Normalise = field(init=False, repr=False, compare=False)
    _extract: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plain", normaliser(self.normalise))
        object.__setattr__(self, "_extract", compiled(self.extract, "extract") if self.extract else None)

    @property
    def binary(self) -> bool:
        """True unless several references are averaged."""
        return self.refs != "mean"

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return 1 for a match, 0 for none, or the share of references matched where ``refs`` is ``mean``."""
        references = sample.references
        if not references:
            return NO_REFERENCE
        text: Any = output.text
        if self._extract is not None:
            found = self._extract.search(text)
            if found is None:
                return 0.0
            text = found[1 if self._extract.groups else 0] or ""
        plain = self._plain
        answer = plain(text)
        if self.refs == "mean":
            return sum(self._matches(answer, plain(reference)) for reference in references) / len(references)
        if self.refs == "first":
            references = references[:1]
        for reference in references:
            if self._matches(answer, plain(reference)):
                return 1.0
        return 0.0

    def _matches(self, answer: str, reference: str) -> bool:
        return answer == reference or (self.mode == "prefix" and reference != "" and answer.startswith(reference))
