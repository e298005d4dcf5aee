"""TER: translation edit rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llmkit.metrics._base import NO_REFERENCE
from llmkit.metrics._sacrebleu import SacrebleuMetric
from llmkit.registry import metric
from llmkit.types import Output, Sample, Skipped

if TYPE_CHECKING:
    from numpy.typing import NDArray


@metric("ter")
@dataclass(frozen=True)
class Ter(SacrebleuMetric):
    """Edits per reference word that turn the output into the closest reference; a moved phrase is one edit.

    TER = 100 * edits / reference length, both summed over the corpus before dividing: edits are insertions, deletions,
    substitutions and shifts of a run of words; of several references the one with the fewest edits counts, against the
    references' mean length.

    Range from 0 (equal) upward; over 100 where more must change than the reference is long. Lower is better.

    Source: Snover et al. 2006, "A Study of Translation Edit Rate with Targeted Human Annotation"; computed by
    sacreBLEU.

    Use it for translation and post-editing effort. Do not use it for long texts (the search for shifts is slow) or
    for answers that can be right in other words.

    Attributes:
        normalized: Split punctuation off.
        no_punct: Drop punctuation.
        asian_support: Extend both to Chinese and Japanese characters.
        case_sensitive: Tell case apart; else it is ignored.
    """

    normalized: bool = False
    no_punct: bool = False
    asian_support: bool = False
    case_sensitive: bool = False

    higher_is_better = False

    @property
    def conditions(self) -> Mapping[str, Any]:
        """Case, tokenizer and its settings, in sacreBLEU's words."""
        return {
            "case": "mixed" if self.case_sensitive else "lc",
            "tok": "tercom",
            "norm": self.normalized,
            "punct": not self.no_punct,
            "asian": self.asian_support,
        }

    @cached_property
    def _sacrebleu(self) -> Any:
        from sacrebleu.metrics import TER

        return TER(
            normalized=self.normalized,
            no_punct=self.no_punct,
            asian_support=self.asian_support,
            case_sensitive=self.case_sensitive,
        )

    def stats(self, sample: Sample, output: Output) -> tuple[float, float] | Skipped:
        """Return the edits and the references' mean length in words."""
        if not sample.references:
            return NO_REFERENCE
        scored = self._sacrebleu.sentence_score(output.text or "", sample.references)
        return float(scored.num_edits), float(scored.ref_length)

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return corpus TER from summed statistics; 100 where words stand against empty references only."""
        edits, length = totals
        return 100 * (edits / length if length else float(edits > 0))

    def value_many(self, totals: NDArray[Any], n: int) -> NDArray[Any]:
        """Return `value` of each row of totals, shape (m, 2), as shape (m,): for resampling."""
        import numpy as np

        edits, lengths = np.asarray(totals, dtype=np.float64).T
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(100 * np.where(lengths > 0, edits / lengths, edits > 0))
