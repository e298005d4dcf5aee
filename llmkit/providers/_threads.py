"""Threads for code that blocks, which neither a timeout nor the end of the program has to wait for."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class _Job:
    __slots__ = ("call", "future", "loop", "state")

    def __init__(self, call: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.call = call
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.state = "waiting"  # then "running", then "done"; or "abandoned"


class Threads:
    """At most ``size`` daemon threads that run calls for the event loop.

    A thread whose call was given up (its waiter was cancelled by a timeout) no longer counts: another takes its
    place, and it ends when its call returns. Python's own pool would lose the slot, and wait for it at exit.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._open = 0  # jobs waiting or running

    async def run(self, call: Callable[[], T]) -> T:
        """Return what ``call`` returns, or raise what it raises."""
        job = _Job(call, asyncio.get_running_loop())
        with self._lock:
            self._open += 1
            self._staff()
        self._jobs.put(job)
        try:
            result: T = await job.future
        except asyncio.CancelledError:
            self._abandon(job)
            raise
        return result

    def close(self) -> None:
        """Let the idle threads end; calls still running are not waited for."""
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)
            self._threads = 0

    def _staff(self) -> None:
        if self._threads < min(self._open, self._size):
            self._threads += 1
            threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def _abandon(self, job: _Job) -> None:
        with self._lock:
            if job.state == "done":
                return
            if job.state == "running":
                self._threads -= 1
            self._open -= 1
            job.state = "abandoned"
            self._staff()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            with self._lock:
                if job.state == "abandoned":
                    continue
                job.state = "running"
            result, error = _outcome(job.call)
            with self._lock:
                if job.state == "abandoned":
                    return
                job.state = "done"
                self._open -= 1
            try:
                job.loop.call_soon_threadsafe(_settle, job, result, error)
            except RuntimeError:  # the loop is closed: nobody waits for the answer
                return


def _outcome(call: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    try:
        return call(), None
    except BaseException as error:  # noqa: BLE001  # it is raised again where the result is awaited
        return None, error


def _settle(job: _Job, result: Any, error: BaseException | None) -> None:
    if job.future.done():
        return
    if error is None:
        job.future.set_result(result)
    else:
        # A future refuses StopIteration; the program is not to end because a target calls sys.exit.
        wrap = isinstance(error, (StopIteration, SystemExit))
        job.future.set_exception(RuntimeError(f"{type(error).__name__}: {error}") if wrap else error)
