"""Token F1: how far do the words of answer and reference overlap?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from llmkit.metrics import MeanMetric, References, metric, over_references
from llmkit.text.normalise import Normalise, normaliser
from llmkit.types import Output, Sample, Skipped


@metric("token_f1")
@dataclass(frozen=True)
class TokenF1(MeanMetric):
    """Overlap of the words of output and reference, as F1.

    Formula: with c the number of words in common, F1 = 2c / (words in output + words in reference), which is the
    harmonic mean of precision and recall. Words are what white space separates after normalising; ``bag`` counts a
    repeated word as often as both texts have it, ``set`` once. Range 0 to 1, higher is better.

    Where a text has no words left ("", "the"), F1 is 1 if the other has none either, else 0 (SQuAD 2.0's rule; SQuAD
    1.1 and HELM score 0 in both cases).

    Use it for short free answers with references. Not for languages written without spaces between words (use `chrf`),
    nor for long answers, where shared function words carry the score.

    Sources: ``bag`` is SQuAD's F1 (Rajpurkar et al. 2016, arXiv 1606.05250; 2018, arXiv 1806.03822), ``set`` is HELM's
    (Liang et al. 2022, arXiv 2211.09110).

    Attributes:
        count: ``bag`` or ``set``.
        normalise: Named normalisations, the first applied first (`llmkit.text.normalise`).
        refs: How several references make one score.
    """

    count: Literal["bag", "set"] = "bag"
    normalise: str | tuple[str, ...] = "squad"
    refs: References = "max"

    needs = ("references",)
    bounds = (0.0, 1.0)

    _plain: Normalise = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plain", normaliser(self.normalise))

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return F1, over the references by ``refs``."""
        words = self._words(output.text or "")
        return over_references(self.refs, lambda reference: _f1(words, self._words(reference)), sample.references)

    def _words(self, text: str) -> Sequence[str]:
        words = self._plain(text).split()
        return words if self.count == "bag" else list(set(words))


def _f1(output: Sequence[str], reference: Sequence[str]) -> float:
    if not output or not reference:
        return float(len(output) == len(reference))
    left: dict[str, int] = {}
    for word in reference:
        left[word] = left.get(word, 0) + 1
    common = 0
    for word in output:
        rest = left.get(word, 0)
        if rest:
            left[word] = rest - 1
            common += 1
    return 2.0 * common / (len(output) + len(reference))
