"""Bias by word lists: llmkit's plug-ins beside a plain count, in one process, on the same texts, on one core.

    python benchmarks/bench_bias.py [--quick]

The plain side splits texts with one regular expression and asks each text how often it holds each word of each list,
as the definition says. Where the package crfm-helm is installed, HELM's own metric runs beside them, with the same lists
and with NLTK's splitter of one sentence (it needs no sentence model; texts are one sentence each). Values must agree to
1e-9. The order of the sides alternates, and the fastest of the rounds counts for each.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec

from _measure import own_peak

from llmkit.metrics._word_lists import GENDER, PROFESSIONS
from llmkit.metrics.bias_association import BiasAssociation
from llmkit.metrics.bias_representation import BiasRepresentation
from llmkit.types import Output, Sample, Skipped

Side = Callable[[str, list[str]], tuple[float, float]]

TARGET = 3.0
TEXTS = {22: 4000, 100: 1000, 500: 200}
ROUNDS = 3
SAMPLE = Sample("s")


def made_texts(length: int, count: int, seed: int) -> list[str]:
    """Return texts of one sentence; one word in twenty is of a list."""
    rng = random.Random(seed)
    listed = [*(word for words in GENDER.values() for word in words), *PROFESSIONS]
    others = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(5000)]
    others = [word for word in others if word not in listed]
    return [
        " ".join(rng.choice(listed if rng.random() < 0.05 else others) for _ in range(length)).capitalize() + "."
        for _ in range(count)
    ]


def ours(name: str, texts: list[str]) -> tuple[float, float]:
    """Return seconds and the value."""
    metric = BiasRepresentation() if name == "representation" else BiasAssociation()
    outputs = [Output("s", text) for text in texts]
    start = time.process_time()
    found = [metric.stats(SAMPLE, output) for output in outputs]
    totals = [sum(column) for column in zip(*(row for row in found if not isinstance(row, Skipped)), strict=True)]
    return time.process_time() - start, metric.value(totals, len(found))


def plain(name: str, texts: list[str]) -> tuple[float, float]:
    """Return the same by plain counting."""
    groups = list(GENDER.values())
    targets: Sequence[str] = PROFESSIONS if name == "association" else ("",)
    totals = {target: [0] * len(groups) for target in targets}
    start = time.process_time()
    for text in texts:
        words = re.findall(r"[^\W_]+", text.lower())
        counts = [sum(words.count(word) for word in group) for group in groups]
        for target in targets:
            times = words.count(target) if target else 1
            totals[target] = [total + times * count for total, count in zip(totals[target], counts, strict=True)]
    found = []
    for sums in totals.values():
        rates = [count / len(group) for count, group in zip(sums, groups, strict=True)]
        if any(rates):
            found.append(sum(abs(rate / sum(rates) - 1 / len(rates)) for rate in rates) / 2)
    return time.process_time() - start, sum(found) / len(found)


def helm(name: str, texts: list[str]) -> tuple[float, float]:
    """Return the same by HELM's metric."""
    from helm.benchmark.metrics import bias_metrics
    from nltk.tokenize import word_tokenize

    bias_metrics.word_tokenize = lambda text: word_tokenize(text, preserve_line=True)
    metric = bias_metrics.BiasMetric("associations" if name == "association" else name, "gender", "profession")
    metric.demographic_group_to_words = {group: list(words) for group, words in GENDER.items()}
    bias_metrics.BiasMetric.TARGET_CATEGORY_TO_WORD_LIST["profession"] = list(PROFESSIONS)
    evaluate = metric.MODE_TO_EVALUATION_FUNCTION[metric.mode]
    start = time.process_time()
    value = evaluate(texts)
    return time.process_time() - start, float(value)


def side_by_side(name: str, sides: list[Side], rounds: list[list[str]]) -> list[float]:
    """Return microseconds a text of each side: its fastest round."""
    best = [float("inf")] * len(sides)
    for number, texts in enumerate(rounds):
        order = list(enumerate(sides))
        results = {i: side(name, texts) for i, side in (order if number % 2 else reversed(order))}
        for i, (taken, value) in results.items():
            assert abs(value - results[0][1]) < 1e-9, (name, sides[i].__name__, value, results[0][1])
            best[i] = min(best[i], taken / len(texts) * 1e6)
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the texts, one round")
    quick = parser.parse_args().quick
    sides: list[Side] = [ours, plain, *([helm] if find_spec("helm") else [])]
    names = ["llmkit", "plain", "HELM"][: len(sides)]
    print(f"Python {sys.version.split()[0]}; microseconds a text, CPU time; target {TARGET:g}x the plain count")
    print(f"| texts | metric | {' | '.join(names)} | {' | '.join(f'{name} / llmkit' for name in names[1:])} |")
    print("|---" * (2 * len(sides) + 1) + "|")
    missed = 0
    for length, count in TEXTS.items():
        rounds = [made_texts(length, count // (10 if quick else 1), length + i) for i in range(1 if quick else ROUNDS)]
        for name in ("representation", "association"):
            best = side_by_side(name, sides, rounds)
            ratios = [other / best[0] for other in best[1:]]
            missed += ratios[0] < TARGET
            cells = [*(f"{taken:.1f}" for taken in best), *(f"{ratio:.1f}x" for ratio in ratios)]
            print(f"| {length} words | {name} | {' | '.join(cells)} |", flush=True)
    print(own_peak())
    print(f"{missed} of {2 * len(TEXTS)} targets missed" if missed else "all targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
