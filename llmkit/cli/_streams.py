"""Standard streams that are closed, full or no longer read: reasons to be silent, never to lose a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any


def prepare_streams() -> None:
    """Make both streams take whatever is written to them.

    A process that was started with closed streams (``>&-``) gets others that lead nowhere. Data in a pipe or a file is
    UTF-8 whatever the locale; a terminal that cannot show a character shows a question mark.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        elif isinstance(stream, TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")


def silence(stream: Any) -> None:
    """Let what a stream still holds go nowhere, or Python complains about it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def until_the_reader_goes() -> Iterator[None]:
    """Write to stdout inside; where its reader has gone (``| head``), the rest is not written, and the work stands."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)


def say(line: str) -> None:
    """Say one line on stderr; when nobody can hear it, go on without a word."""
    try:
        sys.stderr.write(line + "\n")
    except OSError:
        silence(sys.stderr)
