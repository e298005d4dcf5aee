"""Flat in memory: recorded outputs of a hundred thousand and a million rows, scored by the whole eval command.

    python benchmarks/bench_memory.py [--quick] [--rows N]

What may grow with the rows is the scores: for each row and scorer that is a mean, one 8-byte float and the row's 4-byte
number. Everything else must stay: the peak of ten times as many rows is at most 1.3 times that of fewer, plus those
arrays. The rows are made up, and written to a temporary folder (about 250 bytes a row, four times that with the run).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from _measure import Measured, header, heading, llmkit, measure, row, tail, verdict

MOST_MB, GROWTH, STATE_BYTES = 600.0, 1.3, 12
MB = 2**20
LABELS = ("refund", "delivery", "account", "complaint", "praise", "other")


@dataclass(frozen=True, slots=True)
class Case:
    """One run: how many rows of which kind, scored by what."""

    rows: int
    kind: str
    metrics: tuple[str, ...]


def write_rows(path: Path, case: Case) -> None:
    """Write an eval set with recorded outputs: answers of a few words that are half right, or labels."""
    rng = random.Random(case.rows)
    words = [f"{first}{second}" for first in "bcdfghklmnprst" for second in ("an", "elo", "ist", "or", "umen", "yra")]
    with path.open("w", encoding="utf-8") as file:
        for number in range(case.rows):
            if case.kind == "labels":
                reference = rng.choice(LABELS)
                output = reference if rng.random() < 0.8 else rng.choice(LABELS)
            else:
                reference = " ".join(rng.choices(words, k=6))
                output = (
                    reference if rng.random() < 0.5 else " ".join([*reference.split()[:4], *rng.choices(words, k=4)])
                )
            question = f"Which words belong to case {number} of the collection?"
            line = {"id": f"case-{number:08}", "input": question, "references": [reference], "output": output}
            file.write(json.dumps(line) + "\n")


def score(case: Case) -> Measured:
    """Score the rows in a process of its own and show what it took."""
    with tempfile.TemporaryDirectory() as folder:
        write_rows(Path(folder, "rows.jsonl"), case)
        config = {"name": "bench", "dataset": "rows.jsonl", "target": "recorded", "metrics": list(case.metrics)}
        Path(folder, "eval.yaml").write_text(json.dumps(config), encoding="utf-8")
        taken = measure([*llmkit(), "eval", "eval.yaml", "-q", "--out", "run"], folder=Path(folder))
        if taken.code:
            raise SystemExit(f"{case}: exit code {taken.code}\n{tail(taken)}")
        summary = json.loads(Path(folder, "run", "summary.json").read_text("utf-8"))
        scored = {entry["n"] for entry in summary["scores"].values()}
        if scored != {case.rows}:
            raise SystemExit(f"{case}: {scored} rows were scored")
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    row(
        f"{case.rows:,}", ", ".join(case.metrics), f"{taken.wall:.1f}", f"{case.rows / taken.wall:,.0f}", f"{taken.cpu:.1f}",
        f"{taken.cpu / case.rows * 1e6:.1f}", f"{taken.peak:.0f}", f"{size / MB:.0f}",
    )  # fmt: skip
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2,000 and 20,000 rows")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the large run; the small one has a tenth")
    options = parser.parse_args()
    large = 20_000 if options.quick else options.rows
    small = large // 10
    header("memory: llmkit eval of recorded outputs, whole process")
    heading("rows", "metrics", "wall s", "rows/s", "CPU s", "CPU us/row", "peak MB", "files MB")
    metrics = ("exact_match", "token_f1")
    first = score(Case(small, "texts", metrics))
    score(Case(small, "texts", ("rouge(variant='L')",)))
    score(Case(small, "labels", ("f1",)))
    last = score(Case(large, "texts", metrics))
    arrays = large * len(metrics) * STATE_BYTES / MB
    grown = (last.peak - first.peak) * MB / (large - small)
    print(f"\ngrowth: {grown:.1f} bytes a row, of which scores {STATE_BYTES} bytes a row and scorer ({arrays:.0f} MB)")
    met = [
        verdict(f"peak of {large:,} rows", last.peak, MOST_MB, " MB"),
        verdict("the same, against that of a tenth plus the scores", last.peak, GROWTH * first.peak + arrays, " MB"),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
