"""Length: how long is the answer?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from llmkit.metrics import MeanMetric, metric
from llmkit.types import Output, Sample


@metric("length")
@dataclass(frozen=True)
class Length(MeanMetric):
    """Mean length of the output in words or characters.

    Formula: the mean over outputs of what white space separates, or of Unicode code points, white space included. Range
    0 or more, no better direction: it never decides a gate by direction. An empty output has length 0.

    Use it beside any judged score, because judges prefer long answers. Not for languages written without spaces:
    take ``chars``.

    Source: none; it counts.

    Attributes:
        count: ``words`` or ``chars``.
    """

    count: Literal["words", "chars"] = "words"

    higher_is_better = None
    unit = "words"
    bounds = (0.0, math.inf)

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", self.count)

    def score(self, sample: Sample, output: Output) -> float:
        """Return the length."""
        text = output.text or ""
        return float(len(text.split()) if self.count == "words" else len(text))
