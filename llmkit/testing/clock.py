"""Virtual time: a minute passes the moment everybody waits for it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_STUCK = 5.0


class FakeClock:
    """A clock that moves only when every task sleeps, and then straight to the next one to wake.

    It brings its own event loop, whose time it is: ``asyncio.sleep`` and ``asyncio.timeout`` inside `run` are
    virtual too, so nothing in a test really waits and the times it sees are exact::

        clock = FakeClock()
        engine = Engine(clock=clock)
        clock.run(main(engine))

    Work on threads or sockets is not seen: time may pass while it runs.

    Attributes:
        now: The time, in seconds.
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._loop: asyncio.AbstractEventLoop | None = None

    def monotonic(self) -> float:
        """Return the virtual time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Return when ``seconds`` of virtual time have passed."""
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("a FakeClock only ticks inside its own loop: use clock.run(main())")
        await asyncio.sleep(seconds)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end in virtual time and return its result, as ``asyncio.run`` does.

        Raises:
            RuntimeError: everybody waits and nobody sleeps, so nothing can ever happen (a deadlock).
        """
        with asyncio.Runner(loop_factory=self._make_loop) as runner:
            return runner.run(main)

    def _make_loop(self) -> asyncio.AbstractEventLoop:
        self._loop = _VirtualLoop(self)
        return self._loop


class _VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is a `FakeClock`'s."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(_VirtualSelector(clock))
        self._clock = clock

    def time(self) -> float:
        return self._clock.now

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's own
        # Threads end in real time: a limit in virtual time (Python 3.12 and later have one) would pass at once.
        await super().shutdown_default_executor()


class _VirtualSelector(selectors.DefaultSelector):
    """The loop selects with a timeout exactly when nothing is ready to run: the moment for time to pass."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            events = super().select(_STUCK)
            if not events:
                raise RuntimeError("everybody waits and nobody sleeps: a deadlock")
            return events
        events = super().select(0)
        if not events and timeout > 0:
            self._clock.now += timeout
        return events
