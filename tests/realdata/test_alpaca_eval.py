"""AlpacaEval's first leaderboard: 52 models' win rates, and its length-controlled ones as near as they can be had."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmkit.stats import length_controlled_win_rate, win_rate

near = pytest.approx


def preferences(folder: Path) -> dict[str, Any]:
    """Return for each model shape (rows, 3): preference in [0, 1], base length, candidate length.

    A preference of 0 is an old way to write a tie; an empty one is no preference.
    """
    rows: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    with gzip.open(folder / "preferences_v1.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["preference"]:
                preference = float(row["preference"]) or 1.5
                rows[row["model"]].append((preference - 1, float(row["len_1"]), float(row["len_2"])))
    return {model: np.array(mine) for model, mine in rows.items()}


def leaderboard(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "leaderboard_v1.csv").open(encoding="utf-8") as file:
        return {row[""]: row for row in csv.DictReader(file)}


def test_win_rates_errors_and_counts_of_52_models(shared_data: Path) -> None:
    found, published = preferences(shared_data / "alpaca_eval"), leaderboard(shared_data / "alpaca_eval")
    assert len(found) == 52
    for model, rows in found.items():
        mine, theirs = win_rate(rows[:, 0]), published[model]
        assert 100 * mine.win_rate.value == near(float(theirs["win_rate"]), abs=1e-9)
        assert mine.standard_error is not None
        assert 100 * mine.standard_error == near(float(theirs["standard_error"]), abs=1e-9)
        assert 100 * mine.discrete_win_rate == near(float(theirs["discrete_win_rate"]), abs=1e-9)
        counts = tuple(int(theirs[name]) for name in ("n_wins", "n_wins_base", "n_draws", "n_total"))
        assert (mine.wins, mine.losses, mine.ties, mine.win_rate.n) == counts


def test_length_controlled_win_rates_rank_as_the_published_ones(shared_data: Path) -> None:
    """Theirs also use each instruction's difficulty and two "gamed" models, which this data lacks."""
    found, published = preferences(shared_data / "alpaca_eval"), leaderboard(shared_data / "alpaca_eval")
    pairs = []
    for model, rows in found.items():
        if published[model]["length_controlled_winrate"]:
            mine = length_controlled_win_rate(*rows.T, resamples=40)
            assert mine.win_rate is not None
            theirs = float(published[model]["length_controlled_winrate"])
            pairs.append((100 * mine.win_rate.value, theirs, 100 * mine.raw.win_rate.value))
    assert len(pairs) == 51
    mine_all, theirs_all, raw = np.array(pairs).T
    ranks = [np.argsort(np.argsort(values)) for values in (mine_all, theirs_all, raw)]
    assert np.corrcoef(ranks[0], ranks[1])[0, 1] > 0.96
    assert np.corrcoef(ranks[0], ranks[1])[0, 1] > np.corrcoef(ranks[2], ranks[1])[0, 1]
    assert np.abs(mine_all - theirs_all).mean() < 5
    assert np.abs(raw - theirs_all).mean() > 15
