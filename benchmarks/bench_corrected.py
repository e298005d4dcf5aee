"""Coverage of corrected means: llmkit's intervals beside the plug-in ones of PPI++, over judges from useless to perfect.

    python benchmarks/bench_corrected.py [--quick] [--repeats 300]

Worlds with a known mean (tests/stats/judge_worlds.py), n human labels, N other rows, nominal 95 %. The plug-in is
PPI++'s own: weight tuned by the pooled variance of the judge, normal quantile, as ppi-python 0.2.3 computes. A cell is
one world, one quality, one n and one N; Monte Carlo's standard error of a coverage is 1.3 % at 300 repeats. With so many
cells chance alone puts some outside 93 to 97 %, so those are simulated anew, with another seed and 10 x the repeats.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _measure import header, heading, row

from llmkit.stats import prediction_powered_mean
from tests.stats.judge_worlds import QUALITIES, WORLDS, Array

LABELS, OTHERS = (20, 50, 100, 500), (200, 1000, 5000)
Z = 1.959963984540054
FLOOR, CEILING, WIDEST = 0.93, 0.97, 1.05
ENOUGH_ERRORS = 10


@dataclass(frozen=True, slots=True)
class Cell:
    """Shares of intervals that hold the truth, the judge's errors to be expected among the labels, and widths."""

    n: int
    others: int
    quality: float
    world: str
    ours: float
    plug_in: float
    human: float
    errors: float
    width: float
    widest: float


def plug_in(human: Array, judged: Array, others: Array) -> tuple[float, float]:
    n, count = len(human), len(others)
    everything = float(np.concatenate([judged, others]).var(ddof=1))
    covariance = float(((human - human.mean()) * (judged - judged.mean())).mean())
    lam = min(1.0, max(0.0, covariance / everything / (1 + n / count))) if everything else 0.0
    value = lam * float(others.mean()) + float((human - lam * judged).mean())
    reach = Z * np.sqrt(lam**2 * others.var() / count + (human - lam * judged).var() / n)
    return value - reach, value + reach


def simulate(world: str, quality: float, n: int, others: int, *, repeats: int, seed: int) -> Cell:
    draw, truth, binary = WORLDS[world]
    rng = np.random.default_rng(seed)
    hits = np.zeros(3)
    errors, ratios = 0.0, []
    for _ in range(repeats):
        human, judge = draw(rng, quality, n + others)
        labels = human[:n]
        found = prediction_powered_mean(judge, labels, np.arange(n), binary=binary)
        ours, alone = found.corrected, found.human_only
        low, high = plug_in(labels, judge[:n], judge[n:])
        if ours is None or alone is None or ours.low is None or alone.low is None:
            # Labels that are all equal on a scale without known ends give no interval, which counts as none that holds.
            hits[1] += low <= truth <= high
            continue
        hits += [ours.low <= truth <= ours.high, low <= truth <= high, alone.low <= truth <= alone.high]
        errors += float((np.abs(judge[:n] - labels) > 1e-9).sum())
        ratios.append((ours.high - ours.low) / (alone.high - alone.low))
    ours_, plug, alone_ = (hits / repeats).tolist()
    return Cell(n, others, quality, world, ours_, plug, alone_, errors / repeats, float(np.median(ratios)), max(ratios))


def outside(cell: Cell) -> bool:
    """Return whether a cell covers too little, or too much where the judge's errors are there to be seen."""
    return cell.ours < FLOOR or (cell.ours > CEILING and cell.errors >= ENOUGH_ERRORS)


def report(cells: list[Cell]) -> bool:
    """Print a row for each n and N, then what lies outside; return whether the floor holds in every cell."""
    heading(
        "n", "N", "cells", "least", "mean", "greatest", "plug-in least", "plug-in mean", "human least", "median width",
        "widest",
    )  # fmt: skip
    for n in LABELS:
        for others in OTHERS:
            mine = [cell for cell in cells if (cell.n, cell.others) == (n, others)]
            if mine:
                ours, plug = [cell.ours for cell in mine], [cell.plug_in for cell in mine]
                row(
                    n, others, len(mine), f"{min(ours):.3f}", f"{np.mean(ours):.3f}", f"{max(ours):.3f}",
                    f"{min(plug):.3f}", f"{np.mean(plug):.3f}", f"{min(cell.human for cell in mine):.3f}",
                    f"{np.median([cell.width for cell in mine]):.2f}", f"{max(cell.widest for cell in mine):.2f}",
                )  # fmt: skip
    low = [cell for cell in cells if cell.ours < FLOOR]
    high = [cell for cell in cells if cell.ours > CEILING]
    print(f"\nbelow {FLOOR}: {len(low)} of {len(cells)} cells (plug-in {sum(c.plug_in < FLOOR for c in cells)})")
    for cell in sorted(low, key=lambda cell: cell.ours)[:12]:
        print(
            f"  {cell.ours:.3f} n={cell.n} N={cell.others} quality={cell.quality} {cell.world}; {cell.errors:.1f} errors"
        )
    rare = sum(cell.errors < ENOUGH_ERRORS for cell in high)
    print(
        f"above {CEILING}: {len(high)} cells, {rare} of them with fewer than {ENOUGH_ERRORS} errors of the judge to be seen"
    )
    for cell in sorted(high, key=lambda cell: -cell.errors)[:12]:
        print(
            f"  {cell.ours:.3f} n={cell.n} N={cell.others} quality={cell.quality} {cell.world}; {cell.errors:.1f} errors"
        )
    print(f"widest against the labels alone: {max(cell.widest for cell in cells):.3f}, target at most {WIDEST}")
    return not low


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeats", type=int, default=300)
    options = parser.parse_args()
    header("Coverage of corrected means")
    repeats = 40 if options.quick else options.repeats
    cells = []
    start = time.process_time()
    for place, world in enumerate(WORLDS):
        cells += [
            simulate(world, quality, n, others, repeats=repeats, seed=place)
            for quality in ((0.9,) if options.quick else QUALITIES)
            for n in (LABELS[:1] if options.quick else LABELS)
            for others in (OTHERS[:1] if options.quick else OTHERS)
        ]
        if not options.quick:
            print(f"{world}: {time.process_time() - start:.0f} CPU s", file=sys.stderr, flush=True)
    if not options.quick:
        cells = [
            simulate(cell.world, cell.quality, cell.n, cell.others, repeats=10 * repeats, seed=1000 + place)
            if outside(cell)
            else cell
            for place, cell in enumerate(cells)
        ]
    return 0 if report(cells) else 1


if __name__ == "__main__":
    sys.exit(main())
