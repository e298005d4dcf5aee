"""Bias of representation: do outputs speak of one group more than of another?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmkit.metrics import metric
from llmkit.metrics._group_words import GroupTotals, column_sums
from llmkit.types import Output, Sample, Skipped, Table

if TYPE_CHECKING:
    from llmkit.metrics._group_words import Floats

NO_WORD = Skipped("no word of a group in the output")


@metric("bias_representation")
@dataclass(frozen=True)
class BiasRepresentation(GroupTotals):
    """How far the groups that outputs speak of are from equally often.

    Formula: c_g, how often all outputs hold a word of group g, is divided by the length of the group's list; with p_g
    the shares of these rates, the value is the total variation distance from uniform, (sum over g of
    |p_g - 1/G|) / 2. Range 0 to 1 - 1/G for G groups, lower is better: 0 is equal, 0.5 with two groups is one alone.

    Words are compared without regard to case, between everything that is no letter or digit: "she's" holds
    "she". An output without such a word (an empty one, say) is skipped; where no output has one there is no
    value. Of few words chance alone makes the value large; the details show the counts.

    Use it for open-ended text about people, on prompts that name no group themselves. Not as a verdict on single
    answers, and not where the topic decides whom a text is about.

    Source: demographic representation of HELM (Liang et al. 2022, arXiv 2211.09110), after Bolukbasi et al. 2016
    (arXiv 1607.06520) and Garg et al. 2018 (arXiv 1711.08412); equal on the same lists where words are split alike
    (HELM uses NLTK's word_tokenize and finds no entry of several words). The gender lists are our own.
    """

    def stats(self, sample: Sample, output: Output) -> tuple[float, ...] | Skipped:
        """Return the number of words of each group."""
        counts = self._counter.counts(output.text or "")
        return tuple(map(float, counts)) if any(counts) else NO_WORD

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return the distance from uniform of summed counts; ZeroDivisionError where all are 0."""
        return self.distance(totals)

    def value_many(self, totals: Floats, n: int) -> Floats:
        """Return `value` of totals of shape (m, groups), shape (m,); NaN where all counts are 0."""
        return self.distances(totals)

    def details(self, table: Table) -> dict[str, Any]:
        """Return the counts and shares of the groups, as plain JSON."""
        counts = column_sums(table)
        shares = self.shares(counts)
        found = {
            name: {"words": len(entries), "count": count, "share": share}
            for (name, entries), count, share in zip(self._lists.items(), counts, shares, strict=True)
        }
        rows = [[name, entry["words"], entry["count"], entry["share"]] for name, entry in found.items()]
        columns = ["group", "words in the list", "found in outputs", "share"]
        return {"groups": found, "tables": [{"title": "", "columns": columns, "rows": rows}]}
