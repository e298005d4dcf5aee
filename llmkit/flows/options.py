"""How to run, as opposed to what to measure, and what an observer is told besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from llmkit.engine import Event, PriceBook, Settings


@dataclass(frozen=True, slots=True)
class Started(Event):
    """A run folder was opened, new or resumed."""

    path: Path
    resumed: bool
    total: int


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """Something went wrong that does not touch the results."""

    message: str


@dataclass(frozen=True, slots=True)
class Options:
    """How to run, as opposed to what to measure; nothing here changes a score.

    Attributes:
        out: An exact run folder; None makes one under the config's ``out``.
        overwrite: Replace whatever run lies in ``out``.
        outputs: An earlier run whose answers are scored again; the target is not asked.
        cache: Whether the response cache is used at all.
        refresh: Ask anew and put the answers into the cache.
        observe: Called with every event; quick, never raises.
        baseline: An earlier run (its folder, an eval's name) or a baseline file; the new run is compared with it.
        intersection: Compare what both have in common where their conditions differ.
        catch_signals: Turn Ctrl-C and SIGTERM into a clean stop (only from the main thread).
    """

    out: Path | None = None
    overwrite: bool = False
    outputs: Path | None = None
    cache: bool = True
    refresh: bool = False
    observe: Callable[[Event], None] | None = None
    catch_signals: bool = False
    baseline: Path | str | None = None
    intersection: bool = False


def tell(options: Options, event: Event) -> None:
    """Tell the observer, where there is one."""
    if options.observe is not None:
        options.observe(event)


class Asking(Protocol):
    """What is ready to be asked for: an evaluation or an audit."""

    @property
    def config(self) -> Any:
        """Its config, with ``engine``, ``seed`` and where its paths start."""

    @property
    def settings(self) -> Settings:
        """The engine's limits."""

    @property
    def prices(self) -> PriceBook:
        """What models cost."""

    @property
    def providers(self) -> Sequence[Any]:
        """Everyone who is asked."""


def cache_path(setup: Asking, options: Options) -> Path | None:
    """Return where the response cache is, or None where the user, the config or those who are asked want none."""
    if not options.cache or not any(getattr(one, "cacheable", False) for one in setup.providers):
        return None
    found: Path | None = setup.config.engine.cache_file(setup.config.base)
    return found
