"""Two runs compared: CPU seconds and memory of all the work, reading the folders included.

    python benchmarks/bench_compare.py [--quick]

The run folders are made up: five graded metrics, a quarter of the scores changed. Beside us stands what people write
themselves: a bootstrap of the paired differences in plain Python, whose cost for all metrics and resamples is projected
from a few draws. Both intervals must agree. Then five corpus metrics (BLEU of words and of characters, chrF, chrF++, TER;
statistics made up), which have no bootstrap of means: beside us stands plain numpy, a draw and a metric at a time. Last,
two graded metrics over a million rows, read, compared and told.
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
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
from _measure import ROOT, header, heading, row

sys.path.insert(0, str(ROOT))

from llmkit import registry

METRICS = 5
RESAMPLES = 10_000
SIZES = (2000, 100_000)
MILLION = 1_000_000
CORPUS = {
    "bleu": 10,
    "bleu(tokenize='char')": 10,
    "chrf": 18,
    "chrf(word_order=2)": 24,
    "ter": 2,
}
"""Corpus metrics, and how many statistics each has."""


def make_run(folder: Path, rows: int, seed: int, shift: float, metrics: int = METRICS) -> None:
    """Write a run folder of made-up scores: graded, in [0, 1], a quarter of them changed against seed 0."""
    folder.mkdir()
    rng, names = random.Random(1), [f"m{k}" for k in range(metrics)]
    noise = random.Random(seed)
    with (folder / "scores.jsonl").open("w") as scores:
        for number in range(rows):
            for name in names:
                value = rng.betavariate(2, 1)
                if noise.random() < 0.25:
                    value = min(1.0, max(0.0, value + noise.gauss(-shift, 0.2)))
                line = {"sample_id": f"r{number:06d}", "scorer": name, "value": value, "stats": [value]}
                scores.write(json.dumps(line) + "\n")
    about = {"kind": "mean", "bounds": [0.0, 1.0], "higher_is_better": True}
    write_about(folder, rows, {name: about for name in names})  # noqa: C420 - nothing changes it


def make_corpus_run(folder: Path, rows: int, seed: int, right: float) -> None:
    """Write a run folder of made-up corpus statistics: n-grams of texts, of which about the share ``right`` match."""
    folder.mkdir()
    lengths = np.random.default_rng(1).integers(8, 40, rows)
    rng = np.random.default_rng(seed)
    columns = {}
    for name, width in CORPUS.items():
        if name == "ter":
            columns[name] = np.stack([rng.binomial(lengths, 1 - right), lengths], axis=1)
        elif name.startswith("bleu"):
            totals = [np.maximum(lengths - k, 0) for k in range(4)]
            matches = [rng.binomial(total, right ** (k + 1)) for k, total in enumerate(totals)]
            columns[name] = np.stack([lengths, lengths, *matches, *totals], axis=1)
        else:
            grams = [np.maximum(5 * lengths - k, 0) for k in range(width // 3)]
            parts = [(total, total, rng.binomial(total, right ** (k / 2 + 1))) for k, total in enumerate(grams)]
            columns[name] = np.stack([column for part in parts for column in part], axis=1)
    plugins = {name: registry.build("metrics", name, base=Path()).plugin for name in CORPUS}
    with (folder / "scores.jsonl").open("w") as scores:
        for number in range(rows):
            for name, table in columns.items():
                stats = [float(item) for item in table[number]]
                value = plugins[name].sample_value(stats)
                line = {"sample_id": f"r{number:06d}", "scorer": name, "value": value, "stats": stats}
                scores.write(json.dumps(line) + "\n")
    entries = {
        name: {"kind": "totals", "bounds": None, "higher_is_better": plugin.higher_is_better}
        for name, plugin in plugins.items()
    }
    write_about(folder, rows, entries)


def write_about(folder: Path, rows: int, scorers: dict[str, dict[str, Any]]) -> None:
    """Write what a run folder holds beside its scores."""
    with (folder / "samples.jsonl").open("w") as samples:
        for number in range(rows):
            one = {"id": f"r{number:06d}", "digest": f"{number:032x}", "input": f"question {number}"}
            samples.write(json.dumps(one) + "\n")
    entry = {
        "value": 0.6, "low": 0.5, "high": 0.7, "n": rows, "unit": "", "binary": False, "coverage": 1.0, "method": "t",
        "errors": 0, "skipped": 0, "reasons": {}, "faults": {}, "signature": "made up",
    }  # fmt: skip
    summary = {
        "schema": 1, "name": "made", "rows": rows, "repeats": 1, "coverage": 1.0, "slices": {},
        "outputs": {"ok": rows, "error": 0, "errors": {}},
        "scores": {name: entry | about for name, about in scorers.items()},
    }  # fmt: skip
    conditions = {"dataset": "d", "scorers": dict.fromkeys(scorers, "s"), "repeats": 1, "cluster": None}
    manifest = {"schema": 1, "format": 1, "status": "complete", "name": "made", "conditions": conditions, "repeats": 1}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "config.yaml").write_text(json.dumps({"metrics": list(CORPUS)}))
    (folder / "outputs.jsonl").write_text("")


def plain_bootstrap(first: list[float], second: list[float], resamples: int) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean difference, one draw at a time."""
    rng = random.Random(0)
    changes = [b - a for a, b in zip(first, second, strict=True)]
    n = len(changes)
    means = sorted(sum(rng.choices(changes, k=n)) / n for _ in range(resamples))
    return means[int(0.025 * resamples)], means[int(0.975 * resamples)]


