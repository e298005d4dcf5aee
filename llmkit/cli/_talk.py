"""What is said on stderr: errors as sentences, hints, progress."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from llmkit.cli._streams import say
from llmkit.text.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

    from llmkit.engine import Event
    from llmkit.errors import LlmkitError

_PLAIN_EVERY = 30.0


def explain(error: LlmkitError) -> None:
    """Say what went wrong, and where work that was done is kept."""
    problems = getattr(error, "problems", ())
    lines = [f"error: {problem}" for problem in problems] or [f"error: {error}"]
    if problems and len(str(error).splitlines()) > len(problems):
        lines = [f"error: {error}"]
    lines += getattr(error, "__notes__", [])
    if error.run_path:
        lines.append(f"kept: {error.done:,} of {error.total:,} outputs in {error.run_path}")
        lines.append(f"to continue, run the same command again: {command_line()}")
    say(visible("\n".join(lines)))


def command_line() -> str:
    """Return the command as the user can paste it again."""
    import shlex

    return shlex.join(["llmkit", *sys.argv[1:]])


def stdout_console() -> Console:
    """Return a console for data; without a terminal it has no colour and does not cut lines."""
    from rich.console import Console

    class DataConsole(Console):
        def on_broken_pipe(self) -> None:
            # Rich would exit with 1 here, which is the code of a failed quality gate.
            raise BrokenPipeError

    console = DataConsole(highlight=False)
    wide = max(console.width, 120)
    return console if console.is_terminal else DataConsole(highlight=False, width=wide, no_color=True)


class ProgressTalk:
    """Shows progress on stderr: a bar on a terminal, a plain line now and then elsewhere, nothing when quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._live: Any = None
        self._task: Any = None
        self._last = time.monotonic()
        self._began = self._last
        self._slowed = False

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            self._live = bar()
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take an event of the run."""
        from llmkit.engine import Stopped
        from llmkit.errors import Interrupted
        from llmkit.flows.options import Started, Warned
        from llmkit.flows.recorder import Progress

        if self._quiet:
            return
        if isinstance(event, Started):
            if event.resumed:
                self._print(f"continuing {event.path}")
            if self._live is not None:
                self._task = self._live.add_task("asking", total=event.total, note="")
        elif isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, Stopped) and isinstance(event.reason, Interrupted):
            self._print("stopping: waiting for the answers in flight; Ctrl-C once more drops them")
        elif isinstance(event, Warned):
            self._print(f"warning: {event.message}")

    def _progress(self, event: Any) -> None:
        now = time.monotonic()
        if self._live is not None:
            if now - self._last >= 0.1 or event.done == event.total:  # noqa: PLR2004 - ten looks a second
                self._last = now
                self._live.update(self._task, completed=event.done, note=_note(event))
        elif now - self._last >= _PLAIN_EVERY:
            self._last = now
            rate = event.done / max(now - self._began, 1e-9)
            left = (event.total - event.done) / rate if rate else 0
            say(f"{event.done:,}/{event.total:,} {rate:.1f}/s, about {left:.0f} s left{_note(event)}")

    def _print(self, line: str) -> None:
        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False)
        else:
            say(line)


def _note(event: Any) -> str:
    parts = [f"${event.cost:.4f}"] if event.cost else []
    if event.failed:
        parts.append(f"{event.failed:,} failed")
    return "".join(f" · {part}" for part in parts)


def bar(*before: str) -> Any:
    """Return a progress bar for stderr, with columns of rich's before it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        *before,
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
        transient=True,
    )
