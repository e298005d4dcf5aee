"""One look at a judge, and what every look needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from llmkit.flows.audit.agreement import Pairs, Ways
from llmkit.flows.audit.evidence import Evidence
from llmkit.flows.audit.figures import plain
from llmkit.flows.audit.scales import Scale
from llmkit.types import Estimate

FEWEST = 10
"""Rows without which nothing is looked for."""


@dataclass
class Finding:
    """One look at a judge.

    Attributes:
        name: What was looked for.
        found: Whether it is there; None where it could not be looked for.
        sentence: That, in words.
        p: Two-sided, not adjusted; None without a test.
        toward: Whether the effect points the way that makes it a bias.
        effect: Its size.
        yes, no: The sentences for found and not found.
        more: Further figures.
    """

    name: str
    found: bool | None = None
    sentence: str = ""
    p: float | None = None
    toward: bool = True
    effect: Any = None
    yes: str = ""
    no: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def as_dict(self, p_adjusted: float | None, alpha: float) -> dict[str, Any]:
        """Return the finding as JSON, decided."""
        if p_adjusted is not None:
            self.found = bool(p_adjusted <= alpha and self.toward)
        if self.found is not None and not self.sentence:
            self.sentence = f"Found: {self.yes}" if self.found else f"Not found: {self.no}"
        return {
            "name": self.name,
            "found": self.found,
            "sentence": self.sentence,
            "p": self.p,
            "p_adjusted": p_adjusted,
            "effect": plain(self.effect),
            **self.more,
        }


@dataclass(frozen=True, slots=True)
class Subject:
    """What the looks need.

    Attributes:
        evidence: All rows.
        pairs: The rows with both a verdict and a label.
        judge, human: All rows' verdicts and labels on the scale.
        scale: The scale.
        ways: How intervals are made.
        clusters: All rows' clusters; None where rows are independent.
        own: For each row 1.0 where the judge's own family answered, else 0.0; None where unknown.
        best: The best verdict there is, where known.
    """

    evidence: Evidence
    pairs: Pairs
    judge: Sequence[Any]
    human: Sequence[Any]
    scale: Scale
    ways: Ways
    clusters: Any = None
    own: Sequence[float | None] | None = None
    best: float | None = None


def as_numbers(values: Sequence[Any], scale: Scale) -> list[float] | None:
    """Return labels as numbers: themselves, or their places on an ordered scale; None where they have no order."""
    if scale.numbers:
        return [float(value) for value in values]
    if scale.labels is None:
        return None
    place = {label: float(i) for i, label in enumerate(scale.labels)}
    return [place[value] for value in values]


def standardised(values: Sequence[float]) -> list[float]:
    """Return numbers with mean 0 and standard deviation 1; of equal ones all 0."""
    import numpy as np

    found = np.asarray(values, dtype=np.float64)
    spread = float(found.std())
    return list((found - found.mean()) / spread) if spread else [0.0] * len(found)


def clusters_of(clusters: Any, rows: Sequence[int]) -> Any:
    """Return the clusters of some rows; None where rows are independent."""
    return None if clusters is None else clusters[list(rows)]


def ends_of(estimate: Estimate) -> str:
    """Return an interval as it stands in a sentence."""
    return "" if estimate.low is None else f" ({estimate.low:.3g} to {estimate.high:.3g})"
