"""Majority: is the answer right that most of a sample's repeats give?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from llmkit.metrics._repeats import Inner, OfMetric, ScoredRepeat, as_table
from llmkit.metrics._votes import VoteFields
from llmkit.registry import metric
from llmkit.types import Output, Sample, Skipped, Table

TIED = Skipped("two answers have most votes")


@metric("majority")
@dataclass(frozen=True)
class Majority(VoteFields, OfMetric):
    """Score of the answer that most repeats of a sample give (self-consistency).

    Formula: the repeats vote by what they name (``vote``); the first repeat that names the winner is scored by the
    metric in ``of``; then the mean over samples. Range, direction (higher is better, or lower) and unit are those of
    that metric.

    Failed repeats do not vote. An answer that names nothing (no number, no known label, an empty text) has no vote;
    where none has one, the first answer is scored. The details say what voting gains: the mean score of single
    repeats, the share of samples with a tie, the mean share of votes that the winner has, and how far repeats vary.

    Use it for questions with one short answer, asked at a temperature above 0. Not for free text, of which no two are
    alike. Needs ``repeats`` of 2 or more; odd numbers tie less.

    Source: Wang et al. 2022, "Self-Consistency Improves Chain of Thought Reasoning", arXiv 2203.11171, the unweighted
    vote.

    Attributes:
        of: Spec of the metric that scores the winning answer.
        vote: What answers are compared by: ``text``, the normalised answer; ``number``, its last number; ``label``,
            the last known label in it, from ``labels`` or the row's choices.
        ties: Of several answers with most votes, the one seen ``first`` wins, or ``skip``: the sample has no score.
    """

    of: Inner = "exact_match"
    ties: Literal["first", "skip"] = "first"

    def __post_init__(self) -> None:
        """Build the metric inside, and what reads the votes."""
        VoteFields.__post_init__(self)
        self.build_inner()

    @property
    def binary(self) -> bool:
        """As the metric inside."""
        return self.inner.binary

    def of_scored(
        self, sample: Sample, outputs: Sequence[Output], scored: Sequence[ScoredRepeat]
    ) -> tuple[float, ...] | Skipped:
        """Return the winner's score, the figures of the repeats, whether there was a tie, and the winner's share."""
        votes = self.votes(sample, [output for output, _ in scored])
        if isinstance(votes, Skipped):
            return votes
        counts = Counter(vote for vote in votes if vote is not None)
        most = max(counts.values(), default=0)
        winners = [vote for vote, count in counts.items() if count == most]
        if len(winners) > 1 and self.ties == "skip":
            return TIED
        values = [value for _, value in scored]
        score = values[votes.index(winners[0])] if winners else values[0]
        tied, share = float(len(winners) > 1), most / len(votes)
        return (*self.statistics(score, values, outputs), tied, share)

    def details(self, table: Table) -> dict[str, Any]:
        """Return how the votes fell, and the spread of repeats."""
        found = super().details(table)
        score, mean = (fmean(map(float, table.columns[place])) for place in (0, 2))
        votes = {
            "majority": score,
            "mean_of_single_answers": mean,
            "gain": score - mean,
            "ties": fmean(map(float, table.columns[6])),
            "winner_share": fmean(map(float, table.columns[7])),
        }
        return {**found, "votes": votes, "tables": [as_table("Votes", votes), *found["tables"]]}
