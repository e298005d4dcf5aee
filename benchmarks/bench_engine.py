"""The whole eval command against a fake server: wall time, CPU, memory, beside a bare loop and the peers found.

    python benchmarks/bench_engine.py [--quick] [--promptfoo PROGRAM] [--inspect PROGRAM] [--lmeval PROGRAM]

Every program is run as its users run it, as a process of its own, against one server process (answers after 50 ms).
Rounds are interleaved and the median counts. Sending is the time from the first request's arrival to the last
answer, by the server's log. A program whose accuracy or number of requests is wrong is an error, not a row.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from _measure import ROOT, Measured, header, heading, measure, median, row, tail, verdict
from _tools import PEERS, Job, Tool, bare, options_for, ours, peers_found, write_questions

sys.path.insert(0, str(ROOT))

from tests.fakeserver import SpawnedServer, spawn

CONCURRENCY = 64
LATENCY = 0.05
SENDING, WHOLE, CPU_MS, PEAK_MB = 1.15, 1.5, 0.6, 150.0
ACCURACY = 0.9


@dataclass(slots=True)
class Figures:
    """What one program took, a number a round."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    sending: list[float] = field(default_factory=list)
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """A size of the job."""

    count: int
    concurrency: int
    latency: float

    @property
    def ideal(self) -> float:
        """Seconds that requests take when exactly ``concurrency`` of them are always in flight."""
        return self.count * self.latency / self.concurrency


def compare(title: str, load: Load, tools: Sequence[Tool], rounds: int) -> dict[str, Figures]:
    """Run every tool ``rounds`` times, in turn, after a first small run that fills file and bytecode caches."""
    figures = {tool.name: Figures() for tool in tools}
    ideal = f", ideal {load.ideal:.4g} s" if load.ideal else ""
    print(f"\n## {title}: {load.count:,} requests, {load.latency * 1000:g} ms, concurrency {load.concurrency}{ideal}\n")
    with (
        tempfile.TemporaryDirectory() as small,
        tempfile.TemporaryDirectory() as folder,
        spawn(latency=load.latency) as server,
    ):
        write_questions(Path(small), 10)
        write_questions(Path(folder), load.count)
        for tool in tools:
            once(tool, Job(Path(small), server.base_url, load.concurrency, 10), server, load.latency)
        for _ in range(rounds):
            for tool in tools:
                job = Job(Path(folder), server.base_url, load.concurrency, load.count)
                taken, sending, in_flight = once(tool, job, server, load.latency)
                into = figures[tool.name]
                into.wall.append(taken.wall)
                into.cpu.append(taken.cpu)
                into.peak.append(taken.peak)
                into.sending.append(sending)
                into.in_flight = max(into.in_flight, in_flight)
    show(figures, load)
    return figures


def once(tool: Tool, job: Job, server: SpawnedServer, latency: float) -> tuple[Measured, float, int]:
    """Run one tool once from a cold state; return what it took, its sending time and the most requests in flight."""
    command = tool.command(job)
    tool.clear(job)
    server.reset()
    taken = measure(command, folder=job.folder, environment=tool.environment(job))
    finished = [at for at, _, status in server.log() if status == 200]
    if taken.code not in {0, 100} or len(finished) != job.count:  # promptfoo exits with 100 where an assertion failed
        raise SystemExit(f"{tool.name}: exit code {taken.code}, {len(finished)} of {job.count} answered\n{tail(taken)}")
    accuracy = tool.accuracy(job, taken.output)
    if abs(accuracy - ACCURACY) > 0.0005:
        raise SystemExit(f"{tool.name} says {accuracy}, right is {ACCURACY}: not the same job\n{tail(taken)}")
    return taken, finished[-1] - finished[0] + latency, server.stats()["max_in_flight"]


def show(figures: dict[str, Figures], load: Load) -> None:
    heading(
        "program",
        "wall s",
        "x ideal",
        "x bare",
        "sending s",
        "x ideal",
        "CPU s",
        "CPU ms/request",
        "peak MB",
        "in flight",
        "rounds, wall s",
    )
    bare_wall = median(figures["bare asyncio loop"].wall)
    for name, taken in figures.items():
        wall, sending, cpu = median(taken.wall), median(taken.sending), median(taken.cpu)
        times = [f"{value / load.ideal:.2f}" if load.ideal else "" for value in (wall, sending)]
        row(
            name, f"{wall:.2f}", times[0], f"{wall / bare_wall:.1f}", f"{sending:.2f}", times[1], f"{cpu:.2f}",
            f"{cpu / load.count * 1000:.3f}", f"{median(taken.peak):.0f}", taken.in_flight,
            " ".join(f"{value:.2f}" for value in taken.wall),
        )  # fmt: skip


def targets(name: str, figures: Figures, load: Load) -> bool:
    """Print the targets with the medians; the fastest round beside them where a busy machine spoils a median."""
    print(f"\n{name}, fastest round: whole {min(figures.wall) / load.ideal:.2f} x ideal, sending {min(figures.sending) / load.ideal:.2f} x ideal, "
          f"CPU {min(figures.cpu) / load.count * 1000:.3f} ms a request")  # fmt: skip
    met = [
        verdict("sending, of the ideal", median(figures.sending) / load.ideal, SENDING, " x"),
        verdict("whole process, of the ideal", median(figures.wall) / load.ideal, WHOLE, " x"),
        verdict("CPU a request, all included", median(figures.cpu) / load.count * 1000, CPU_MS, " ms"),
        verdict("peak memory", median(figures.peak), PEAK_MB, " MB"),
    ]
    return all(met)


def own_rows(folder: Path) -> Iterator[Tool]:
    """Yield llmkit on asyncio's own loop and, where it is installed, on uvloop; one of them is what users get."""
    if importlib.util.find_spec("uvloop") is None:
        yield ours()
        return
    # A module of that name that cannot be imported stands in for an environment without it.
    (folder / "uvloop.py").write_text('raise ImportError("left out by the benchmark")\n', encoding="utf-8")
    yield ours(environment={"PYTHONPATH": str(folder)})
    yield ours(name="llmkit, uvloop")


def main() -> int:
    parser = options_for(__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="3 unless told")
    parser.add_argument("--main-only", action="store_true", help="leave out the other sizes")
    options = parser.parse_args()
    count, rounds = (200, 1) if options.quick else (2000, options.rounds)
    with contextlib.ExitStack() as stack:
        own = list(own_rows(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        header("engine: programs as users run them; medians")
        peers = [PEERS[kind](program) for kind, program in peers_found(options)]
        load = Load(count, CONCURRENCY, LATENCY)
        figures = compare("One request a sample", load, [bare(), *own, *peers], rounds)
        met = options.quick or [targets(tool.name, figures[tool.name], load) for tool in own].count(False) == 0
        if not options.main_only:
            compare("No latency", Load(count, 512, 0.0), [bare(), *own], rounds)
            long = Load(10 * count, CONCURRENCY, LATENCY)
            tenfold = compare("Ten times as many", long, [bare(), *own], 1)
            for tool in own:
                grown = min(tenfold[tool.name].cpu) / min(figures[tool.name].cpu)
                print(f"\n{tool.name}: CPU for ten times as many requests: {grown:.1f} x")
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
