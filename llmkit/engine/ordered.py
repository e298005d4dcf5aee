"""Many at once, in order: work is pulled by workers, and results come out as the items went in.

Nothing is scheduled ahead: a worker pulls its next item when it is free, and nobody pulls while ``window`` items
are ahead of what was handed out. So an endless iterator is fine and memory stays flat. Workers are few long-lived
tasks, and a function that never waits (recorded outputs) runs through a whole window without a switch.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from llmkit.errors import LlmkitError

I = TypeVar("I")  # noqa: E741 - items
R = TypeVar("R")


class Ordered(Generic[I, R]):
    """One pass over items.

    Args:
        function: Awaited once for each item.
        items: Read lazily, from one task at a time.
        workers: Items in work at the same time.
        window: Items pulled ahead of the first one that was not handed out.
        halted: Returns why nothing more may be pulled, or None.
        halt: Told of a `LlmkitError` that ``function`` or ``items`` raised, so that everything winds down.
    """

    def __init__(
        self,
        function: Callable[[I], Awaitable[R]],
        items: Iterable[I],
        *,
        workers: int,
        window: int,
        halted: Callable[[], LlmkitError | None],
        halt: Callable[[LlmkitError], None],
    ) -> None:
        self._function = function
        self._items = iter(items)
        self._workers = workers
        self._window = window
        self._halted = halted
        self._halt = halt
        self._pulled = 0
        self._handed = 0
        self._alive = 0
        self._complete = False
        self._closing = False
        self._error: Exception | None = None
        self._finished: dict[int, R] = {}
        self._ready = asyncio.Event()
        self._room = asyncio.Event()

    async def results(self) -> AsyncGenerator[R, None]:
        """Yield results in item order.

        Whatever ``function`` or ``items`` raises comes out once. A `LlmkitError` or a halt first lets the work in
        flight finish and yields all that is finished; any other exception is a bug and cancels the rest.
        """
        tasks = [asyncio.create_task(self._work()) for _ in range(self._workers)]
        self._alive = len(tasks)
        try:
            while True:
                while self._handed in self._finished:
                    result = self._finished.pop(self._handed)
                    self._handed += 1
                    if 2 * (self._pulled - self._handed) <= self._window:
                        self._room.set()
                    yield result
                if self._error is not None:
                    raise self._error
                if not self._alive:
                    break
                self._room.set()
                self._ready.clear()
                await self._ready.wait()
            for index in sorted(self._finished):
                yield self._finished.pop(index)
            reason = self._halted()
            if reason is not None and not (self._complete and self._handed == self._pulled):
                raise reason
        finally:
            self._closing = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        try:
            while not self._complete and self._error is None and self._halted() is None:
                if self._pulled - self._handed >= self._window:
                    self._room.clear()
                    await self._room.wait()
                    continue
                try:
                    item = next(self._items)
                except StopIteration:
                    self._complete = True
                    return
                index = self._pulled
                self._pulled += 1
                self._finished[index] = await self._function(item)
                if index == self._handed:
                    self._ready.set()
        except LlmkitError as reason:
            self._halt(reason)
        except asyncio.CancelledError:
            if not self._closing:
                self._error = self._error or RuntimeError(
                    "an item was cancelled from outside, so its result is missing"
                )
            raise
        except Exception as error:  # noqa: BLE001 - kept, and raised where the results are read
            self._error = self._error or error
        finally:
            self._alive -= 1
            if not self._alive or self._error is not None:
                self._ready.set()
