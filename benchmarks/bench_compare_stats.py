"""Comparing two runs of 100,000 samples by 5 metrics with 10,000 resamples: time and memory, beside plain Python and scipy.

    python benchmarks/bench_compare_stats.py [--quick]

Each comparison is a whole one: difference, interval, p, effect, verdict. Plain Python is the bootstrap that people write:
``random.choices`` and ``sum``. It is timed for some resamples and scaled up, for it would take most of an hour. Its interval
and scipy's p and interval are checked to be llmkit's, to within chance.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
import scipy
from _measure import header, heading, measure, row, tail, verdict

from llmkit.metrics.bleu import Bleu
from llmkit.stats import Claim, bca_interval, decide_all, paired_difference, paired_totals
from llmkit.stats.paired_corpus import compare_totals, prepare
from llmkit.stats.resampling import resampled_means

SECONDS, MEGABYTES, TIMES = 20.0, 500.0, 20.0
SMALL_SECONDS = 1.0
METRICS = 5


def runs_of(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    base = rng.beta(6, 2, n)
    return base, np.clip(base + rng.normal(-0.0005, 0.1, n), 0, 1)


def totals_of(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """BLEU's statistics of two systems: lengths, matches, n-grams."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(8, 40, n)
    sides = []
    for right in (0.60, 0.598):
        matches = [rng.binomial(np.maximum(lengths - k, 0), right ** (k + 1)) for k in range(4)]
        sides.append(np.stack([lengths, lengths, *matches, *(np.maximum(lengths - k, 0) for k in range(4))], axis=1))
    return sides[0], sides[1]


def graded(n: int, resamples: int) -> None:
    """Five graded metrics: sign flips, and t or a bootstrap."""
    results = {}
    for k in range(METRICS):
        results[str(k)] = Claim(paired_difference(*runs_of(n, k), bounds=(0, 1), resamples=resamples))
    decide_all(results)


def bootstrapped(n: int, resamples: int) -> None:
    """The same with a BCa bootstrap for each, whatever the rule says."""
    results = {}
    for k in range(METRICS):
        result = paired_difference(*runs_of(n, k), bounds=(0, 1), resamples=resamples, interval="bca")
        results[str(k)] = Claim(result)
    decide_all(results)


def every_row(n: int, resamples: int) -> None:
    """Real resamples of all rows, one draw for the five metrics, and sign flips of each."""
    changes = np.stack([np.subtract(*runs_of(n, k)[::-1]) for k in range(METRICS)], axis=1)
    resampled_means(changes, resamples, np.random.default_rng(0))
    graded(n, resamples)


def mixed(n: int, resamples: int) -> None:
    """Two yes/no metrics, two graded, and BLEU by its statistics."""
    results = {}
    for k in range(2):
        base, candidate = runs_of(n, k)
        yes_no = paired_difference(np.round(base), np.round(candidate), binary=True)
        results |= {f"yes{k}": Claim(yes_no), f"graded{k}": Claim(paired_difference(base, candidate, bounds=(0, 1)))}
    bleu = paired_totals(*totals_of(n, 0), lambda totals: Bleu().value_many(totals, n), resamples=resamples)
    assert bleu is not None
    results["bleu"] = Claim(bleu)
    decide_all(results)


def corpus(n: int, resamples: int) -> None:
    """Five corpus metrics by ten statistics each, which share their draws and swaps."""
    bleu = Bleu()
    metrics = [prepare(*totals_of(n, k), lambda totals: bleu.value_many(totals, n)) for k in range(METRICS)]
    results = compare_totals([one for one in metrics if one is not None], resamples=resamples)
    assert len(results) == METRICS
    decide_all({str(k): Claim(result) for k, result in enumerate(results)})


JOBS = {"graded": graded, "bootstrapped": bootstrapped, "every row": every_row, "mixed": mixed, "corpus": corpus}


def plain(changes: list[float], resamples: int) -> list[float]:
    n = len(changes)
    return sorted(sum(random.choices(changes, k=n)) / n for _ in range(resamples))


