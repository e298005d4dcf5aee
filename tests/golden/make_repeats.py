"""Write repeats.json: pass@k by the estimator that HumanEval publishes, and pass^k, agreement and variance by counting.

HumanEval (openai/human-eval, evaluation.py) multiplies 1 - k / j for j from n - c + 1 to n. The other figures come
from listing every choice of k answers.

pip install numpy scipy
python tests/golden/make_repeats.py
"""

from __future__ import annotations

import json
from importlib.metadata import version
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import f_oneway

CASES = [(n, c, k) for n in (1, 2, 3, 5, 8, 10) for c in range(n + 1) for k in range(1, n + 1)]
LARGE = [(200, 3, 100), (200, 0, 1), (100, 99, 50), (1000, 10, 10)]
VOTES = [["a", "a", "a"], ["a", "b", "a"], ["a", "b", "c"], ["b", "b", "a"]]


def humaneval(n: int, c: int, k: int) -> float:
    return 1.0 if n - c < k else float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def all_pass(n: int, c: int, k: int) -> float:
    return float(np.mean([max(chosen) < c for chosen in combinations(range(n), k)]))


def best(values: list[float], k: int) -> float:
    return float(np.mean([max(chosen) for chosen in combinations(values, k)]))


def main() -> None:
    observed = [float(np.mean([one == other for one, other in combinations(votes, 2)])) for votes in VOTES]
    rng = np.random.default_rng(5)
    scores = (rng.normal(size=(6, 1)) + rng.normal(size=(6, 4))).round(3)
    within = scores.var(axis=1, ddof=1).mean()
    ratio = float(f_oneway(*scores).statistic)  # between mean square / within mean square
    values = [0.3, 0.9, 0.1, 0.5, 0.5]
    golden = {
        "versions": {name: version(name) for name in ("numpy", "scipy")},
        "pass_at": [[n, c, k, humaneval(n, c, k)] for n, c, k in [*CASES, *LARGE]],
        "pass_hat": [[n, c, k, all_pass(n, c, k)] for n, c, k in CASES],
        "best_of": {"values": values, "by_k": [best(values, k) for k in range(1, 6)]},
        "agreement": {"votes": VOTES, "observed": observed},
        "variance": {"scores": scores.tolist(), "within": within, "between": (ratio - 1) * within / scores.shape[1]},
    }
    text = json.dumps(golden) + "\n"
    Path(__file__).with_name("repeats.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
