"""Requests that arrive at the same time, answered in batches by one worker thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from llmkit.providers._threads import Threads

J = TypeVar("J")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Waiting(Generic[J, R]):
    job: J
    kind: Hashable
    length: int
    future: asyncio.Future[R]


class Batches(Generic[J, R]):
    """Collects jobs while the worker is busy and hands it those that belong together.

    A batch holds jobs of one kind: the one that has waited longest, and the others nearest to it in length, so that
    little is padded. Nobody waits for a batch to fill up.

    Args:
        work: Called in the worker thread with the jobs of a batch; returns a result or an exception for each.
        size: The most jobs in a batch.
        name: The worker thread's name.
    """

    def __init__(self, work: Callable[[Sequence[J]], Sequence[R | Exception]], size: int, name: str) -> None:
        self._work = work
        self._size = size
        self._threads = Threads(1, name)
        self._queue: list[_Waiting[J, R]] = []
        self._runner: asyncio.Task[None] | None = None

    async def submit(self, job: J, kind: Hashable, length: int) -> R:
        """Return the job's result, or raise its exception."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(job, kind, length, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await future

    async def call(self, function: Callable[[], R]) -> R:
        """Run something else in the worker thread, between two batches."""
        return await self._threads.run(function)

    async def close(self) -> None:
        """Stop; jobs that still wait are cancelled."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        for waiting in self._queue:
            waiting.future.cancel()
        self._queue.clear()
        self._threads.close()

    async def _run(self) -> None:
        while await self._gathered():
            batch = self._next()
            jobs = [waiting.job for waiting in batch]
            results: Sequence[R | Exception]
            try:
                results = await self._threads.run(lambda jobs=jobs: self._work(jobs))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001  # each who waits is told
                results = [error] * len(jobs)
            for waiting, result in zip(batch, results, strict=True):
                if waiting.future.done():
                    continue
                if isinstance(result, Exception):
                    waiting.future.set_exception(result)
                else:
                    waiting.future.set_result(result)

    async def _gathered(self) -> bool:
        """Let everyone who is about to ask do so; return whether anybody waits."""
        seen = -1
        while len(self._queue) != seen and len(self._queue) < self._size:
            seen = len(self._queue)
            await asyncio.sleep(0)
        self._queue = [waiting for waiting in self._queue if not waiting.future.done()]
        return bool(self._queue)

    def _next(self) -> list[_Waiting[J, R]]:
        first = self._queue[0]
        alike = [waiting for waiting in self._queue if waiting.kind == first.kind]
        batch = sorted(alike, key=lambda waiting: (waiting is not first, abs(waiting.length - first.length)))[
            : self._size
        ]
        taken = set(map(id, batch))
        self._queue = [waiting for waiting in self._queue if id(waiting) not in taken]
        return batch
