"""Write corrected.json: prediction-powered means by ppi-python, and Bradley-Terry ratings by choix.

choix has no ties: every win is given to it twice, every tie as a win for each side, which has the same maximum.

pip install ppi-python choix
python tests/golden/make_corrected.py
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import choix
import numpy as np
from ppi_py import ppi_mean_pointestimate


def means(rng: np.random.Generator) -> list[dict[str, object]]:
    cases: list[dict[str, object]] = []
    for kind in ("yes/no", "1 to 5", "continuous"):
        for n, others in ((12, 40), (30, 60), (25, 10)):
            if kind == "yes/no":
                human = (rng.random(n + others) < 0.7).astype(float)
                judge = np.where(rng.random(n + others) < 0.8, human, 1 - human)
            elif kind == "1 to 5":
                human = rng.integers(1, 6, n + others).astype(float)
                judge = np.clip(human + rng.integers(-1, 2, n + others), 1, 5)
            else:
                human = rng.normal(size=n + others).round(4)
                judge = (0.8 * human + 0.5 * rng.normal(size=n + others)).round(4)
            labels = human[:n]
            weights = [0.0, 0.3, 0.75, 1.0]
            values = [
                float(np.squeeze(ppi_mean_pointestimate(labels, judge[:n], judge[n:], lam=lam))) for lam in weights
            ]
            cases.append({"human": labels.tolist(), "judge": judge.tolist(), "lam": weights, "values": values})
    return cases


def tournaments(rng: np.random.Generator) -> list[dict[str, object]]:
    cases: list[dict[str, object]] = []
    for players, games in ((3, 40), (6, 200), (12, 800)):
        strength = rng.normal(size=players)
        played = []
        for _ in range(games):
            a, b = rng.choice(players, 2, replace=False).tolist()
            chance = 1 / (1 + np.exp(strength[b] - strength[a]))
            score = 0.5 if rng.random() < 0.2 else float(rng.random() < chance)
            played.append((a, b, score))
        wins = []
        for a, b, score in played:
            wins += {1.0: [(a, b)] * 2, 0.5: [(a, b), (b, a)], 0.0: [(b, a)] * 2}[score]
        ratings = choix.opt_pairwise(players, wins, alpha=0.0, method="Newton-CG", tol=1e-12)
        cases.append({"players": players, "games": played, "ratings": (ratings - ratings.mean()).tolist()})
    return cases


def main() -> None:
    rng = np.random.default_rng(11)
    golden = {
        "versions": {name: version(name) for name in ("ppi-python", "choix", "numpy", "scipy")},
        "means": means(rng),
        "tournaments": tournaments(rng),
    }
    Path(__file__).with_name("corrected.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
