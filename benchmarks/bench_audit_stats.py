"""The numbers of an audit: llmkit beside a plain loop over scipy and scikit-learn, on one core.

    python benchmarks/bench_audit_stats.py [--quick]

50,000 recorded verdicts with human labels, 2,000 bootstrap resamples, CPU seconds, the fastest of the rounds. The loop
draws rows and calls accuracy_score, cohen_kappa_score (plain, linear, quadratic), pearsonr, spearmanr and kendalltau for
every resample; it runs a few resamples and the time is scaled to 2,000 (its cost does not depend on the resample). Point
values must agree to 1e-9, and so must all values of one resample drawn by hand.

The last rows are everything that an audit shows, one after the other: all statistics pooled, clustered, per group and
per system, alpha of three annotators, the leave-one-out ceiling with the judge beside it against majority and mean,
confusion table, position, length, family, clumping, self-consistency and injections. Of scores without steps 50,000 rows
differ, and llmkit takes a jackknife of 200 groups instead (20,000 different rows are the limit); the row of 15,000 scores
shows its bootstrap.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
from scipy import stats as scipy_stats
from sklearn import metrics

from llmkit import stats

TARGET = 10.0
LABELS = ("accuracy", "kappa", "kappa_linear", "kappa_quadratic", "pearson", "spearman", "kendall")
SCORES = ("pearson", "spearman", "kendall")
ROUNDS = 3


def theirs(judge: Any, human: Any, names: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, Callable[[], float]] = {
        "accuracy": lambda: metrics.accuracy_score(human, judge),
        "kappa": lambda: metrics.cohen_kappa_score(human, judge),
        "kappa_linear": lambda: metrics.cohen_kappa_score(human, judge, weights="linear"),
        "kappa_quadratic": lambda: metrics.cohen_kappa_score(human, judge, weights="quadratic"),
        "pearson": lambda: scipy_stats.pearsonr(judge, human)[0],
        "spearman": lambda: scipy_stats.spearmanr(judge, human)[0],
        "kendall": lambda: scipy_stats.kendalltau(judge, human)[0],
    }
    return {name: float(found[name]()) for name in names}


def data(n: int, steps: bool) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    quality = rng.integers(1, 6, n)
    people = np.where(rng.random((n, 3)) < 0.7, quality[:, None], rng.integers(1, 6, (n, 3))).astype(float)
    people[rng.random((n, 3)) < 0.1] = np.nan
    wavering = np.where(rng.random((n, 3)) < 0.8, quality[:, None], rng.integers(1, 6, (n, 3)))
    judge = wavering[:, 0] if steps else quality + rng.normal(0, 0.8, n)
    return {
        "judge": judge.astype(float),
        "human": np.where(rng.random(n) < 0.8, quality, rng.integers(1, 6, n)).astype(float),
        "people": people,
        "repeats": wavering.astype(float),
        "documents": rng.integers(0, n // 10, n),
        "systems": rng.integers(0, 20, n),
        "length": rng.normal(600, 200, n),
        "family": rng.random(n) < 0.2,
        "games": rng.choice([0.0, 0.5, 1.0], (2, n)),
    }


def whole_audit(d: dict[str, Any], resamples: int) -> None:
    judge, human, documents = d["judge"], d["human"], d["documents"]
    steps = len(np.unique(judge)) < 100
    stats.pooled(judge, human, resamples=resamples)
    stats.pooled(judge, human, clusters=documents, resamples=resamples)
    stats.by_group(judge, human, documents)
    stats.by_system(judge, human, d["systems"], clusters=documents, resamples=resamples)
    for measurement in ("nominal", "ordinal", "interval"):
        stats.alpha_agreement(d["people"], measurement=measurement, resamples=resamples)
    if steps:
        stats.ceiling(d["people"], judge, resamples=resamples)
        stats.confusion_table(judge, human)
        stats.mode_error(d["repeats"], d["people"])
        stats.rest_error(d["people"])
        stats.injection_resistance(judge, d["repeats"][:, 1], toward=5)
    stats.ceiling(d["people"], judge, against="mean", resamples=resamples)
    stats.position_bias(*d["games"])
    stats.prefers_more(d["games"][0], d["length"] - 600)
    stats.feature_effects(judge, human, {"length": d["length"], "family": d["family"]})
    stats.score_use(judge, resamples=resamples)
    stats.score_use(human, resamples=resamples)
    stats.self_consistency(d["repeats"], resamples=resamples)


def seconds(work: Callable[[], object], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def checked(judge: Any, human: Any, names: tuple[str, ...]) -> None:
    """Assert that values are equal, of all rows and of a resample drawn by hand."""
    drawn = np.random.default_rng(8).integers(0, len(judge), len(judge))
    for one, two in ((judge, human), (judge[drawn], human[drawn])):
        ours, other = stats.pooled(one, two, statistics=names, resamples=40), theirs(one, two, names)
        for name in names:
            estimate = ours[name].estimate
            assert estimate is not None
            assert abs(estimate.value - other[name]) < 1e-9, (name, estimate.value, other[name])


def on_one_core() -> None:
    """Start again with one thread for the matrix products, where that was not asked for."""
    asked = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    if any(os.environ.get(name) != "1" for name in asked):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | asked)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 verdicts, 100 resamples, one round")
    quick = parser.parse_args().quick
    on_one_core()
    n, resamples, rounds, looped = (2000, 100, 1, 2) if quick else (50_000, 2000, ROUNDS, 10)
    print(
        f"scipy {version('scipy')}, scikit-learn {version('scikit-learn')}, numpy {np.__version__}, "
        f"Python {sys.version.split()[0]}; {n} verdicts, {resamples} resamples, CPU seconds"
    )
    print(f"| job | llmkit | loop ({looped} resamples, scaled) | ratio | target |\n|---|---|---|---|---|")
    worst = 0.0
    few = n if quick else 15_000
    for steps, rows, names, what in (
        (True, n, LABELS, "labels 1 to 5"),
        (False, few, SCORES, "scores without steps"),
        (False, n, SCORES, "scores without steps"),
    ):
        d = data(rows, steps)
        judge, human = d["judge"], d["human"]
        checked(judge, human, names)

        def loop(judge: Any = judge, human: Any = human, names: tuple[str, ...] = names) -> None:
            rng = np.random.default_rng(9)
            for _ in range(looped):
                drawn = rng.integers(0, len(judge), len(judge))
                theirs(judge[drawn], human[drawn], names)

        slow = seconds(loop, rounds) / looped * resamples
        fast = seconds(lambda j=judge, h=human, s=names: stats.pooled(j, h, statistics=s, resamples=resamples), rounds)
        print(
            f"| {rows} {what}: {len(names)} statistics | {fast:.2f} | {slow:.0f} | {slow / fast:.0f}x | |", flush=True
        )
        whole = seconds(lambda d=d: whole_audit(d, resamples), rounds)
        worst = max(worst, whole)
        print(f"| {rows} {what}: everything that an audit shows | {whole:.2f} | | | {TARGET:g} s |", flush=True)
    print("target met" if worst < TARGET else "target missed")
    return 0 if worst < TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
