"""Measuring whole processes: wall time, CPU time, peak memory, as the operating system counts them."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAUNCHER = Path(__file__).with_name("_launch.py")
LOG_TAIL = 2000


@dataclass(frozen=True, slots=True)
class Measured:
    """One process: seconds of wall time, CPU seconds (user and system, its children's included), peak MB, exit code."""

    wall: float
    cpu: float
    peak: float
    code: int
    output: str


def measure(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None, timeout: int = 1200
) -> Measured:
    """Run a command in ``folder`` to its end, or to its death after ``timeout`` seconds; return what it took.

    The peak is that of the largest process of its tree.
    """
    figures, log = folder / "process.json", folder / "process.log"
    launcher = [sys.executable, "-S", str(LAUNCHER), str(figures), str(log), str(timeout)]
    subprocess.run([*launcher, *command], cwd=folder, env=children() | dict(environment or {}), check=True)
    taken = json.loads(figures.read_text("utf-8"))
    return Measured(taken["wall"], taken["cpu"], taken["peak"], taken["code"], log.read_text("utf-8", "replace"))


def children() -> dict[str, str]:
    """Return this environment for child processes: with bytecode files, as users run Python, and without our settings."""
    unwanted = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "OPENAI_API_KEY", "OPENAI_BASE_URL"}
    return {
        name: value for name, value in os.environ.items() if name not in unwanted and not name.startswith("LLMKIT_")
    }


def tail(measured: Measured) -> str:
    """Return the end of what a process said, for an error message."""
    return measured.output[-LOG_TAIL:].strip()


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def llmkit() -> list[str]:
    """Return the command as a user types it: the script beside this interpreter."""
    script = Path(sys.executable).with_name("llmkit")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "llmkit"]


def header(title: str) -> None:
    """Print what was measured, on what, and how busy the machine is: figures taken on a busy one are too high."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{title}; {datetime.now(UTC).date()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, load {load}")


def row(*cells: object) -> None:
    """Print a row of a Markdown table at once, so that a long run shows how far it is."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def heading(*cells: str) -> None:
    row(*cells)
    print("|" + "---|" * len(cells), flush=True)


def own_peak() -> str:
    """Return, in words, the most memory that this process has held: the data and the programs of all sides."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"peak memory of the process, all sides and the data together: {peak:.0f} MB"


def verdict(what: str, value: float, target: float, unit: str = "") -> bool:
    """Print a target with its figure; return whether it was met."""
    met = value <= target
    print(f"{what}: {value:.4g}{unit}, target at most {target:.4g}{unit}: {'met' if met else 'MISSED'}", flush=True)
    return met
