"""Starts one program, waits for it, and writes what the system charged it with.

    python -S benchmarks/_launch.py FIGURES.json LOG SECONDS PROGRAM [ARGUMENT...]

A process of its own, because Linux counts the memory of the process that starts a program as the program's own peak:
this one is as small as Python gets, a benchmark that has read logs and data is not.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time


def launch(log: str, seconds: int, command: list[str]) -> dict[str, float]:
    began = time.perf_counter()
    child = os.fork()
    if not child:
        try:
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(seconds)
    _, status, used = os.wait4(child, 0)
    return {
        "wall": time.perf_counter() - began,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss / (2**20 if sys.platform == "darwin" else 1024),
        "code": os.waitstatus_to_exitcode(status),
    }


if __name__ == "__main__":
    figures, log, seconds, *command = sys.argv[1:]
    taken = launch(log, int(seconds), command)
    with open(figures, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would triple this process
        json.dump(taken, file)
