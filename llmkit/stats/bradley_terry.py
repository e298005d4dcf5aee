"""Bradley-Terry ratings of a tournament, with intervals, and without false certainty where games do not decide.

P(i beats j) = 1 / (1 + exp(r_j - r_i)). A tie counts as half a win and half a loss (as in FastChat's arena), not as an
outcome of its own as in Davidson (1970). Ratings are shown on Elo's scale: 400 points are odds of 10 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.distributions import t_quantile
from llmkit.stats.elo import BASE, SCALE, START
from llmkit.stats.intervals import dense_codes
from llmkit.stats.preferences import checked_games
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

STEPS = 100
POINTS = SCALE / log(BASE)


@dataclass(frozen=True, slots=True)
class BradleyTerry:
    """Ratings of the players 0, 1, ...

    Attributes:
        ratings: Of each player, on Elo's scale with mean 1000 in each group; None for one that played no game. No
            interval where a player's rating has no bound.
        groups: A number for each player; players of different groups are joined by no games and cannot be compared.
        unbounded: Players whose rating the games leave open towards above or below: they won, or lost, every game
            between their side and another.
        prior: Games that each player was taken to have tied with an opponent of the mean rating; 0 unless some rating
            has no bound.
        notes: What a reader must know.
    """

    ratings: tuple[Estimate | None, ...]
    groups: tuple[int, ...]
    unbounded: tuple[int, ...]
    prior: float
    notes: tuple[str, ...] = ()


def bradley_terry_ratings(
    first: Array,
    second: Array,
    scores: Array,
    players: int,
    *,
    clusters: Array | None = None,
    prior: float = 1.0,
    level: float = 0.95,
) -> BradleyTerry:
    """Return maximum-likelihood ratings by Newton's method, with intervals that allow for ties and clusters.

    The likelihood has a finite maximum only where no set of players won all its games against the rest (Ford 1957, Am.
    Math. Monthly 64:28-33). Where that fails, each player is taken to have tied ``prior`` games with an opponent of the
    mean rating, the players concerned are named in ``unbounded`` and get no interval.

    Intervals are of the rating about its group's mean: t times the robust (sandwich) standard error, summed within
    clusters (all games on one prompt, say), with C - 1 degrees of freedom for C clusters (or games).

    Sources: Bradley and Terry (1952), Biometrika 39:324-345; White (1982), Econometrica 50:1-25.

    Args:
        first: Shape (games,): players 0 .. players - 1.
        second: Shape (games,), likewise.
        scores: Shape (games,): 1 the first won, 0 the second won, 1/2 a tie (or any share between).
        players: How many there are.
        clusters: Shape (games,): games with one code are not independent.
        prior: Used only where some rating has no bound; more than 0.
        level: Of the intervals.

    Raises ValueError where the games are no games.
    """
    import numpy as np

    a, b, won = checked_games(first, second, scores, players)
    if not prior > 0:
        raise ValueError(f"the prior is a number of games above 0, not {prior}")
    codes, units = (np.arange(len(won)), len(won)) if clusters is None else dense_codes(np.asarray(clusters))
    if len(codes) != len(won):
        raise ValueError(f"there are {len(won)} games and {len(codes)} cluster codes")
    points = np.zeros((players, players))
    np.add.at(points, (a, b), won)
    np.add.at(points, (b, a), 1 - won)
    groups = _groups(points + points.T)
    unbounded = _unbounded(points, groups)
    used = prior if len(unbounded) else 0.0
    ratings, information = _fitted(points, used)
    played = (points + points.T).sum(axis=1) > 0
    ratings -= _group_means(ratings, groups)
    errors = _errors((a, b, won), ratings, information, codes if clusters is not None else None, units)
    reach = t_quantile(0.5 + level / 2, units - 1) * POINTS if units > 1 else None
    open_ones = set(unbounded.tolist())
    found = tuple(
        _estimate(START + POINTS * rating, None if reach is None else reach * error, int(games), i in open_ones, level)
        if games
        else None
        for i, (rating, error, games) in enumerate(
            zip(ratings.tolist(), errors.tolist(), np.rint((points + points.T).sum(axis=1)).tolist(), strict=True)
        )
    )
    notes = _notes(groups, played, sorted(open_ones), used)
    return BradleyTerry(found, tuple(groups.tolist()), tuple(sorted(open_ones)), used, notes)


def _estimate(value: float, reach: float | None, games: int, unbounded: bool, level: float) -> Estimate:  # noqa: FBT001 - one private caller
    if unbounded:
        return Estimate(value, None, None, games, "none: the games leave the rating open to one side", level)
    if reach is None:
        return Estimate(value, None, None, games, "none: one game or one cluster", level)
    return Estimate(value, value - reach, value + reach, games, "bradley-terry, robust", level)


def _notes(groups: Array, played: Array, unbounded: list[int], prior: float) -> tuple[str, ...]:
    notes = []
    apart = len(set(groups[played].tolist()))
    if apart > 1:
        notes.append(f"the games fall into {apart} groups that never met; ratings compare within a group only")
    if unbounded:
        names = ", ".join(map(str, unbounded))
        notes.append(
            f"players {names} won or lost every game against some others, which bounds no rating; "
            f"all ratings were drawn in by {prior:g} tied games each"
        )
    return tuple(notes)


def _reachable(edges: Array) -> Array:
    """Return for each pair whether a path leads from the one to the other; everyone reaches themselves."""
    import numpy as np

    reach = edges | np.eye(len(edges), dtype=bool)
    while True:
        further = reach @ reach
        if (further == reach).all():
            return reach
        reach = further


def _groups(games: Array) -> Array:
    """Return the number of each player's group, in the order of first players."""
    import numpy as np

    least = _reachable(games > 0).argmax(axis=1)
    return np.asarray(np.unique(least, return_inverse=True)[1])


