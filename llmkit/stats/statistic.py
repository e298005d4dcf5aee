"""A statistic, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from llmkit.types import Estimate


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic of an audit. A value that is undefined is None with a reason, never NaN and never 0.

    Attributes:
        estimate: The value with its interval; None where it is undefined.
        reason: Why it is undefined, in a sentence's tail (``the judge gives one label only``).
        p: The p-value of no effect, two-sided, where there is a test.
        groups: How many groups (or systems) the value is made of; 0 for a pooled value.
        skipped: Groups in which it is undefined, which the value is made without.
    """

    estimate: Estimate | None
    reason: str = ""
    p: float | None = None
    groups: int = 0
    skipped: int = 0
