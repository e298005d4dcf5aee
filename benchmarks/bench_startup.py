"""What it costs to ask for help: CPU of `llmkit --help` beside the libraries it stands on, and beside the peers found.

    python benchmarks/bench_startup.py [--quick] [--promptfoo PROGRAM] [--inspect PROGRAM] [--lmeval PROGRAM]

Programs take turns; the median of the rounds counts. CPU rather than wall time, because a busy machine adds to the latter.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from _measure import Measured, header, heading, llmkit, measure, median, row, tail, verdict
from _tools import QUIET, options_for, peers_found

TARGET = 2.0
FLOOR = "python -c 'import typer, rich'"
ROUNDS, QUICK_ROUNDS = 11, 2


def main() -> int:
    parser = options_for(__doc__)
    options = parser.parse_args()
    header("start-up: CPU seconds of asking for help; medians")
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        FLOOR: [sys.executable, "-c", "import typer, rich"],
        "llmkit --help": [*llmkit(), "--help"],
        "llmkit eval --help": [*llmkit(), "eval", "--help"],
    }
    commands |= {f"{name} --help": [program, "--help"] for name, program in peers_found(options)}
    taken: dict[str, list[Measured]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        for number in range((QUICK_ROUNDS if options.quick else ROUNDS) + 1):
            for name, command in commands.items():
                one = measure(command, folder=Path(folder), environment=QUIET | {"PROMPTFOO_CONFIG_DIR": folder})
                if one.code:
                    raise SystemExit(f"{name}: exit code {one.code}\n{tail(one)}")
                if number:  # the first round fills the caches of files and bytecode
                    taken[name].append(one)
    cpu = {name: median(one.cpu for one in rounds) for name, rounds in taken.items()}
    heading("command", "CPU s", "fastest", "x typer and rich", "wall s", "peak MB")
    for name, rounds in taken.items():
        fastest, wall, peak = (
            min(one.cpu for one in rounds),
            median(one.wall for one in rounds),
            max(one.peak for one in rounds),
        )
        row(
            f"`{name}`",
            f"{cpu[name]:.3f}",
            f"{fastest:.3f}",
            f"{cpu[name] / cpu[FLOOR]:.2f}",
            f"{wall:.2f}",
            f"{peak:.0f}",
        )
    print()
    met = [verdict(name, cpu[name] / cpu[FLOOR], TARGET, " x") for name in commands if name.startswith("llmkit")]
    return 0 if options.quick or all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
