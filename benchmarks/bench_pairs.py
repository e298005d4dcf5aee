"""Exact match, token F1 and chrF on 100,000 pairs: llmkit beside torchmetrics and evaluate, equal values asserted.

    python benchmarks/bench_pairs.py [--quick] [--pairs N] [--evaluate FOLDER]

Every program has a process of its own, on one thread, and gets the same texts as Python lists; importing and reading them
is not counted. `llmkit` is `llmkit.score`, which also gives every pair its score and the mean its interval; `plug-in` is
the metric alone, on records made before. The peers give the corpus value only. torchmetrics needs milliseconds a pair
for chrF, so there it gets two pairs in a hundred. Programs take turns, and the fastest round counts.

evaluate's metrics are scripts outside its package: --evaluate, or LLMKIT_BENCH_EVALUATE, is the folder `metrics` of a
checkout of github.com/huggingface/evaluate. A peer that is not there is named, and the others go on.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from _measure import measure, tail

Texts = list[str]
Work = Callable[[Texts, Texts], dict[str, float]]

WORDS, SAME, PAIRS, ROUNDS = 22, 0.4, 100_000, 3
CHRF_SHARE = 0.02
"""Of the pairs that torchmetrics' chrF gets."""


@dataclass(frozen=True, slots=True)
class Job:
    """One metric: its specs, the program beside it, and which part of the pairs it is measured on."""

    title: str
    specs: tuple[str, ...]
    peers: tuple[str, ...]
    share: float = 1.0
    tolerance: float = 1e-9


JOBS = (
    Job("exact match, as written", ("exact_match(normalise='none')",), ("evaluate exact_match",)),
    Job(
        "exact match and token F1, SQuAD's",
        ("exact_match(normalise='squad')", "token_f1"),
        ("evaluate squad", "torchmetrics SQuAD"),
        tolerance=1e-4,
    ),
    Job("chrF", ("chrf",), ("evaluate chrf",)),
    Job("chrF, mean over orders", ("chrf(eps_smoothing=True)",), ("torchmetrics CHRFScore",), CHRF_SHARE, 1e-4),
)
"""Values are compared relative to 1: torchmetrics adds up in 32 bits."""


def made(count: int) -> tuple[Texts, Texts]:
    """Return outputs and references of 22 words; two outputs in five equal their reference."""
    from bench_rouge import made_pairs

    rng = random.Random(7)
    pairs = [tuple(text.replace("\n", " ") for text in pair) for pair in made_pairs(WORDS, count, seed=7)]
    return [one if rng.random() < SAME else other for one, other in pairs], [one for one, _ in pairs]


def whole(specs: Sequence[str]) -> Work:
    import llmkit

    llmkit.score(["a"], ["a"], metrics=list(specs))  # imports are not the job

    def work(outputs: Texts, references: Texts) -> dict[str, float]:
        found = llmkit.score(outputs, references, metrics=list(specs))
        return {name: scored.estimate.value for name, scored in found.items() if scored.estimate is not None}

    return work


def plugin(specs: Sequence[str], outputs: Texts, references: Texts) -> Callable[[], dict[str, float]]:
    from llmkit import registry
    from llmkit.types import Output, Sample, Skipped

    metrics = [registry.build("metrics", spec) for spec in specs]
    rows = [
        (Sample("s", references=(reference,)), Output("s", output))
        for output, reference in zip(outputs, references, strict=True)
    ]

    def work() -> dict[str, float]:
        values = {}
        for metric, name in metrics:
            totals: list[float] = []
            for sample, output in rows:
                stats = metric.stats(sample, output)
                assert not isinstance(stats, Skipped)
                totals = [a + b for a, b in zip(totals, stats, strict=True)] if totals else list(stats)
            values[name] = metric.value(totals, len(rows))
        return values

    return work


def script(name: str, folder: str) -> Any:
    import evaluate

    return evaluate.load(str(Path(folder, name)), cache_dir=tempfile.mkdtemp())


def answers(outputs: Texts, references: Texts) -> dict[str, Any]:
    """Return what SQuAD's own format asks for."""
    return {
        "predictions": [{"id": str(i), "prediction_text": text} for i, text in enumerate(outputs)],
        "references": [
            {"id": str(i), "answers": {"text": [text], "answer_start": [0]}} for i, text in enumerate(references)
        ],
    }


def peer(
    name: str, specs: Sequence[str], folder: str, outputs: Texts, references: Texts
) -> Callable[[], dict[str, float]]:
    if name.startswith("evaluate"):
        metric = script(name.split()[1], folder)
        given = answers(outputs, references) if name.endswith("squad") else {}
        given = given or {"predictions": outputs, "references": references}
        keys = {"evaluate squad": ("exact_match", "f1"), "evaluate chrf": ("score",)}.get(name, ("exact_match",))
        part = 100 if name.endswith("squad") else 1

        def compute() -> dict[str, float]:
            found = metric.compute(**given)
            return {spec: float(found[key]) / part for spec, key in zip(specs, keys, strict=True)}

        return compute
    import torch
    from torchmetrics.text import CHRFScore, SQuAD

    torch.set_num_threads(1)
    if name == "torchmetrics SQuAD":
        given = answers(outputs, references)

        def squad() -> dict[str, float]:
            metric = SQuAD()
            metric.update(given["predictions"], given["references"])
            found = metric.compute()
            return {spec: float(found[key]) / 100 for spec, key in zip(specs, ("exact_match", "f1"), strict=True)}

        return squad

    def chrf() -> dict[str, float]:
        metric = CHRFScore(n_word_order=0)
        metric.update(outputs, [[reference] for reference in references])
        return {specs[0]: float(metric.compute()) * 100}

    return chrf


