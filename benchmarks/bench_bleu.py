"""Corpus BLEU with 1,000 bootstrap resamples of 10,000 pairs: llmkit beside sacreBLEU, in one process, on one core.

    python benchmarks/bench_bleu.py [--quick]

Both sides start from texts they have not seen: each round has its own pairs. Score and signature must be equal;
with sacreBLEU's seed (12345) the resamples are the same, so the interval must be too, but for its 32-bit floats.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from importlib.metadata import version

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
from _measure import own_peak
from bench_rouge import made_pairs
from sacrebleu.metrics import BLEU

from llmkit.metrics.bleu import Bleu
from llmkit.stats.bootstrap import bootstrap_totals
from llmkit.types import Output, Sample, Skipped

TARGET = 5.0
SEED = 12345
RESAMPLES = 1000
ROUNDS = 3

Result = tuple[float, float, str]


def ours(outputs: list[str], references: list[str]) -> Result:
    """Return score, half-width of the interval, and signature."""
    metric = Bleu()
    rows = []
    for output, reference in zip(outputs, references, strict=True):
        row = metric.stats(Sample("", references=(reference,)), Output("", output))
        assert not isinstance(row, Skipped)
        rows.append(row)
    found = bootstrap_totals(
        np.array(rows), lambda totals: metric.value_many(totals, len(rows)), resamples=RESAMPLES, seed=SEED
    )
    assert found.low is not None
    assert found.high is not None
    return found.value, (found.high - found.low) / 2, metric.signature_for(1)


def theirs(outputs: list[str], references: list[str]) -> Result:
    metric = BLEU()
    score = metric.corpus_score(outputs, [references], n_bootstrap=RESAMPLES)
    signature = metric.get_signature()
    signature.info.update(bs=None, seed=None)  # llmkit prints resamples and seed beside every metric's signature
    return score.score, score._ci, str(signature)  # noqa: SLF001 - sacreBLEU has no public name for it


def texts(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Return outputs and references with the commas, numbers and abbreviations that tokenizers split."""
    rng = random.Random(seed)
    marks, weights = ["", ",", " 1,000.5", " (also)", " U.S.", "'s", " 3-4"], [88, 6, 1, 1, 1, 2, 1]

    def marked(text: str) -> str:
        words = text.split()
        added = rng.choices(marks, weights, k=len(words))
        return " ".join(word if word.endswith(".") else word + mark for word, mark in zip(words, added, strict=True))

    pairs = made_pairs(25, count, seed)
    return [marked(output) for _, output in pairs], [marked(reference) for reference, _ in pairs]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 pairs, one round")
    quick = parser.parse_args().quick
    count = 2000 if quick else 10_000
    print(
        f"sacrebleu {version('sacrebleu')}, Python {sys.version.split()[0]}; {count} pairs, {RESAMPLES} resamples; CPU seconds"
    )
    print(
        "| round | BLEU | half-width, llmkit | half-width, sacrebleu | llmkit | sacrebleu | ratio |\n|---|---|---|---|---|---|---|"
    )
    warm = texts(10, seed=99)
    ours(*warm), theirs(*warm)
    ratios = []
    for number in range(1 if quick else ROUNDS):
        outputs, references = texts(count, seed=number)
        results, taken = {}, {}
        for side in (ours, theirs) if number % 2 else (theirs, ours):
            start = time.process_time()
            results[side] = side(outputs, references)
            taken[side] = time.process_time() - start
        (score, width, signature), (their_score, their_width, their_signature) = results[ours], results[theirs]
        assert score == their_score, (score, their_score)
        assert signature == their_signature, (signature, their_signature)
        assert abs(width - their_width) < 1e-4 * their_width, (width, their_width)
        ratios.append(taken[theirs] / taken[ours])
        print(
            f"| {number + 1} | {score:.4f} | {width:.6f} | {their_width:.6f} | {taken[ours]:.2f} | {taken[theirs]:.2f} | {ratios[-1]:.1f}x |",
            flush=True,
        )
    print(f"{signature}")
    met = min(ratios) >= TARGET
    print(own_peak())
    print(f"slowest ratio {min(ratios):.1f}x, target {TARGET:g}x: {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
