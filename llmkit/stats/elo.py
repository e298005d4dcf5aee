"""Elo ratings: in the order the games were played, and averaged over random orders."""

from __future__ import annotations

from math import floor, log
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.preferences import checked_games
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

START, SCALE, BASE = 1000.0, 400.0, 10.0
_CHUNK = 8 << 20


def elo_ratings(
    first: Array, second: Array, scores: Array, players: int, *, k: float = 4.0, start: float = START
) -> list[float]:
    """Return ratings after the games in their given order: online Elo.

    After a game the first player gains k * (score - 1 / (1 + 10^((theirs - mine) / 400))), which the second loses.
    Source: FastChat (lm-sys/FastChat, serve/monitor/rating_systems.py): k = 4, start 1000.

    Args:
        first: Shape (games,): players 0 .. players - 1.
        second: Shape (games,), likewise.
        scores: Shape (games,): 1 the first won, 0 the second won, 1/2 a tie.
        players: How many there are.
        k: The most a game can move a rating.
        start: Everyone's first rating.

    Raises ValueError where the games are no games.
    """
    a, b, won = checked_games(first, second, scores, players)
    ratings = [start] * players
    for mine, theirs, score in zip(a.tolist(), b.tolist(), won.tolist(), strict=True):
        gain = k * (score - 1 / (1 + BASE ** ((ratings[theirs] - ratings[mine]) / SCALE)))
        ratings[mine] += gain
        ratings[theirs] -= gain
    return ratings


def elo_over_orders(
    first: Array,
    second: Array,
    scores: Array,
    players: int,
    *,
    orders: int = 10_000,
    k: float = 32.0,
    start: float = START,
    seed: int = 0,
    level: float = 0.95,
) -> list[Estimate]:
    """Return each player's mean Elo over random orders of the games, and the range that holds ``level`` of the orders.

    The range says how much the order matters, not how few games there were. Source: Dettmers et al. (2023), "QLoRA",
    arXiv 2305.14314, section 6.2: k = 32, start 1000, 10,000 orders.

    Args:
        first: As in `elo_ratings`.
        second: Likewise.
        scores: Likewise.
        players: Likewise.
        orders: How many, at least 2 / (1 - level).
        k: The most a game can move a rating.
        start: Everyone's first rating.
        seed: Of the orders.
        level: Of the range.

    Raises ValueError where the games are no games, or the orders are too few.
    """
    import numpy as np

    a, b, won = checked_games(first, second, scores, players)
    if not 0 < level < 1 or orders * (1 - level) < 2 - 1e-9:
        raise ValueError(f"a range at level {level} needs at least {2 / (1 - level):.0f} orders, not {orders}")
    rng = np.random.default_rng(seed)
    chunk = max(1, min(orders, _CHUNK // len(won)))
    sizes = [min(chunk, orders - done) for done in range(0, orders, chunk)]
    ratings = np.concatenate([_rated((a, b, won), players, _orders(len(won), size, rng), k) for size in sizes]) + start
    ordered, place = np.sort(ratings, axis=0), floor(round(orders * (1 - level) / 2, 9))
    method = f"elo over {orders} orders, k={k:g}"
    return [
        Estimate(
            float(ratings[:, i].mean()),
            float(ordered[place, i]),
            float(ordered[-1 - place, i]),
            len(won),
            method,
            level,
        )
        for i in range(players)
    ]


def _orders(games: int, count: int, rng: np.random.Generator) -> Array:
    """Return shape (games, count): each column a random order."""
    import numpy as np

    return rng.permuted(np.tile(np.arange(games, dtype=np.int32), (count, 1)), axis=1).T.copy()


def _rated(played: tuple[Array, Array, Array], players: int, orders: Array, k: float) -> Array:
    """Return ratings about 0 of shape (orders, players): every order takes one step at a time, all together."""
    import numpy as np

    a, b, won = played
    count = orders.shape[1]
    ratings = np.zeros(count * players)
    base = np.arange(count) * players
    steepness = log(BASE) / SCALE
    for games in orders:
        mine, theirs = base + a[games], base + b[games]
        before, against = ratings[mine], ratings[theirs]
        gain = k * (won[games] - 1 / (1 + np.exp(steepness * (against - before))))
        ratings[mine] = before + gain
        ratings[theirs] = against - gain
    return ratings.reshape(count, players)