def child(side: str, number: int, path: Path, folder: str) -> None:
    """Do one job in this process and print what it took."""
    job = JOBS[number]
    outputs, references = json.loads(path.read_text("utf-8"))
    count = max(1, int(len(outputs) * job.share))
    outputs, references = outputs[:count], references[:count]
    if side == "llmkit":
        ready = whole(job.specs)
        work = lambda: ready(outputs, references)  # noqa: E731 - the one line it is
    elif side == "plug-in":
        work = plugin(job.specs, outputs, references)
    else:
        work = peer(side, job.specs, folder, outputs, references)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    values = work()
    taken = time.process_time() - start
    added = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print("\n" + json.dumps({"cpu": taken, "n": count, "values": list(values.values()), "added": added / 1024}))


def present(name: str, folder: str) -> str:
    """Return why a peer cannot take part, or nothing."""
    if name.startswith("evaluate"):
        if not find_spec("evaluate"):
            return "not installed: pip install evaluate"
        if not folder or not Path(folder, name.split()[1]).is_dir():
            return (
                "its metric scripts are not here: clone github.com/huggingface/evaluate, then --evaluate FOLDER/metrics"
            )
    elif not find_spec("torchmetrics") or not find_spec("torch"):
        return "not installed: pip install torchmetrics torch"
    return ""


def run(side: str, number: int, path: Path, folder: str) -> dict[str, Any]:
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    paths = {"PYTHONPATH": os.environ["PYTHONPATH"]} if os.environ.get("PYTHONPATH") else {}
    command = [sys.executable, str(Path(__file__).resolve()), "--child", side, str(number), str(path), folder]
    done = measure(command, folder=path.parent, environment=offline | paths)
    if done.code:
        sys.exit(f"{side}: exit code {done.code}\n{tail(done)}")
    return json.loads(done.output.strip().splitlines()[-1]) | {"peak": done.peak}


def beside(job: Job, number: int, path: Path, folder: str, rounds: int) -> bool:
    """Print a row for each side; return whether llmkit is faster than every peer."""
    sides = ["llmkit", "plug-in", *(name for name in job.peers if not present(name, folder))]
    best: dict[str, dict[str, Any]] = {}
    for turn in range(rounds):
        for side in sides if turn % 2 else reversed(sides):
            found = run(side, number, path, folder)
            if side not in best or found["cpu"] < best[side]["cpu"]:
                best[side] = found
    for side in sides:
        for mine, other in zip(best["llmkit"]["values"], best[side]["values"], strict=True):
            assert abs(mine - other) <= job.tolerance * max(1, abs(mine)), (job.title, side, mine, other)
    fastest = True
    for side in sides:
        found = best[side]
        each = found["cpu"] / found["n"] * 1e6
        times = each / (best["llmkit"]["cpu"] / best["llmkit"]["n"] * 1e6)
        values = ", ".join(f"{value:.6g}" for value in found["values"])
        print(
            f"| {job.title} | {found['n']:,} | {side} | {found['cpu']:.2f} | {each:.1f} | {times:.2f}x |"
            f" {found['peak']:.0f} | {found['added']:.0f} | {values} |",
            flush=True,
        )
        fastest &= times >= 1 or side == "plug-in"
    return fastest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2,000 pairs, one round")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--evaluate", default=os.environ.get("LLMKIT_BENCH_EVALUATE", ""), metavar="FOLDER")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        side, number, path, folder = options.child
        child(side, int(number), Path(path), folder)
        return 0
    pairs, rounds = (2000, 1) if options.quick else (options.pairs, ROUNDS)
    folder = str(Path(options.evaluate).resolve()) if options.evaluate else ""
    for name in (name for job in JOBS for name in job.peers):
        if reason := present(name, folder):
            print(f"{name}: {reason}")
    names = [name for name in ("torchmetrics", "evaluate", "sacrebleu") if find_spec(name)]
    print(f"Python {sys.version.split()[0]}, {', '.join(f'{name} {version(name)}' for name in names)}")
    print("| metric | pairs | program | CPU s | us a pair | times llmkit | peak MB | of it the job's | values |")
    print("|---" * 9 + "|")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "texts.json")
        path.write_text(json.dumps(made(pairs)), "utf-8")
        won = [beside(job, number, path, folder, rounds) for number, job in enumerate(JOBS)]
    print("all targets met" if all(won) else f"{won.count(False)} of {len(won)} targets missed")
    return 0 if all(won) else 1


if __name__ == "__main__":
    sys.exit(main())
