"""How to build, as opposed to what; and what an observer is told meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """How far a build is: looking, reading, embedding, publishing or deriving; ``total`` is 0 where it is not known."""

    stage: str
    done: int
    total: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a user should know and that stops nothing."""

    message: str


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How to build; nothing here changes what the index holds in the end.

    Attributes:
        allow_deletes: Go on where many documents have vanished.
        verify: Hash every document instead of trusting sizes and times.
        retry_failed: Read documents again that failed, though nothing about them changed.
        observe: Called with every `Step` and `Notice`; quick, never raises.
        processes: Most processes that read documents; None for as many as there are processors, 1 for this one alone.
    """

    allow_deletes: bool = False
    verify: bool = False
    retry_failed: bool = False
    observe: Callable[[Step | Notice], None] | None = None
    processes: int | None = None

    def tell(self, event: Step | Notice) -> None:
        """Tell the observer, where there is one."""
        if self.observe is not None:
            self.observe(event)


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did.

    Attributes:
        name: Of the index.
        folder: Where it lies.
        generation: The one that serves now.
        published: Whether it is a new one.
        counts: Documents added, changed, moved, removed, failed, unchanged; chunks, embedded, truncated; documents in
            all.
        tokens: Tokens that were embedded.
        cost: What that cost in US dollars; None where nobody knows.
        seconds: How long it took.
        failures: Documents that cannot be read: path -> why. Of those in ``kept`` an earlier version stays.
        kept: See ``failures``.
        held: Documents that vanished and stay, by the failed document of which they may be the last good version.
    """

    name: str
    folder: str
    generation: int
    published: bool
    counts: dict[str, int]
    tokens: int
    cost: float | None
    seconds: float
    failures: dict[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    held: dict[str, tuple[str, ...]] = field(default_factory=dict)
