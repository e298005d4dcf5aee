"""Regex match: does the answer have a form?"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from llmkit.metrics import NO_REFERENCE, MeanMetric, metric
from llmkit.metrics._pattern import compiled, try_compile
from llmkit.types import Output, Sample, Skipped


@metric("regex_match")
@dataclass(frozen=True)
class RegexMatch(MeanMetric):
    """Share of answers that match a regular expression.

    Formula: 1 where ``pattern`` is found in the output (``mode: fullmatch``: covers it), else 0. Without ``pattern``
    the sample's references are patterns, and any of them is enough. Range 0 to 1, higher is better.

    The syntax is that of Python's ``re``; flags may be written inside, ``(?m)``. A wrong ``pattern`` stops the run
    before anything is asked; a reference that is no pattern skips its sample, with the reason. Python's engine
    backtracks and has no time limit: a pattern such as ``(a+)+$`` can take exponential time on a long output, so
    keep nested repeats out.

    Use it for formats (a date, a citation, "no apology"). Not for the value in the format: `number_match`,
    `json_match`, or `exact_match` with ``extract``.

    Source: Python's ``re``.

    Attributes:
        pattern: The regular expression; empty means the sample's references.
        mode: ``search`` anywhere, or ``fullmatch`` of the whole output, white space at its ends left out.
        ignore_case: Match letters of either case.
    """

    pattern: str = ""
    mode: Literal["search", "fullmatch"] = "search"
    ignore_case: bool = False

    needs = ("references",)
    bounds = (0.0, 1.0)

    _pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pattern = compiled(self.pattern, "pattern", self._flags) if self.pattern else None
        object.__setattr__(self, "_pattern", pattern)
        if pattern is not None:
            object.__setattr__(self, "needs", ())

    @property
    def binary(self) -> bool:
        """Always true."""
        return True

    @property
    def _flags(self) -> int:
        return int(re.IGNORECASE) if self.ignore_case else 0

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return 1 for a match, 0 for none; skipped where a reference is not a regular expression."""
        text = output.text or ""
        if self._pattern is not None:
            return float(self._matches(self._pattern, text))
        if not sample.references:
            return NO_REFERENCE
        patterns: list[re.Pattern[str]] = []
        for reference in sample.references:
            pattern = try_compile(reference, self._flags)
            if isinstance(pattern, Skipped):
                return Skipped(f"reference {pattern.reason}")
            patterns.append(pattern)
        return float(any(self._matches(pattern, text) for pattern in patterns))

    def _matches(self, pattern: re.Pattern[str], text: str) -> bool:
        return (pattern.search(text) if self.mode == "search" else pattern.fullmatch(text.strip())) is not None
