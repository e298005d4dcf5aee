"""Progress of a build on stderr: a bar on a terminal, a plain line now and then elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from llmkit.cli._streams import say
from llmkit.text.visible import visible

if TYPE_CHECKING:
    from llmkit.flows.index.options import Notice, Step

_PLAIN_EVERY: Final = 30.0
_DRAW_EVERY: Final = 0.1


class BuildTalk:
    """Called with every `Step` and `Notice`; the bar appears with the first step that has a total."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = not quiet and sys.stderr.isatty()
        self._live: Any = None
        self._task: Any = None
        self._stage = ""
        self._began = self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away; safe to call twice."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, event: Step | Notice) -> None:
        """Take an event of the build."""
        message = getattr(event, "message", None)
        if self._quiet:
            return
        if message is not None:
            self._print(visible(f"warning: {message}"))
        else:
            self._step(event)

    def _step(self, step: Any) -> None:
        now = time.monotonic()
        if step.stage != self._stage:
            self._stage, self._began = step.stage, now
            if self._live is not None:
                self._live.update(self._task, description=step.stage, total=step.total or None, completed=step.done)
        elif now - self._last < (_DRAW_EVERY if self._terminal else _PLAIN_EVERY):
            return
        elif not self._terminal:
            rate = step.done / max(now - self._began, 1e-9)
            left = (step.total - step.done) / rate if rate else 0
            say(f"{step.stage}: {step.done:,}/{step.total:,} {rate:.1f}/s, about {left:.0f} s left")
        if self._terminal:
            self._draw(step)
        self._last = now

    def _draw(self, step: Any) -> None:
        if self._live is None:
            from llmkit.cli._talk import bar

            self._live = bar("{task.description}")
            self._task = self._live.add_task(step.stage, total=step.total or None, note="")
            self._live.start()
        self._live.update(self._task, completed=step.done, total=step.total or None)

    def _print(self, line: str) -> None:
        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False)
        else:
            say(line)
