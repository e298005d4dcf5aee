"""PR-AUC and ROC-AUC with 1,000 bootstrap resamples: llmkit beside scikit-learn, in one process, on one core.

    python benchmarks/bench_auc.py [--quick]

Both sides value the same resamples (drawn beforehand, not timed): llmkit all at once, by how often each row is drawn;
scikit-learn one after the other, with the same counts as sample weights, which is its quickest way. Values must agree
to 1e-9. Scores have 10,000 different values, and, with ties, 100. The order of the sides alternates, and the fastest of
the rounds counts for both. Peak memory is that of the allocations of each side alone, measured in a run of its own.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tracemalloc
from collections.abc import Callable
from importlib.metadata import version

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
from _measure import header, heading, row
from sklearn.metrics import average_precision_score, roc_auc_score

from llmkit.metrics._curves import RankedRows
from llmkit.metrics.pr_auc import PrAuc
from llmkit.metrics.roc_auc import RocAuc
from llmkit.types import Table

ROUNDS = 3
CHUNK = 200
CASES: tuple[tuple[str, RankedRows, Callable[..., float]], ...] = (
    ("PR-AUC", PrAuc(), average_precision_score),
    ("ROC-AUC", RocAuc(), roc_auc_score),
)


def made(n: int, digits: int, resamples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n + digits)
    gold = (rng.random(n) < 0.1).astype(float)
    scores = np.round(rng.normal(gold, 1.0), digits)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(float)
    return gold, scores, weights


def ours(metric: RankedRows, gold: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    table = Table([gold, scores], [(), ()])  # type: ignore[list-item]
    parts = [metric.value_many(table, weights[i : i + CHUNK]) for i in range(0, len(weights), CHUNK)]
    return np.concatenate(parts)


def theirs(function: Callable[..., float], gold: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.array([function(gold, scores, sample_weight=one) for one in weights])


def peak(call: Callable[[], object]) -> float:
    """Return the peak of what a call allocates, in MB."""
    tracemalloc.start()
    call()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 rows, 100 resamples, one round")
    quick = parser.parse_args().quick
    n, resamples, rounds = (2000, 100, 1) if quick else (10_000, 1000, ROUNDS)
    header(f"scikit-learn {version('scikit-learn')}; {n} rows, {resamples} resamples; CPU seconds and peak MB")
    heading("metric", "scores", "llmkit", "scikit-learn", "ratio", "llmkit MB", "scikit-learn MB")
    for name, metric, function in CASES:
        for digits, kind in ((12, "all different"), (1, "with ties")):
            data = made(n, digits, resamples)
            sides: list[Callable[[], np.ndarray]] = [
                lambda m=metric, d=data: ours(m, *d),
                lambda f=function, d=data: theirs(f, *d),
            ]
            best = [float("inf")] * 2
            for number in range(rounds):
                values: dict[int, np.ndarray] = {}
                for side in (0, 1) if number % 2 else (1, 0):
                    start = time.process_time()
                    values[side] = sides[side]()
                    best[side] = min(best[side], time.process_time() - start)
                assert np.abs(values[0] - values[1]).max() < 1e-9
            ratio = best[1] / best[0]
            memory = [f"{peak(side):.1f}" for side in sides]
            row(name, kind, f"{best[0]:.3f}", f"{best[1]:.3f}", f"{ratio:.1f}x", *memory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
