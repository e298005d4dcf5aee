"""Two runs compared: CPU seconds and memory of all the work, reading the folders included.

    python benchmarks/bench_compare.py [--quick]

The run folders are made up: five graded metrics, a quarter of the scores changed. Beside us stands what people write
themselves: a bootstrap of the paired differences in plain Python, whose cost for all metrics and resamples is projected
from a few draws. Both intervals must agree.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _measure import ROOT, header, heading, row

sys.path.insert(0, str(ROOT))

METRICS = 5
RESAMPLES = 10_000
SIZES = (2000, 100_000)


def make_run(folder: Path, rows: int, seed: int, shift: float) -> None:
    """Write a run folder of made-up scores: graded, in [0, 1], a quarter of them changed against seed 0."""
    folder.mkdir()
    rng, names = random.Random(1), [f"m{k}" for k in range(METRICS)]
    noise = random.Random(seed)
    with (folder / "samples.jsonl").open("w") as samples, (folder / "scores.jsonl").open("w") as scores:
        for number in range(rows):
            one = f"r{number:06d}"
            samples.write(json.dumps({"id": one, "digest": f"{number:032x}", "input": f"question {number}"}) + "\n")
            for name in names:
                value = rng.betavariate(2, 1)
                if noise.random() < 0.25:
                    value = min(1.0, max(0.0, value + noise.gauss(-shift, 0.2)))
                line = {"sample_id": one, "scorer": name, "value": value, "stats": [value]}
                scores.write(json.dumps(line) + "\n")
    entry = {
        "value": 0.6, "low": 0.5, "high": 0.7, "n": rows, "unit": "", "higher_is_better": True, "kind": "mean",
        "binary": False, "bounds": [0.0, 1.0], "coverage": 1.0, "method": "t", "errors": 0, "skipped": 0, "reasons": {},
        "faults": {}, "signature": "made up",
    }  # fmt: skip
    summary = {
        "schema": 1, "name": "made", "rows": rows, "repeats": 1, "coverage": 1.0, "slices": {},
        "outputs": {"ok": rows, "error": 0, "errors": {}}, "scores": dict.fromkeys(names, entry),
    }  # fmt: skip
    conditions = {"dataset": "d", "scorers": dict.fromkeys(names, "s"), "repeats": 1, "cluster": None}
    manifest = {"schema": 1, "format": 1, "status": "complete", "name": "made", "conditions": conditions, "repeats": 1}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "config.yaml").write_text("{}\n")
    (folder / "outputs.jsonl").write_text("")


def plain_bootstrap(first: list[float], second: list[float], resamples: int) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean difference, one draw at a time."""
    rng = random.Random(0)
    changes = [b - a for a, b in zip(first, second, strict=True)]
    n = len(changes)
    means = sorted(sum(rng.choices(changes, k=n)) / n for _ in range(resamples))
    return means[int(0.025 * resamples)], means[int(0.975 * resamples)]


def child(base: str, candidate: str) -> None:
    """Compare two runs and print what it took; the start of Python and imports are not counted."""
    from llmkit.flows.compare import compare_runs

    before = time.process_time()
    found = compare_runs(base, candidate)
    took = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    difference = found.metrics["m0"]["difference"]
    data = {"seconds": took, "mib": peak, "low": difference["low"], "high": difference["high"]}
    sys.stdout.write(json.dumps(data) + "\n")


def ours(base: Path, candidate: Path, rounds: int) -> dict[str, float]:
    """Return the fastest of several comparisons, each in a process of its own."""
    command = [sys.executable, __file__, "--child", str(base), str(candidate)]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(rounds)]
    best: dict[str, float] = min(runs, key=lambda run: run["seconds"])
    return best


def scores_of(run: Path) -> list[float]:
    """Return the first metric's scores of a run."""
    with (run / "scores.jsonl").open() as file:
        return [row["value"] for row in map(json.loads, file) if row["scorer"] == "m0"]


def main() -> int:
    """Print the table; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small runs, once")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.child)
        return 0
    sizes, rounds = ((200, 500), 1) if arguments.quick else (SIZES, 3)
    header(f"Two runs compared, {METRICS} metrics, {RESAMPLES:,} resamples, fastest of {rounds}")
    heading("samples", "llmkit, CPU s", "peak MiB", "plain bootstrap, CPU s", "ratio", "target")
    fine = True
    with tempfile.TemporaryDirectory() as folder:
        for rows in sizes:
            base, candidate = Path(folder, f"a{rows}"), Path(folder, f"b{rows}")
            make_run(base, rows, 0, 0.0)
            make_run(candidate, rows, 2, 0.02)
            best = ours(base, candidate, rounds)
            draws = max(40, 200_000 // rows)
            began = time.process_time()
            low, high = plain_bootstrap(scores_of(base), scores_of(candidate), draws)
            plain = (time.process_time() - began) / draws * RESAMPLES * METRICS
            width = best["high"] - best["low"]
            assert max(abs(low - best["low"]), abs(high - best["high"])) < width / 2, (low, high, best)
            limit = 1.0 if rows <= 2000 else 20.0
            met = best["seconds"] < limit and best["mib"] < 500 and plain / best["seconds"] > 20
            fine = fine and met
            row(
                f"{rows:,}",
                f"{best['seconds']:.2f}",
                f"{best['mib']:.0f}",
                f"{plain:.0f}",
                f"{plain / best['seconds']:.0f}x",
                f"{limit:g} s, 500 MiB, 20x{'' if met else ', missed'}",
            )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
