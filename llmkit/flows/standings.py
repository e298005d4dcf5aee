"""From games between systems to their ratings: Bradley-Terry, Elo, and how often each won against each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llmkit.errors import DataError, Problem, UsageError
from llmkit.jsonl import read_rows
from llmkit.stats import bradley_terry_ratings, elo_over_orders, length_controlled_win_rate, pairwise_win_rates
from llmkit.types import Estimate

_SHOWN = 20
_FEW = 2


@dataclass(frozen=True, slots=True)
class Game:
    """One comparison of two systems on one row.

    Attributes:
        a: A system.
        b: The other.
        score: 1 where ``a`` won, 0 where ``b`` did, 0.5 for a tie, or a preference between.
        row: The row's id: games on one row are not independent.
        lengths: Characters of the two answers; None where unknown.
    """

    a: str
    b: str
    score: float
    row: str = ""
    lengths: tuple[int, int] | None = None


def read_games(path: Path) -> list[Game]:
    """Return recorded games: JSONL rows with ``a``, ``b`` and ``winner`` or ``score``.

    ``winner`` is a name, ``a``, ``b`` or ``tie``. ``row`` (or ``id``) names the row that was judged, ``length_a`` and
    ``length_b`` the answers' characters.

    Raises:
        DataError: every row that is no game, up to twenty.
    """
    games: list[Game] = []
    problems: list[Problem] = []
    for number, row in read_rows(path):
        found = row if isinstance(row, Problem) else _game(row)
        if isinstance(found, Game):
            games.append(found)
        elif isinstance(found, Problem):
            problems.append(found)
        else:
            problems.append(Problem(found, file=str(path), line=number))
    if not games and not problems:
        problems.append(Problem("there are no games in it", file=str(path)))
    if problems:
        raise DataError(problems=problems[:_SHOWN])
    return games


def _game(row: Any) -> Game | str:
    if not isinstance(row, dict) or not all(isinstance(row.get(side), str) and row[side] for side in "ab"):
        return "a game needs the names of two systems, 'a' and 'b'"
    if row["a"] == row["b"]:
        return f"'{row['a']}' plays against itself"
    score = row.get("score")
    if score is None:
        winner = str(row.get("winner", "")).strip()
        known = {row["a"]: 1.0, "a": 1.0, row["b"]: 0.0, "b": 0.0, "tie": 0.5}
        if winner not in known:
            return f"'winner' is '{winner}': expected '{row['a']}', '{row['b']}', a, b or tie"
        score = known[winner]
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not 0 <= score <= 1:
        return f"'score' is {score}: expected a number from 0 (b won) to 1 (a won)"
    lengths = row.get("length_a"), row.get("length_b")
    both = isinstance(lengths[0], int) and isinstance(lengths[1], int)
    return Game(row["a"], row["b"], float(score), str(row.get("row", row.get("id", ""))), lengths if both else None)  # type: ignore[arg-type]


def standings(
    games: Sequence[Game], *, baseline: str | None = None, orders: int = 10_000, seed: int = 0, level: float = 0.95
) -> dict[str, Any]:
    """Return the standings of a tournament as plain JSON, the best rating first.

    Args:
        games: What was played.
        baseline: A system; the others' win rates against it are given too, raw and length-controlled.
        orders: Random orders of the games that Elo is averaged over.
        seed: Of the orders and of bootstraps.
        level: Of the intervals.

    Raises:
        UsageError: there are no games, or nobody is called ``baseline``.
    """
    names = sorted({name for game in games for name in (game.a, game.b)})
    if len(names) < _FEW:
        raise UsageError("a tournament needs games between two systems or more")
    if baseline is not None and baseline not in names:
        raise UsageError(f"nobody is called '{baseline}'; the systems are {', '.join(names)}")
    number = {name: at for at, name in enumerate(names)}
    first, second = (np.array([number[getattr(game, side)] for game in games]) for side in "ab")
    scores = np.array([game.score for game in games])
    rows = {row: at for at, row in enumerate(dict.fromkeys(game.row for game in games))}
    clusters = np.array([rows[game.row] for game in games]) if len(rows) > 1 else None
    rated = bradley_terry_ratings(first, second, scores, len(names), clusters=clusters, level=level)
    elo = elo_over_orders(first, second, scores, len(names), orders=orders, seed=seed, level=level)
    rates, counts = pairwise_win_rates(first, second, scores, len(names))
    table: list[dict[str, Any]] = [
        {
            "system": name,
            "games": int(counts[at].sum()),
            "win_rate": float(np.nansum(rates[at] * counts[at]) / counts[at].sum()),
            "bradley_terry": _estimate(rated.ratings[at]),
            "elo": _estimate(elo[at]),
        }
        for name, at in number.items()
    ]
    table.sort(key=lambda entry: (-(entry["bradley_terry"] or {"value": float("-inf")})["value"], entry["system"]))
    matrix = {
        name: {other: None if np.isnan(rates[i, j]) else float(rates[i, j]) for other, j in number.items() if i != j}
        for name, i in number.items()
    }
    found: dict[str, Any] = {
        "schema": 1,
        "games": len(games),
        "rows": len(rows),
        "ties": int((scores == 0.5).sum()),  # noqa: PLR2004 - a tie
        "systems": table,
        "win_rates": matrix,
        "notes": list(rated.notes),
        "level": level,
        "seed": seed,
        "orders": orders,
    }
    if baseline is not None:
        found["baseline"] = baseline
        found["against_baseline"] = {
            name: _against(games, name, baseline, seed, level) for name in names if name != baseline
        }
    return found


def _against(games: Sequence[Game], name: str, baseline: str, seed: int, level: float) -> dict[str, Any]:
    """Return one system's win rate against the baseline, raw and, where lengths are known, length-controlled."""
    own = [game for game in games if {game.a, game.b} == {name, baseline}]
    if not own:
        return {"games": 0}
    scores = np.array([game.score if game.a == name else 1 - game.score for game in own])
    rows = {row: at for at, row in enumerate(dict.fromkeys(game.row for game in own))}
    clusters = np.array([rows[game.row] for game in own]) if 1 < len(rows) < len(own) else None
    lengths = [
        (game.lengths if game.a == name else game.lengths[::-1]) if game.lengths is not None else None for game in own
    ]
    known = [pair for pair in lengths if pair is not None]
    if len(known) < len(own):
        from llmkit.stats import win_rate

        raw = win_rate(scores, clusters=clusters, level=level)
        return {"games": len(own), "win_rate": _estimate(raw.win_rate), "length_controlled": None}
    mine, theirs = np.array(known, dtype=float).T
    controlled = length_controlled_win_rate(scores, theirs, mine, clusters=clusters, seed=seed, level=level)
    return {
        "games": len(own),
        "win_rate": _estimate(controlled.raw.win_rate),
        "length_controlled": _estimate(controlled.win_rate),
        "note": controlled.warning or controlled.reason,
    }


def _estimate(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}
