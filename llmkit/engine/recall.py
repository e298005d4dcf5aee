"""What is known already: the journal of this run, then the cache of earlier ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from llmkit.engine.lane import Lane
from llmkit.protocols import Memory
from llmkit.types import Response


class Recall:
    """Looks into journal and cache, each where the lane allows it.

    An answer from the journal comes back as it was, because this run paid for it: so a resumed run equals an
    uninterrupted one. An answer from the cache is marked ``cached``.
    """

    def __init__(self, journal: Memory | None, cache: Memory | None, *, refresh: bool) -> None:
        self._journal = journal
        self._cache = cache
        self._refresh = refresh

    def get(self, lane: Lane, key: str) -> tuple[Literal["journal", "cache"], Response] | None:
        """Return who knows the answer, and the answer."""
        if self._journal is not None and lane.journaled:
            response = self._journal.get(key)
            if response is not None:
                return "journal", response
        if self._cache is not None and lane.cacheable and not self._refresh:
            response = self._cache.get(key)
            if response is not None:
                return "cache", response if response.cached else replace(response, cached=True)
        return None

    def put(self, lane: Lane, key: str, response: Response) -> None:
        """Remember an answer."""
        if self._journal is not None and lane.journaled:
            self._journal.put(key, response)
        if self._cache is not None and lane.cacheable:
            self._cache.put(key, response)

    def put_wasted(self, lane: Lane, key: str, paid: Response) -> None:
        """Remember what an attempt took that gave no answer, so that the totals of a resumed run hold it."""
        if self._journal is None or not lane.journaled:
            return
        number = 1
        while self._journal.get(f"{key}/wasted/{number}") is not None:
            number += 1
        self._journal.put(f"{key}/wasted/{number}", paid)

    def paid(self) -> Iterator[tuple[str, Response]]:
        """Yield, with its key, what this run had paid for before it was interrupted, if the journal can say."""
        journal = self._journal
        keys = getattr(journal, "keys", None)
        if journal is None or keys is None:
            return
        for key in list(keys()):
            response = journal.get(key)
            if response is not None:
                yield key, response
