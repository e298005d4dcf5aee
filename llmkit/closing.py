"""What can be closed, as a context manager."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self


class Closing:
    """Something that holds a file or a connection, and lets it go at the end of a ``with`` block."""

    __slots__ = ()

    @abstractmethod
    def close(self) -> None:
        """Let it go; safe to call twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