def in_process(job: str, n: int, resamples: int, folder: Path) -> tuple[float, float]:
    """Return CPU seconds and peak MB of a process of its own, start-up included."""
    command = [sys.executable, __file__, "--job", job, "--samples", str(n), "--resamples", str(resamples)]
    done = measure(command, folder=folder, environment={"PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.code == 0, tail(done)
    return done.cpu, done.peak


def beside_plain(n: int, resamples: int, tried: int) -> bool:
    """Our bootstrap of every row and our whole comparison beside plain Python's bootstrap of the same mean."""
    base, candidate = runs_of(n, 0)
    changes = (candidate - base).tolist()
    start = time.process_time()
    means = plain(changes, tried)
    theirs = (time.process_time() - start) / tried * resamples
    start = time.process_time()
    drawn = np.sort(resampled_means(np.array(changes)[:, None], resamples, np.random.default_rng(0))[:, 0])
    ours = time.process_time() - start
    start = time.process_time()
    result = paired_difference(base, candidate, bounds=(0, 1), resamples=resamples)
    whole = time.process_time() - start
    assert result.difference.low is not None
    assert result.difference.high is not None
    spread = result.difference.high - result.difference.low
    assert abs(np.std(means) / np.std(drawn) - 1) < 5 / np.sqrt(2 * tried), "plain Python's resamples are not ours"
    assert abs(drawn[int(0.025 * resamples)] - result.difference.low) < 0.03 * spread
    heading("samples", "resamples", "plain Python, s", "our bootstrap, s", "ratio", "our whole comparison, s", "ratio")
    row(
        n,
        resamples,
        f"{theirs:.0f} (timed: {tried})",
        f"{ours:.2f}",
        f"{theirs / ours:.0f}x",
        f"{whole:.2f}",
        f"{theirs / whole:.0f}x",
    )
    return theirs / ours >= TIMES and theirs / whole >= TIMES


def beside_scipy(n: int, resamples: int) -> None:
    from scipy import stats

    base, candidate = runs_of(n, 1)
    changes = candidate - base
    start = time.process_time()
    tested = stats.permutation_test(
        (changes,), np.mean, permutation_type="samples", n_resamples=resamples, batch=500, rng=1
    )
    boot = stats.bootstrap((changes,), np.mean, n_resamples=resamples, batch=500, rng=1).confidence_interval
    theirs = time.process_time() - start
    start = time.process_time()
    ours = paired_difference(base, candidate, resamples=resamples, interval="bca")
    taken = time.process_time() - start
    low, high = bca_interval(changes, resamples=resamples, widened=False)
    assert ours.p is not None
    assert abs(ours.p - tested.pvalue) < 5 * np.sqrt(2 * max(ours.p * (1 - ours.p), 1e-3) / resamples)
    near = 4 / np.sqrt(resamples)  # of the interval's width: what chance in both sides' resamples leaves
    assert abs(low - boot.low) < near * (high - low)
    assert abs(high - boot.high) < near * (high - low)
    heading("samples", "resamples", f"scipy {scipy.__version__}, s", "llmkit, s", "ratio", "p, scipy", "p, llmkit")
    row(
        n, resamples, f"{theirs:.2f}", f"{taken:.2f}", f"{theirs / taken:.0f}x", f"{tested.pvalue:.4f}", f"{ours.p:.4f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples and of the resamples")
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    parser.add_argument("--samples", type=int, default=100_000, help=argparse.SUPPRESS)
    parser.add_argument("--resamples", type=int, default=10_000, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        JOBS[given.job](given.samples, given.resamples)
        return 0
    header("Comparing two runs by 5 metrics")
    n, resamples = (10_000, 1000) if given.quick else (100_000, 10_000)
    print(f"numpy {np.__version__}, one core; CPU seconds and peak of a whole process, start-up included\n")
    met = True
    with tempfile.TemporaryDirectory() as folder:
        heading("metrics", "samples", "resamples", "CPU s", "peak MB")
        for size in (2000, n):
            for job in JOBS:
                cpu, peak = in_process(job, size, resamples, Path(folder))
                row(job, size, resamples, f"{cpu:.2f}", f"{peak:.0f}")
                # Start-up takes about 0.4 s; 2,000 samples must be compared within a second beyond it.
                met &= cpu <= (SMALL_SECONDS + 0.5 if size == 2000 else SECONDS) and peak <= MEGABYTES
    print()
    fast = beside_plain(n, resamples, 20 if given.quick else 40)
    print()
    beside_scipy(2000, 10_000)
    print(
        f"\n{SECONDS:g} s, {MEGABYTES:g} MB, {SMALL_SECONDS:g} s at 2,000 samples: {'met' if met else 'MISSED'}; {TIMES:g} x plain Python: {'met' if fast else 'MISSED'}"
    )
    verdict("missed targets", (not met) + (not fast), 0)
    return 0 if met and fast else 1


if __name__ == "__main__":
    sys.exit(main())
