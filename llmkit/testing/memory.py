"""A memory that forgets when the process ends."""

from __future__ import annotations

from collections.abc import Iterator

from llmkit.types import Response


class MemoryDict:
    """`llmkit.protocols.Memory` in a dict, for a journal or a cache.

    Attributes:
        rows: What is remembered, by key, in the order it came.
        flushes: How often ``flush`` was called.
        closed: Whether ``close`` was called.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Response] = {}
        self.flushes = 0
        self.closed = False

    def get(self, key: str) -> Response | None:
        """Return the remembered response, or None."""
        return self.rows.get(key)

    def put(self, key: str, response: Response) -> None:
        """Remember a response."""
        self.rows[key] = response

    def keys(self) -> Iterator[str]:
        """Iterate over the keys of everything remembered."""
        return iter(self.rows)

    def flush(self) -> None:
        """Count the call."""
        self.flushes += 1

    def close(self) -> None:
        """Note that the memory was closed."""
        self.closed = True
