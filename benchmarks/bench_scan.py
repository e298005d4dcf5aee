"""A night on which little happened: `llmkit index build` over 100,000 small files of which none, or one, changed.

    python benchmarks/bench_scan.py [--quick] [--files N]

The whole process is timed, its start included: one look at each file's size and time, against what the index knows.
The index is lexical, because what did not change is not embedded either way. Files and index are made anew in a
temporary folder. Targets: 5 s for 100,000 files, 0.3 s for 60.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILES = 100_000
TARGET = 5.0
FEW = 60
FEW_TARGET = 0.3
ROUNDS = 3
FEW_ROUNDS = 10
WORDS = [
    "river",
    "stone",
    "tower",
    "mason",
    "town",
    "bridge",
    "water",
    "night",
    "morning",
    "road",
    "hill",
    "mill",
    "harbour",
    "field",
    "winter",
    "summer",
]


def make(folder: Path, count: int) -> None:
    rng = random.Random(1)
    for number in range(count):
        below = folder / f"{number // 1000:03d}"
        if number % 1000 == 0:
            below.mkdir(parents=True)
        text = f"# Note {number}\n\n{' '.join(rng.choices(WORDS, k=40))}.\n"
        (below / f"note_{number}.md").write_text(text, encoding="utf-8")


def build(folder: Path) -> tuple[float, float, str]:
    """Return seconds on the clock and of CPU, and what the command said."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "llmkit", "index", "build", "notes.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 files, one round")
    parser.add_argument("--files", type=int, default=FILES)
    given = parser.parse_args()
    count, rounds = (2000, 1) if given.quick else (given.files, ROUNDS)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # bytecode is what makes the second start quick
    print(f"Python {sys.version.split()[0]}, {count:,} files, load {os.getloadavg()[0]:.1f}")
    print("| build | wall s | CPU s | target |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder / "notes", count)
        (folder / "notes.yaml").write_text("source: {root: notes}\n", encoding="utf-8")
        wall, cpu, said = build(folder)
        assert f"{count:,} added" in said, said
        print(f"| first | {wall:.2f} | {cpu:.2f} | |", flush=True)
        unchanged = [build(folder) for _ in range(rounds)]
        assert all("nothing changed" in said for *_, said in unchanged), unchanged
        wall, cpu = min(one[0] for one in unchanged), min(one[1] for one in unchanged)
        print(f"| nothing changed | {wall:.2f} | {cpu:.2f} | {TARGET:.0f} |", flush=True)
        edited = folder / "notes" / "000" / "note_0.md"
        edited.write_text(edited.read_text(encoding="utf-8") + "One line more.\n", encoding="utf-8")
        later, busy, said = build(folder)
        assert "1 changed" in said, said
        print(f"| one file changed | {later:.2f} | {busy:.2f} | |", flush=True)
    few_wall, few_cpu = few_files(FEW_ROUNDS if rounds > 1 else 1)
    print(f"| nothing changed, {FEW} files | {few_wall:.2f} | {few_cpu:.2f} | {FEW_TARGET} |", flush=True)
    missed = (wall > TARGET) + (few_wall > FEW_TARGET)
    print(f"{missed} targets missed" if missed else "all targets met")
    return int(missed > 0)


def few_files(rounds: int) -> tuple[float, float]:
    """Return the least seconds on the clock and of CPU of an unchanged build of a few files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder / "notes", FEW)
        (folder / "notes.yaml").write_text("source: {root: notes}\n", encoding="utf-8")
        build(folder)
        found = [build(folder) for _ in range(rounds + 1)][1:]  # the first hashes what was written just now
    assert all("nothing changed" in said for *_, said in found), found
    return min(one[0] for one in found), min(one[1] for one in found)


if __name__ == "__main__":
    sys.exit(main())
