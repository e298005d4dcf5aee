"""Standard streams that are closed, full or no longer read: reasons to be silent, never to lose a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any


def open_closed_streams() -> None:
    """Give a process that was started with closed streams (``>&-``) others that lead nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end


def silence(stream: Any) -> None:
    """Let what a stream still holds go nowhere, or Python complains about it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(line: str) -> None:
    """Say one line on stderr; when nobody can hear it, go on without a word."""
    try:
        sys.stderr.write(line + "\n")
    except OSError:
        silence(sys.stderr)
