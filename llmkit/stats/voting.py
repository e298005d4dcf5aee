"""Plurality votes, weighted or not, and how often voters agree."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import fsum
from random import Random
from typing import Generic, TypeVar

V = TypeVar("V", bound=Hashable)

SAME = 1e-9
"""Totals that differ by a smaller share than this are a tie: 0.1 + 0.2 ties with 0.3."""


@dataclass(frozen=True, slots=True)
class Count(Generic[V]):
    """How a vote ended.

    Attributes:
        winner: The candidate with most votes; None where nobody voted.
        tied: The candidates that have as many votes as the winner, itself among them, in the order of the votes.
        share: The winner's share of all votes cast, 0 where nobody voted.
    """

    winner: V | None
    tied: tuple[V, ...]
    share: float


def count_votes(
    votes: Sequence[V | None], weights: Sequence[float] | None = None, *, draw: str | None = None
) -> Count[V]:
    """Return who wins a plurality vote.

    Without ties this is the hard vote of scikit-learn's ``VotingClassifier``. Ties go to the candidate that was voted
    for first, in the order of ``votes``.

    Args:
        votes: One candidate a voter; None abstains.
        weights: One number a voter, at least 0; without them every vote counts alike.
        draw: A seed that breaks ties by a draw instead. The draw does not depend on the order of the votes.
    """
    power = weights if weights is not None else [1.0] * len(votes)
    cast: dict[V, list[float]] = {}
    for vote, weight in zip(votes, power, strict=True):
        if vote is not None:
            cast.setdefault(vote, []).append(weight)
    if not cast:
        return Count(None, (), 0.0)
    totals = {candidate: fsum(parts) for candidate, parts in cast.items()}
    most = max(totals.values())
    tied = tuple(candidate for candidate, total in totals.items() if total >= most - SAME * most)
    winner = tied[0]
    if draw is not None and len(tied) > 1:
        winner = Random(draw).choice(sorted(tied, key=str))  # noqa: S311 - a seeded draw, not a secret
    everything = fsum(totals.values())
    return Count(winner, tied, totals[winner] / everything if everything else 0.0)


@dataclass(slots=True)
class Agreement:
    """Counts, row by row, how often voters say the same. Memory does not grow with rows.

    Attributes:
        rows: Rows on which at least two voted.
        unanimous: Those on which all who voted said the same.
        together: For each pair of voters, by name, the rows on which both voted.
        same: Those on which the two said the same.
    """

    rows: int
    unanimous: int
    together: dict[tuple[str, str], int]
    same: dict[tuple[str, str], int]

    @classmethod
    def among(cls, names: Sequence[str]) -> Agreement:
        """Return counts of nothing yet."""
        pairs = list(combinations(names, 2))
        return cls(0, 0, dict.fromkeys(pairs, 0), dict.fromkeys(pairs, 0))

    def add(self, votes: Mapping[str, Hashable | None]) -> None:
        """Count one row: what each voter said, None where it abstained."""
        cast = {name: vote for name, vote in votes.items() if vote is not None}
        if len(cast) > 1:
            self.rows += 1
            self.unanimous += len(set(cast.values())) == 1
        for pair in self.together:
            if pair[0] in cast and pair[1] in cast:
                self.together[pair] += 1
                self.same[pair] += cast[pair[0]] == cast[pair[1]]

    def shares(self) -> dict[tuple[str, str], float | None]:
        """Return for each pair the share of agreement; None where the two never voted on one row."""
        return {pair: self.same[pair] / n if n else None for pair, n in self.together.items()}