def _unbounded(points: Array, groups: Array) -> Array:
    """Return the players of groups in which some players cannot be reached by a chain of points against them."""
    import numpy as np

    reach = _reachable(points > 0)
    together = groups[:, None] == groups[None, :]
    return np.flatnonzero((together & ~(reach & reach.T)).any(axis=1))


def _group_means(ratings: Array, groups: Array) -> Array:
    import numpy as np

    return (np.bincount(groups, weights=ratings) / np.bincount(groups))[groups]


def _fitted(points: Array, prior: float) -> tuple[Array, Array]:
    """Return the ratings (natural logarithms of odds) and the information matrix at them."""
    import numpy as np

    games = points + points.T
    ratings = np.zeros(len(points))
    value = _loss(ratings, points, prior)
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(ratings[None, :] - ratings[:, None]))
        pull = 1 / (1 + np.exp(-ratings))
        gradient = (points - games * chance).sum(axis=1) + prior * (0.5 - pull)
        weights = games * chance * (1 - chance)
        information = np.diag(weights.sum(axis=1) + prior * pull * (1 - pull)) - weights
        step = np.linalg.pinv(information, hermitian=True) @ gradient
        share = 1.0
        while _loss(ratings + share * step, points, prior) > value + 1e-12 * abs(value) and share > 1e-9:  # noqa: PLR2004
            share /= 2
        ratings = ratings + share * step
        value = _loss(ratings, points, prior)
        if np.abs(step).max() < 1e-12:  # noqa: PLR2004 - natural units; a rating is thousands of times that
            break
    return ratings, information


def _loss(ratings: Array, points: Array, prior: float) -> float:
    import numpy as np

    behind = ratings[None, :] - ratings[:, None]
    tied = np.logaddexp(0, ratings) + np.logaddexp(0, -ratings)
    return float((points * np.logaddexp(0, behind)).sum() + prior / 2 * tied.sum())


def _errors(
    games: tuple[Array, Array, Array], ratings: Array, information: Array, codes: Array | None, units: int
) -> Array:
    """Return the robust standard error of each rating, in natural units."""
    import numpy as np

    a, b, won = games
    players = len(ratings)
    surprise = won - 1 / (1 + np.exp(ratings[b] - ratings[a]))
    if codes is None:
        squares = np.zeros((players, players))
        np.add.at(squares, (a, b), surprise**2)
        squares += squares.T
        middle = np.diag(squares.sum(axis=1)) - squares
    else:
        sums = np.zeros((units, players))
        np.add.at(sums, (codes, a), surprise)
        np.add.at(sums, (codes, b), -surprise)
        middle = sums.T @ sums
    inverse = np.linalg.pinv(information, hermitian=True)
    covariance = inverse @ middle @ inverse * units / max(1, units - 1)
    return np.array([sqrt(max(0.0, one)) for one in np.diag(covariance).tolist()])
