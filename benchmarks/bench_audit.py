"""`llmkit audit` of 50,000 recorded verdicts with 2,000 bootstrap resamples: the whole command, CPU seconds.

    python benchmarks/bench_audit.py [--quick]

Beside it scikit-learn and scipy compute the same kappa, Spearman, Kendall and Pearson on as few resamples as show
their cost; values must be equal to 1e-9. There is no program that does the whole of it to stand beside.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROWS, RESAMPLES, TARGET = 50_000, 2000, 10.0
PEER_RESAMPLES = 5


def write(folder: Path, rows: int) -> tuple[list[int], list[int]]:
    """Write made-up verdicts on a scale of 1 to 5 and labels of one person, and return both."""
    rng = random.Random(0)
    judge, human = [], []
    with (folder / "v.jsonl").open("w") as file:
        for i in range(rows):
            quality = rng.randint(1, 5)
            judge.append(min(5, max(1, quality + rng.choice([-1, 0, 0, 1]))))
            human.append(min(5, max(1, quality + rng.choice([-1, 0, 0, 0, 1]))))
            output = "word " * rng.randint(5, 60)
            row = {"id": f"r{i}", "input": f"q{i // 4}", "output": output, "judge": judge[-1], "human": human[-1]}
            file.write(json.dumps(row) + "\n")
    config = {"dataset": "v.jsonl", "judge": {"field": "judge"}, "human": "human", "resamples": RESAMPLES}
    (folder / "a.yaml").write_text(json.dumps(config))
    return judge, human


def command(folder: Path) -> tuple[float, dict[str, float]]:
    """Run the audit; return its CPU seconds on one core, and the pooled statistics."""
    env = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "llmkit", "audit", "a.yaml", "--format", "json", "-q", "--out", "run", "--overwrite"],
        cwd=folder, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    pooled = json.loads(done.stdout)["agreement"]["pooled"]
    return seconds, {name: entry["value"] for name, entry in pooled.items()}


def peer(judge: list[int], human: list[int]) -> tuple[float, dict[str, float]]:
    """Return the CPU seconds of one resample of four statistics by scikit-learn and scipy, and their values."""
    from scipy import stats
    from sklearn.metrics import cohen_kappa_score

    def all_four(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
        return {
            "kappa": cohen_kappa_score(x, y),
            "spearman": stats.spearmanr(x, y)[0],
            "kendall": stats.kendalltau(x, y)[0],
            "pearson": stats.pearsonr(x, y)[0],
        }

    x, y = np.array(judge), np.array(human)
    found = all_four(x, y)
    rng = np.random.default_rng(0)
    start = time.process_time()
    for _ in range(PEER_RESAMPLES):
        drawn = rng.integers(0, len(x), len(x))
        all_four(x[drawn], y[drawn])
    return (time.process_time() - start) / PEER_RESAMPLES, found


def main() -> int:
    """Print the figures; 1 where the target is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    rows = 2_000 if quick else ROWS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        judge, human = write(folder, rows)
        runs = [command(folder) for _ in range(1 if quick else 3)]
        seconds, ours = min(runs, key=lambda run: run[0])
        each, theirs = peer(judge, human)
    for key, value in theirs.items():
        assert abs(ours[key] - value) < 1e-9, key
    print(f"scikit-learn {version('scikit-learn')}, scipy {version('scipy')}, numpy {version('numpy')}")
    whole = each * RESAMPLES
    print(f"{rows:,} verdicts, {RESAMPLES:,} resamples; values equal to 1e-9\n")
    print("| program | CPU s | ratio |\n|---|---|---|")
    print(f"| llmkit audit, the whole command | {seconds:.2f} | 1.0x |")
    print(
        f"| scikit-learn and scipy, four statistics, from {each:.3f} s a resample | {whole:,.0f} | {whole / seconds:.0f}x |"
    )
    return 0 if quick or seconds <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
