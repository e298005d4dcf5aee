"""The folder of a run: opened anew or to be continued, and left in order when the run cannot be finished."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from llmkit.errors import BudgetError, Interrupted, LlmkitError
from llmkit.flows.options import Options
from llmkit.store import RunFolder, Status, at, new_or_resumed


def open_folder(options: Options, *, root: str, name: str, fingerprint: str) -> RunFolder:
    """Return the folder that the options name; else a new one in ``root``, or the one of an interrupted run."""
    if options.out is not None:
        return at(options.out, fingerprint, overwrite=options.overwrite)
    return new_or_resumed(Path(root), name, fingerprint, now=datetime.now(UTC))


def leave_unfinished(
    folder: RunFolder, error: BaseException, *, done: int, total: int, closers: tuple[Callable[[], None], ...] = ()
) -> None:
    """Keep what is there and say why it is not finished; never hide the error that brought us here.

    Args:
        folder: The run's.
        error: Why the run ends; it learns where the run lies and how far it came.
        done: Rows that are finished.
        total: Rows there are.
        closers: What puts on disk what was taken so far.
    """
    if isinstance(error, LlmkitError):
        error.run_path = str(folder.path)
        error.done, error.total = done, total
    try:
        for close in closers:
            close()
        folder.mark(_status(error))
    except LlmkitError as closing:
        error.add_note(str(closing))


def _status(error: BaseException) -> Status:
    if isinstance(error, BudgetError):
        return "stopped"
    stopped = isinstance(error, (Interrupted, KeyboardInterrupt, asyncio.CancelledError))
    return "interrupted" if stopped else "failed"
