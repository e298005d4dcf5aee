"""Retrieval metrics: llmkit beside pytrec_eval, in one process, on the same rankings, on one core.

    python benchmarks/bench_retrieval.py [--quick]

1,000 questions with 1,000 results each (some scores tied, 100 documents judged). Both sides get what they take from
memory: pytrec_eval a mapping of scores, llmkit samples and outputs. `files` adds reading run and judgments from TREC
files.
Values of every question must agree to 1e-9. The order of the two sides alternates, and the fastest round counts.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytrec_eval

from llmkit.datasets.trec import read_qrels
from llmkit.metrics.hit_rate import HitRate
from llmkit.metrics.map import MeanAveragePrecision
from llmkit.metrics.mrr import MeanReciprocalRank
from llmkit.metrics.ndcg import Ndcg
from llmkit.metrics.precision_at import PrecisionAt
from llmkit.metrics.r_precision import RPrecision
from llmkit.metrics.recall_at import RecallAt
from llmkit.providers.rankings import Rankings
from llmkit.types import Output, Passage, Request, Sample, Skipped

METRICS = {
    "ndcg_cut_10": Ndcg(10),
    "map": MeanAveragePrecision(),
    "recip_rank": MeanReciprocalRank(),
    "recall_100": RecallAt(100),
    "P_5": PrecisionAt(5),
    "Rprec": RPrecision(),
    "success_5": HitRate(5),
}
MEASURES = {"ndcg_cut.10", "map", "recip_rank", "recall.100", "P.5", "Rprec", "success.5"}
SETS = (("ndcg_cut_10",), tuple(METRICS))
ROUNDS = 5

Run = dict[str, dict[str, float]]
Qrels = dict[str, dict[str, int]]
Values = dict[str, list[float]]


def made(questions: int, results: int, seed: int) -> tuple[Qrels, Run]:
    rng = random.Random(seed)
    qrels: Qrels = {}
    run: Run = {}
    for number in range(questions):
        documents = [f"clueweb09-en{rng.randrange(10**10):010d}" for _ in range(results + 50)]
        run[f"q{number}"] = {name: round(rng.uniform(0, 30), 3) for name in documents[:results]}
        qrels[f"q{number}"] = {name: rng.choice([0, 0, 1, 2]) for name in rng.sample(documents, 99)} | {"rel": 1}
    return qrels, run


def rows_of(qrels: Qrels, run: Run) -> list[tuple[Sample, Output]]:
    rows = []
    for query, scores in run.items():
        best = sorted(((score, name) for name, score in scores.items()), key=lambda item: -item[0])
        passages = tuple(Passage(name, "", score) for score, name in best)
        rows.append((Sample(query, query, meta={"qrels": qrels[query]}), Output(query, "", retrieved=passages)))
    return rows


def ours(names: tuple[str, ...], rows: list[tuple[Sample, Output]]) -> Values:
    values: Values = {name: [] for name in names}
    chosen = [(METRICS[name], values[name]) for name in names]
    for sample, output in rows:
        for metric, found in chosen:
            stats = metric.stats(sample, output)
            assert not isinstance(stats, Skipped)
            found.append(stats[0])
    return values


def theirs(names: tuple[str, ...], qrels: Qrels, run: Run) -> Values:
    measures = {measure for measure in MEASURES if measure.replace(".", "_") in names}
    found = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    return {name: [found[query][name] for query in run] for name in names}


def ours_from_files(names: tuple[str, ...], qrels: Path, path: Path) -> Values:
    target = Rankings(path)

    async def answers() -> list[tuple[Sample, Output]]:
        rows = []
        for _, row in read_qrels(qrels):
            query, judged = row["id"], {"qrels": row["qrels"]}
            response = await target.complete(Request(sample={"id": query}))
            rows.append((Sample(query, query, meta=judged), Output(query, "", retrieved=response.retrieved)))
        return rows

    return ours(names, asyncio.run(answers()))


def theirs_from_files(names: tuple[str, ...], qrels: Path, path: Path) -> Values:
    with path.open(encoding="utf-8") as file, qrels.open(encoding="utf-8") as judged:
        return theirs(names, pytrec_eval.parse_qrel(judged), pytrec_eval.parse_run(file))


def timed(work: Callable[[], Values]) -> tuple[float, Values]:
    start = time.process_time()
    values = work()
    return time.process_time() - start, values


def side_by_side(mine: Callable[[], Values], other: Callable[[], Values], rounds: int) -> tuple[float, float]:
    """Return the seconds of each side, the fastest round; values must be equal."""
    best = [float("inf"), float("inf")]
    for number in range(rounds):
        for side in (0, 1) if number % 2 else (1, 0):
            seconds, values = timed((mine, other)[side])
            best[side] = min(best[side], seconds)
            if side:
                expected = values
            else:
                found = values
        for name, numbers in expected.items():
            for one, two in zip(found[name], numbers, strict=True):
                assert abs(one - two) < 1e-9, (name, one, two)
    return best[0], best[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the questions, one round")
    quick = parser.parse_args().quick
    questions, rounds = (100, 1) if quick else (1000, ROUNDS)
    qrels, run = made(questions, 1000, seed=1)
    rows = rows_of(qrels, run)
    print(f"pytrec-eval-terrier {version('pytrec-eval-terrier')}, Python {sys.version.split()[0]}; seconds, CPU time")
    print("| rankings | metrics | llmkit | pytrec_eval | ratio | target |\n|---|---|---|---|---|---|")
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        path, judged = Path(folder, "run.txt"), Path(folder, "qrels.txt")
        with judged.open("w", encoding="utf-8") as file:
            file.writelines(
                f"{query} 0 {name} {grade}\n" for query, grades in qrels.items() for name, grade in grades.items()
            )
        with path.open("w", encoding="utf-8") as file:
            for query, scores in run.items():
                best = sorted(scores.items(), key=lambda item: -item[1])
                file.writelines(
                    f"{query} Q0 {name} {rank} {score} made\n" for rank, (name, score) in enumerate(best, 1)
                )
        for names in SETS:
            cases = {
                "memory": (lambda n=names: ours(n, rows), lambda n=names: theirs(n, qrels, run)),
                "files": (
                    lambda n=names: ours_from_files(n, judged, path),
                    lambda n=names: theirs_from_files(n, judged, path),
                ),
            }
            for case, (mine, other) in cases.items():
                fast, slow = side_by_side(mine, other, rounds)
                missed += slow < fast
                what = names[0] if len(names) == 1 else f"{len(names)} metrics"
                print(
                    f"| {questions:,} x 1,000, {case} | {what} | {fast:.3f} | {slow:.3f} | {slow / fast:.2f}x | 1x |",
                    flush=True,
                )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the process, both sides' data in it: {peak:,.0f} MB")
    print(f"{missed} of 4 targets missed" if missed else "all targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
