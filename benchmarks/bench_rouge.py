"""ROUGE 1, 2, L and Lsum: llmkit's plug-in beside rouge-score, in one process, on the same texts, on one core.

    python benchmarks/bench_rouge.py [--quick]

Every pair is scored once by each side and no two pairs are alike, so no cache answers a question asked before
(within a pair, llmkit reads each text once for the four variants, as rouge-score does). Values must agree to 1e-9.
The order of the two sides alternates, and the fastest of the rounds counts for both.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from _measure import own_peak
from rouge_score.rouge_scorer import RougeScorer

from llmkit.metrics._porter import stem
from llmkit.metrics.rouge import Rouge, remembered
from llmkit.types import Output, Sample, Skipped

Pair = tuple[str, str]
Variant = int | Literal["L", "Lsum"]

TARGETS = {22: 4.0, 100: 12.0, 500: 20.0}
VARIANTS: tuple[Variant, ...] = (1, 2, "L", "Lsum")
PAIRS = {22: 1200, 100: 240, 500: 24}
ROUNDS = 3
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "summeval_full" / "summeval.jsonl.gz"


def vocabulary(rng: random.Random, size: int = 20_000) -> tuple[list[str], list[float]]:
    """Return made-up words with Zipf's frequencies: short ones are common, long ones rare."""
    onsets = ["b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "w"]
    nuclei, codas = ["a", "e", "i", "o", "u", "ea"], ["", "n", "r", "s", "t"]
    endings = ["", "", "", "s", "ed", "ing", "ly", "ation", "ness"]
    words: dict[str, None] = {}
    while len(words) < size:
        syllables = 1 + (len(words) > 100) + (len(words) > 4000)
        word = "".join(rng.choice(onsets) + rng.choice(nuclei) + rng.choice(codas) for _ in range(syllables))
        words[word + rng.choice(endings)] = None
    return list(words), [1 / (rank + 2.7) for rank in range(size)]


def made_pairs(length: int, count: int, seed: int) -> list[Pair]:
    """Return pairs of which the output keeps about half of the reference's words, in order, a line a sentence."""
    rng = random.Random(seed)
    words, weights = vocabulary(rng)

    def text(tokens: list[str]) -> str:
        sentences = [tokens[i : i + 20] for i in range(0, len(tokens), 20)]
        return "\n".join(" ".join(sentence).capitalize() + "." for sentence in sentences)

    pairs = []
    for _ in range(count):
        reference = rng.choices(words, weights, k=length)
        other = rng.choices(words, weights, k=length)
        output = [a if rng.random() < 0.5 else b for a, b in zip(reference, other, strict=True)]
        pairs.append((text(reference), text(output)))
    return pairs


def ours(variants: tuple[Variant, ...], stemmer: bool, pairs: list[Pair]) -> tuple[float, list[float]]:
    metrics = [Rouge(variant, stemmer=stemmer) for variant in variants]
    samples = [(Sample(str(i), references=(ref,)), Output(str(i), out)) for i, (ref, out) in enumerate(pairs)]
    # Nothing is remembered from an earlier measurement: neither texts nor stems.
    remembered.cache_clear()
    stem.cache_clear()
    start = time.process_time()
    values = [metric.stats(sample, output) for sample, output in samples for metric in metrics]
    taken = time.process_time() - start
    return taken, [value[0] for value in values if not isinstance(value, Skipped)]


def theirs(variants: tuple[Variant, ...], stemmer: bool, pairs: list[Pair]) -> tuple[float, list[float]]:
    names = [f"rouge{variant}" for variant in variants]
    scorer = RougeScorer(names, use_stemmer=stemmer)
    start = time.process_time()
    scored = [scorer.score(reference, output) for reference, output in pairs]
    taken = time.process_time() - start
    return taken, [row[name].fmeasure for row in scored for name in names]


def side_by_side(variants: tuple[Variant, ...], stemmer: bool, rounds: list[list[Pair]]) -> tuple[float, float]:
    """Return microseconds a pair, ours and theirs: the fastest round of each."""
    best = [float("inf"), float("inf")]
    for number, pairs in enumerate(rounds):
        sides = [ours, theirs] if number % 2 else [theirs, ours]
        results = {side: side(variants, stemmer, pairs) for side in sides}
        for mine, other in zip(results[ours][1], results[theirs][1], strict=True):
            assert abs(mine - other) < 1e-9, (mine, other)
        for i, side in enumerate((ours, theirs)):
            best[i] = min(best[i], results[side][0] / len(pairs) * 1e6)
    return best[0], best[1]


def real_rounds() -> Iterator[tuple[str, list[list[Pair]]]]:
    """Yield SummEval's summaries with their first reference, where the data is beside this checkout."""
    if SHARED.is_file():
        with gzip.open(SHARED, "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        pairs = [(row["references"][0], system["summary"]) for row in rows for system in row["systems"].values()]
        third = len(pairs) // 3
        yield "summeval", [pairs[i * third : (i + 1) * third] for i in range(3)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a quarter of the pairs, one round")
    quick = parser.parse_args().quick
    print(f"rouge-score {version('rouge-score')}, Python {sys.version.split()[0]}; microseconds a pair, CPU time")
    print("| texts | stemmer | variants | llmkit | rouge-score | ratio | target |\n|---|---|---|---|---|---|---|")
    missed = 0
    cases = [
        (
            f"{n} words",
            [made_pairs(n, PAIRS[n] // (4 if quick else 1), seed=n + i) for i in range(1 if quick else ROUNDS)],
        )
        for n in TARGETS
    ]
    for (name, rounds), target in zip([*cases, *real_rounds()], [*TARGETS.values(), None], strict=False):
        for stemmer in (False, True):
            for variants in (VARIANTS, *((variant,) for variant in VARIANTS)):
                fast, slow = side_by_side(variants, stemmer, rounds)
                aim = target if variants == VARIANTS else None
                missed += aim is not None and slow / fast < aim
                goal = f"{aim:g}x" if aim else ""
                print(
                    f"| {name} | {'on' if stemmer else 'off'} | {' '.join(map(str, variants))} | {fast:.1f} | {slow:.1f} | {slow / fast:.1f}x | {goal} |",
                    flush=True,
                )
    print(own_peak())
    print(f"{missed} of 6 targets missed" if missed else "all targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
