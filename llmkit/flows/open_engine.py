"""An engine with what it remembers by: the journal of its run and the response cache, opened and closed with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from llmkit.engine import Engine
from llmkit.flows.options import Asking, Options, Warned, cache_path, tell
from llmkit.store import Journal, ResponseCache


@contextmanager
def open_engine(setup: Asking, options: Options, journal: Path) -> Iterator[Engine]:
    """Yield the engine of a run; what went wrong with the cache is told at the end.

    Args:
        setup: What is to be asked for.
        options: How to run.
        journal: Where this run's answers are kept: they are never asked for again.
    """
    with ExitStack() as stack:
        kept = stack.enter_context(Journal(journal))
        memory = stack.enter_context(open_cache(cache_path(setup, options)))
        yield Engine(
            setup.settings,
            journal=kept,
            cache=memory,
            refresh=options.refresh,
            prices=setup.prices,
            seed=setup.config.seed,
            observe=options.observe,
        )
    for warning in () if memory is None else memory.warnings:
        tell(options, Warned(warning))


@contextmanager
def planning_engine(setup: Asking, options: Options) -> Iterator[Engine]:
    """Yield an engine that is only asked what it would do: no file comes to be by it."""
    path = cache_path(setup, options)
    with open_cache(path if path is not None and path.exists() else None) as memory:
        yield Engine(setup.settings, cache=memory, refresh=options.refresh, prices=setup.prices)


@contextmanager
def open_cache(path: Path | None) -> Iterator[ResponseCache | None]:
    """Yield the response cache that lies in a file; None where there is to be none."""
    if path is None:
        yield None
        return
    with ResponseCache(path) as cache:
        yield cache
