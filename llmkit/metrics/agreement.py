"""Agreement: do a sample's repeats say the same?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import fmean
from typing import Any

from llmkit.metrics._repeats import as_table
from llmkit.metrics._votes import VoteFields
from llmkit.registry import metric
from llmkit.types import Output, Sample, Skipped, Table


@metric("agreement")
@dataclass(frozen=True)
class Agreement(VoteFields):
    """Share of pairs of a sample's repeats that give the same answer.

    Formula: of the n answers of a sample, n_a name the answer a: sum over a of C(n_a, 2) / C(n, 2); then the mean over
    samples. Range 0 to 1, higher is better: 1 where all repeats agree, right or wrong.

    Failed repeats are left out. An answer that names nothing (no number, no known label, an empty text) agrees with no
    other. The details give the share of samples whose repeats are unanimous, and how many different answers there are.

    Use it for how steady a system is, without references; low agreement marks the questions it is not sure of. Not as
    accuracy, since all repeats may be wrong together, nor for free text, of which no two are alike. Not corrected for
    agreement by chance. Needs ``repeats`` of 2 or more.

    Source: the observed agreement of Fleiss 1971, "Measuring nominal scale agreement among many raters".

    Attributes:
        vote: What answers are compared by: ``text``, the normalised answer; ``number``, its last number; ``label``,
            the last known label in it, from ``labels`` or the row's choices.
    """

    bounds = (0.0, 1.0)

    def stats_over(self, sample: Sample, outputs: Sequence[Output]) -> tuple[float, ...] | Skipped:
        """Return the share of pairs that agree, answers, different answers, and answers that name nothing."""
        answered = [output for output in outputs if output.error is None]
        if len(answered) < self.min_repeats:
            return self.too_few(len(answered))
        votes = self.votes(sample, answered)
        if isinstance(votes, Skipped):
            return votes
        counts = Counter(vote for vote in votes if vote is not None)
        agreeing = sum(comb(count, 2) for count in counts.values())
        return agreeing / comb(len(votes), 2), len(votes), len(counts), len(votes) - counts.total()

    def details(self, table: Table) -> dict[str, Any]:
        """Return unanimity and the number of different answers, as plain JSON."""
        shares, answers, different, silent = ([float(item) for item in column] for column in table.columns)
        found = {
            "samples": len(shares),
            "unanimous": fmean(share == 1.0 for share in shares),
            "different_answers": fmean(different),
            "names_nothing": sum(silent) / sum(answers),
        }
        return {"agreement": found, "tables": [as_table("Agreement", found)]}