def plain_numpy(base: Path, candidate: Path, draws: int) -> float:
    """Return the CPU seconds of so many draws and swaps, each metric for itself, as people write them with numpy."""
    tables: dict[str, list[np.ndarray[Any, Any]]] = {name: [] for name in CORPUS}
    for run in (base, candidate):
        rows: dict[str, list[list[float]]] = {name: [] for name in CORPUS}
        with (run / "scores.jsonl").open() as file:
            for line in map(json.loads, file):
                rows[line["scorer"]].append(line["stats"])
        for name, stats in rows.items():
            tables[name].append(np.array(stats))
    rng = np.random.default_rng(0)
    began = time.process_time()
    for name, (first, second) in tables.items():
        metric, n = registry.build("metrics", name, base=Path()).plugin, len(first)
        for _ in range(draws):
            drawn = rng.integers(0, n, n)
            metric.value(second[drawn].sum(axis=0).tolist(), n) - metric.value(first[drawn].sum(axis=0).tolist(), n)
            kept = rng.integers(0, 2, (n, 1), dtype=bool)
            for side in (np.where(kept, first, second), np.where(kept, second, first)):
                metric.value(side.sum(axis=0).tolist(), n)
    return time.process_time() - began


def child(base: str, candidate: str) -> None:
    """Compare two runs and print what it took; the start of Python and imports are not counted."""
    from llmkit.flows.compare import compare_runs

    before = time.process_time()
    found = compare_runs(base, candidate)
    took = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert all(one["difference"]["low"] is not None for one in found.metrics.values()), found
    difference = next(iter(found.metrics.values()))["difference"]
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


def corpus(folder: Path, sizes: tuple[int, ...], rounds: int) -> bool:
    """Print the table of five corpus metrics; tell whether the targets were met."""
    print()
    fine = True
    heading("samples, corpus metrics", "llmkit, CPU s", "peak MiB", "plain numpy, CPU s", "ratio", "target")
    for rows in sizes:
        base, candidate = folder / f"c{rows}", folder / f"d{rows}"
        make_corpus_run(base, rows, 2, 0.60)
        make_corpus_run(candidate, rows, 3, 0.598)
        best = ours(base, candidate, rounds)
        draws = max(3, 20_000 // rows)
        plain = plain_numpy(base, candidate, draws) / draws * RESAMPLES
        limit = 20.0
        met = best["seconds"] < limit and best["mib"] < 500
        fine = fine and met
        row(
            f"{rows:,}", f"{best['seconds']:.2f}", f"{best['mib']:.0f}", f"{plain:.0f}",
            f"{plain / best['seconds']:.0f}x", f"{limit:g} s, 500 MiB{'' if met else ', missed'}",
        )  # fmt: skip
    return fine


def million(folder: Path, rows: int) -> None:
    """Print what two graded metrics over a million rows take."""
    print()
    base, candidate = folder / "e", folder / "f"
    make_run(base, rows, 0, 0.0, metrics=2)
    make_run(candidate, rows, 2, 0.02, metrics=2)
    size = sum(path.stat().st_size for path in base.iterdir()) / 1e6
    best = ours(base, candidate, 1)
    heading("samples, 2 graded metrics", "MB of each run", "llmkit, CPU s", "peak MiB")
    row(f"{rows:,}", f"{size:.0f}", f"{best['seconds']:.2f}", f"{best['mib']:.0f}")


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
        fine = corpus(Path(folder), sizes, rounds) and fine
        million(Path(folder), 2000 if arguments.quick else MILLION)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
