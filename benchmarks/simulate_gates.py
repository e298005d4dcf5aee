"""How often gates are wrong: llmkit's verdicts beside a threshold on the mean and an unpaired z-test.

    python benchmarks/simulate_gates.py [--quick]

Every comparison has three metrics that are judged together: yes/no (a sample's own chance of being right, beta
distributed), graded (beta scores around the sample's own level) and clustered (five samples from one source share their
luck in a run). "Nothing changed" asks one system twice. The threshold gate fails a candidate whose mean is more than
0.02 under the base's; the z-test is the two-sided 5 % test of two independent means.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import sqrt
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
from _measure import header, heading, row

from llmkit import Options, run_eval
from llmkit.stats import Claim, ConfidenceSequence, decide, decide_all, paired_difference, settle_drop, settle_value

THRESHOLD = 0.02
CLUSTER = 5
RESAMPLES = 1000


@dataclass(frozen=True)
class Case:
    """One metric: how two runs of n samples come out when the candidate is worse by ``drop``."""

    name: str
    make: Callable[[np.random.Generator, int, float], tuple[np.ndarray, np.ndarray]]
    binary: bool = False
    clustered: bool = False

    def compare(self, base: np.ndarray, candidate: np.ndarray):
        clusters = np.arange(len(base)) // CLUSTER if self.clustered else None
        return paired_difference(
            base, candidate, binary=self.binary, clusters=clusters, bounds=(0, 1), resamples=RESAMPLES
        )


def yes_no(rng: np.random.Generator, n: int, drop: float) -> tuple[np.ndarray, np.ndarray]:
    """Most samples are sure, some are not: churn of about 9 %. A drop takes right answers away at random."""
    own = rng.beta(0.8, 0.2, n)
    base, candidate = rng.random(n) < own, rng.random(n) < own
    return base.astype(float), (candidate & (rng.random(n) >= drop / 0.8)).astype(float)


def graded(rng: np.random.Generator, n: int, drop: float) -> tuple[np.ndarray, np.ndarray]:
    own = rng.beta(6, 2, n) * 0.7 + 0.2
    base, candidate = (rng.beta(20 * own, 20 * (1 - own)) for _ in range(2))
    return base, np.clip(candidate - drop, 0, 1)


def clustered(rng: np.random.Generator, n: int, drop: float) -> tuple[np.ndarray, np.ndarray]:
    clusters = np.arange(n) // CLUSTER
    own = rng.uniform(0.4, 0.8, n)
    runs = [own + rng.normal(0, 0.08, clusters[-1] + 1)[clusters] + rng.normal(0, 0.08, n) for _ in range(2)]
    return np.clip(runs[0], 0, 1), np.clip(runs[1] - drop, 0, 1)


CASES = (Case("yes/no", yes_no, binary=True), Case("graded", graded), Case("clustered", clustered, clustered=True))


def unpaired_z(base: np.ndarray, candidate: np.ndarray) -> bool:
    """Whether the unpaired test calls the candidate worse."""
    error = sqrt(base.var(ddof=1) / len(base) + candidate.var(ddof=1) / len(candidate))
    return bool(error and (candidate.mean() - base.mean()) / error < -1.959964)


def threshold(base: np.ndarray, candidate: np.ndarray) -> bool:
    return bool(candidate.mean() < base.mean() - THRESHOLD)


def nothing_changed(sizes: tuple[int, ...], runs: int) -> bool:
    """Two runs of one system: any of three metrics called worse is a false alarm. Also: do the intervals cover 0?"""
    print(
        f"\n### Nothing changed: false alarms in {runs} comparisons of three metrics, and coverage of the intervals\n"
    )
    heading(
        "n",
        "llmkit, REGRESSED",
        "improved",
        "threshold 0.02",
        "unpaired z",
        *(f"coverage, {case.name}" for case in CASES),
    )
    met = True
    slip = 3 * sqrt(0.05 * 0.95 / runs)
    for n in sizes:
        rng = np.random.default_rng(n)
        wrong = {"regressed": 0, "improved": 0, "threshold": 0, "z": 0}
        covered = dict.fromkeys((case.name for case in CASES), 0)
        for _ in range(runs):
            pairs = {case.name: case.make(rng, n, 0.0) for case in CASES}
            results = {case.name: case.compare(*pairs[case.name]) for case in CASES}
            verdicts = {one.verdict for one in decide_all({k: Claim(v) for k, v in results.items()}).values()}
            wrong["regressed"] += "regressed" in verdicts
            wrong["improved"] += "improved" in verdicts
            wrong["threshold"] += any(threshold(*pair) for pair in pairs.values())
            wrong["z"] += any(unpaired_z(*pair) for pair in pairs.values())
            for name, result in results.items():
                estimate = result.difference
                covered[name] += estimate.low is not None and estimate.low <= 0 <= estimate.high
        shares = {name: count / runs for name, count in wrong.items()}
        row(
            n,
            *(f"{100 * share:.1f} %" for share in shares.values()),
            *(f"{100 * c / runs:.1f} %" for c in covered.values()),
        )
        met &= shares["regressed"] <= 0.05 + (slip if runs < 1000 else 0) and all(
            0.93 - slip <= c / runs <= 0.97 + slip for c in covered.values()
        )
    return met


def real_drops(sizes: tuple[int, ...], runs: int) -> bool:
    """A drop of twice the smallest that was said to be detectable: how often is it seen?"""
    print(f"\n### A drop of twice the stated detectable one: seen in {runs} comparisons\n")
    heading("n", "metric", "stated drop", "true drop", "llmkit", "threshold 0.02", "unpaired z")
    met = True
    for n in sizes:
        for case in CASES:
            rng = np.random.default_rng(n)
            pilots = [decide(case.compare(*case.make(rng, n, 0.0))).mde for _ in range(20)]
            stated = float(np.median([mde for mde in pilots if mde is not None]))
            drop = min(2 * stated, 0.6)
            seen = {"llmkit": 0, "threshold": 0, "z": 0}
            for _ in range(runs):
                pair = case.make(rng, n, drop)
                seen["llmkit"] += decide(case.compare(*pair)).verdict == "regressed"
                seen["threshold"] += threshold(*pair)
                seen["z"] += unpaired_z(*pair)
            row(
                n,
                case.name,
                f"{stated:.3f}",
                f"{drop:.3f}",
                *(f"{100 * count / runs:.1f} %" for count in seen.values()),
            )
            met &= seen["llmkit"] / runs > 0.95 - 2 * sqrt(0.05 * 0.95 / runs)
    return met


def misses(sizes: tuple[int, ...], runs: int) -> None:
    """A drop of 0.03 that matters: who sees it?"""
    print(f"\n### A drop of 0.03 in the graded metric: seen in {runs} comparisons\n")
    heading("n", "llmkit", "threshold 0.02", "unpaired z")
    for n in sizes:
        rng = np.random.default_rng(n + 1)
        seen = {"llmkit": 0, "threshold": 0, "z": 0}
        for _ in range(runs):
            pair = graded(rng, n, 0.03)
            seen["llmkit"] += decide(CASES[1].compare(*pair)).verdict == "regressed"
            seen["threshold"] += threshold(*pair)
            seen["z"] += unpaired_z(*pair)
        row(n, *(f"{100 * count / runs:.1f} %" for count in seen.values()))


def sequence(values: np.ndarray, settle: Callable[[tuple[float, float]], object], **options) -> tuple[object, int]:
    """Ask 20 at a time until the answer is settled; return it and how many were asked."""
    watched = ConfidenceSequence(steps=200, **options)
    for start in range(0, len(values), 20):
        settled = settle(watched.update(values[start : start + 20]))
        if settled is not None:
            return settled, watched.n
    return None, len(values)


def stopping_early(runs: int, n: int = 1000) -> bool:
    print(f"\n### Stopping early: {n} samples, 20 at a time, {runs} runs\n")
    heading("gate", "truth", "wrong", "settled", "requests saved")
    met = True
    rng = np.random.default_rng(3)
    for share, clear in ((0.95, True), (0.90, True), (0.85, False), (0.82, False), (0.80, False), (0.70, True)):
        wrong = settled = asked = 0
        for _ in range(runs):
            values = (rng.random(n) < share).astype(float)
            full = values.mean() >= 0.8
            found, count = sequence(values, lambda i: settle_value(i, least=0.8), low=0, high=1, total=n, at=(0.8,))
            wrong += found is not None and found != full
            settled += found is not None
            asked += count
        met &= _row("min: 0.80 (these samples)", f"{share:.2f} right", (wrong, settled, asked), runs, n, clear=clear)
    for drop, margin, clear in (
        (0.0, 0.0, False),
        (0.1, 0.0, True),
        (0.15, 0.0, True),
        (0.0, 0.05, False),
        (0.0, 0.1, True),
        (0.15, 0.05, True),
    ):
        wrong = settled = asked = 0
        for _ in range(runs):
            base, candidate = yes_no(rng, n, drop)
            found, count = sequence(
                candidate - base, partial(settle_drop, margin=margin), low=-1, high=1, at=(0.0, -margin)
            )
            bad = {"regressed", "improved"} if not drop else {"improved", "pass"}
            wrong += found in bad and (margin == 0 or found != "improved" or drop > 0)
            settled += found is not None
            asked += count
        met &= _row(
            f"max_drop: {margin:g} (samples like these)",
            f"drop {drop:g}",
            (wrong, settled, asked),
            runs,
            n,
            clear=clear,
        )
    return met


def _row(gate: str, truth: str, counts: tuple[int, int, int], runs: int, n: int, *, clear: bool) -> bool:
    wrong, settled, asked = counts
    saved = 1 - asked / runs / n
    row(gate, truth, f"{100 * wrong / runs:.1f} %", f"{100 * settled / runs:.0f} %", f"{100 * saved:.0f} %")
    return wrong / runs <= 0.05 + 2 * sqrt(0.05 * 0.95 / runs) and (not clear or saved >= 0.4)


BOTS = {
    "base": "def answer(text):\n    return text.split('|')[1]\n",
    "candidate": "def answer(text):\n    return text.split('|')[2]\n",
}


def a_set(rng: np.random.Generator, n: int, right: float, drop: float) -> list[dict[str, str | list[str]]]:
    """Rows that say what either bot answers: right with this probability, the candidate less often by ``drop``."""
    own = rng.beta(8 * right, 8 * (1 - right), n)
    before, now = rng.random(n) < own, (rng.random(n) < own) & (rng.random(n) >= drop / right)
    return [
        {"id": f"r{i}", "input": f"{i}|{'yes' if a else 'no'}|{'yes' if b else 'no'}", "references": ["yes"]}
        for i, (a, b) in enumerate(zip(before, now, strict=True))
    ]


def one_run(folder: Path, bot: str, gate: dict, seed: int, baseline: Path | None = None):
    """Run a whole evaluation by a bot, as ``llmkit eval`` does."""
    (folder / f"{bot}.py").write_text(BOTS[bot])
    (folder / f"{bot}.yaml").write_text(
        json.dumps(
            {
                "name": bot,
                "dataset": "set.jsonl",
                "target": {"python": f"{folder / bot}.py:answer"},
                "metrics": ["exact_match", "token_f1"],
                "gate": gate,
                "seed": seed,
            }
        )
    )
    out = folder / f"run-{bot}"
    return run_eval(folder / f"{bot}.yaml", options=Options(out=out, overwrite=True, baseline=baseline, cache=False))


def whole_flow(runs: int, n: int = 300) -> bool:
    """Stop through the whole flow: two scorers in the gate, answers asked for, runs compared, the exit code read."""
    print(f"\n### Stopping early through `llmkit eval`: {n} rows, two scorers, {runs} evaluations\n")
    heading("gate", "truth", "wrong", "settled", "requests saved")
    met = True
    for margin, right, drop, clear in (
        (None, 0.95, 0.0, True),
        (None, 0.82, 0.0, False),
        (0.0, 0.9, 0.0, False),
        (0.15, 0.9, 0.0, True),
        (0.05, 0.9, 0.25, True),
    ):
        wrong = settled = asked = 0
        for seed in range(runs):
            rng = np.random.default_rng([seed, int(100 * right), int(100 * drop)])
            with tempfile.TemporaryDirectory() as made:
                folder = Path(made)
                rows = a_set(rng, n, right, drop)
                (folder / "set.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
                rule = {"min": 0.8} if margin is None else {"max_drop": margin}
                gate = {"sequential": True, "exact_match": rule, "token_f1": rule}
                if margin is None:
                    run = one_run(folder, "candidate", gate, seed)
                    share = sum(one["input"].endswith("yes") for one in rows) / n
                    wrong += all(one["pass"] for one in run.summary["gate"].values()) != (share >= 0.8)
                else:
                    base = one_run(folder, "base", {}, seed)
                    run = one_run(folder, "candidate", gate, seed, Path(base.path))
                    bad = {"regressed", "improved"} if not drop else {"improved", "pass"}
                    wrong += run.comparison.verdict in bad
                settled += run.summary["sequential"]["settled"]
                asked += run.summary["sequential"]["asked"]
        gate, truth = (
            ("min: 0.80", f"{right:.2f} right") if margin is None else (f"max_drop: {margin:g}", f"drop {drop:g}")
        )
        met &= _row(gate, truth, (wrong, settled, asked), runs, n, clear=clear)
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two sizes and a tenth of the runs")
    quick = parser.parse_args().quick
    header("Simulated gates")
    sizes, runs = ((50, 200), 150) if quick else ((50, 100, 200, 500, 2000), 2000)
    found = [nothing_changed(sizes, runs), real_drops(sizes[:2] if quick else (50, 200, 2000), runs // 5 * 2)]
    misses(sizes, runs // 4)
    found += [stopping_early(60 if quick else 400), whole_flow(6 if quick else 200)]
    print(
        f"\nfalse alarms and coverage, power, early stops, the same through the whole flow: {['MISSED', 'met'][all(found)]} {found}"
    )
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
