"""Win rates of a candidate against a base, and of many systems against one another.

A preference is a number in [0, 1]: 1 the candidate wins, 0 the base wins, 1/2 a tie; a judge that gives probabilities
gives those. AlpacaEval writes them from 1 (the base wins) to 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.intervals import mean_estimate
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True, slots=True)
class WinRate:
    """A win rate and what it is made of.

    Attributes:
        win_rate: Mean preference, 0 to 1, with its interval.
        standard_error: Standard deviation of the preferences (n - 1) / sqrt(n), as AlpacaEval gives it; None for n = 1.
        discrete_win_rate: (wins + ties / 2) / n, whatever the size of the preferences.
        wins: Preferences above 1/2.
        losses: Preferences below 1/2.
        ties: Preferences of exactly 1/2.
    """

    win_rate: Estimate
    standard_error: float | None
    discrete_win_rate: float
    wins: int
    losses: int
    ties: int


def win_rate(preferences: Array, *, clusters: Array | None = None, level: float = 0.95) -> WinRate:
    """Return the win rate of n >= 1 preferences in [0, 1], ties 1/2.

    Wilson's interval where every preference is a win or a loss, else t; with ``clusters`` (shape (n,)) the robust
    one. Source: AlpacaEval (tatsu-lab/alpaca_eval, metrics/winrate.py), in shares instead of percent.

    Raises ValueError where there are no preferences, or one lies outside [0, 1].
    """
    import numpy as np

    values = checked_preferences(preferences)
    decided = bool(np.isin(values, (0.0, 1.0)).all())
    estimate = mean_estimate(values, binary=decided, clusters=clusters, level=level, bounds=(0.0, 1.0))
    n, wins, losses = len(values), int((values > TIE).sum()), int((values < TIE).sum())
    error = sqrt(float(values.var(ddof=1)) / n) if n > 1 else None
    ties = n - wins - losses
    return WinRate(estimate, error, (wins + ties / 2) / n, wins, losses, ties)


TIE = 0.5


def checked_preferences(preferences: Array) -> Array:
    """Return preferences as floats; ValueError where there are none or one is not in [0, 1]."""
    import numpy as np

    values = np.asarray(preferences, dtype=np.float64)
    if not len(values):
        raise ValueError("a win rate needs at least one preference")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("a preference lies outside 0 to 1: 1 is a win, 0 a loss, 0.5 a tie; leave failed rows out")
    return values


def mean_win_rates(table: Array, higher_is_better: Array | None = None) -> list[float | None]:
    """Return for each system how often it beats a random other one, ties 1/2, averaged over the columns.

    Source: Liang et al. (2022), "Holistic Evaluation of Language Models", arXiv 2211.09110, section 1.2.

    Args:
        table: Shape (systems, columns); NaN where a system has no value in a column, which then leaves it out.
        higher_is_better: Shape (columns,) of truth values; True everywhere where None.

    Returns:
        Per system the mean over the columns where it and another system have a value; None where there is no such one.
    """
    import numpy as np

    values = np.array(table, dtype=np.float64)
    if higher_is_better is not None:
        values[:, ~np.asarray(higher_is_better, dtype=bool)] *= -1
    rates: list[list[float]] = [[] for _ in values]
    for column in values.T:
        present = np.flatnonzero(~np.isnan(column))
        if len(present) > 1:
            ordered = np.sort(column[present])
            below = np.searchsorted(ordered, column[present], "left")
            beaten = (below + np.searchsorted(ordered, column[present], "right") - 1) / 2
            for system, share in zip(present.tolist(), (beaten / (len(present) - 1)).tolist(), strict=True):
                rates[system].append(share)
    return [sum(mine) / len(mine) if mine else None for mine in rates]


def pairwise_win_rates(first: Array, second: Array, scores: Array, players: int) -> tuple[Array, Array]:
    """Return how often each player won against each other one, and in how many games.

    Args:
        first: Shape (games,): who played first, 0 .. players - 1.
        second: Shape (games,): the other.
        scores: Shape (games,): 1 the first won, 0 the second won, 1/2 a tie.
        players: How many there are.

    Returns:
        Two arrays of shape (players, players): win rates of the row's player, NaN where the two never met, and counts.

    Raises ValueError as `checked_games` does.
    """
    import numpy as np

    a, b, won = checked_games(first, second, scores, players)
    points = np.zeros((players, players))
    np.add.at(points, (a, b), won)
    np.add.at(points, (b, a), 1 - won)
    games = points + points.T
    rates = np.full((players, players), np.nan)
    np.divide(points, games, out=rates, where=games > 0)
    return rates, np.rint(games).astype(np.int64)


def checked_games(first: Array, second: Array, scores: Array, players: int) -> tuple[Array, Array, Array]:
    """Return games as arrays; ValueError with every fault where they are none."""
    import numpy as np

    a, b, won = np.asarray(first), np.asarray(second), np.asarray(scores, dtype=np.float64)
    faults = []
    if not len(a) == len(b) == len(won):
        faults.append(f"there are {len(a)} first players, {len(b)} second players and {len(won)} scores")
    elif not len(won):
        faults.append("there are no games")
    else:
        if a.dtype.kind not in "iu" or b.dtype.kind not in "iu":
            faults.append("players are numbers from 0")
        elif min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= players:
            faults.append(f"a player is not among 0 .. {players - 1}")
        elif (a == b).any():
            faults.append("a game has one player on both sides")
        if not ((won >= 0) & (won <= 1)).all():
            faults.append("a score lies outside 0 to 1")
    if faults:
        raise ValueError("; ".join(faults))
    return a.astype(np.int64), b.astype(np.int64), won
