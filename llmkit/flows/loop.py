"""The event loop of a run: one for the whole of it, stopped cleanly by Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from llmkit.engine import Engine


def run_loop(work: Awaitable[None]) -> None:
    """Run a coroutine to its end, also from a notebook whose own loop is running; uvloop where installed."""
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        running.append((asyncio.get_running_loop(), task))
        await work

    factory = _loop_factory()
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())
        return
    from concurrent.futures import ThreadPoolExecutor

    def elsewhere() -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())

    with ThreadPoolExecutor(1) as pool:
        try:
            pool.submit(elsewhere).result()
        except KeyboardInterrupt:  # the pool waits for its thread, so tell it
            for loop, task in running:
                with suppress(RuntimeError):  # it has just ended
                    loop.call_soon_threadsafe(task.cancel)
            raise


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopped_by_signals(engine: Engine, *, wanted: bool) -> Iterator[None]:
    """Heed Ctrl-C and SIGTERM inside, where that is ``wanted``.

    The first: finish what is in flight. The second: drop it; the journal still holds what was answered.

    Raises:
        Interrupted: it was stopped.
    """
    if not wanted:
        yield
        return
    _heed(engine)
    try:
        yield
    except asyncio.CancelledError:
        if engine.halted is not None:  # the second Ctrl-C
            raise engine.halted from None
        raise
    finally:
        with suppress(NotImplementedError, RuntimeError, ValueError):
            for number in SIGNALS:
                asyncio.get_running_loop().remove_signal_handler(number)


def _heed(engine: Engine) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    asked_before = False

    def on_signal() -> None:
        nonlocal asked_before
        if asked_before:
            task.cancel()
        asked_before = True
        engine.stop()

    with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
        for number in SIGNALS:
            loop.add_signal_handler(number, on_signal)
