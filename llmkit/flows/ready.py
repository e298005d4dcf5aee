"""What judges ask once before the rows, kept in files beside the config: reviewed, committed, never asked again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from llmkit.engine import Engine
from llmkit.errors import InfrastructureError, RequestError
from llmkit.flows.judging import Bench, Seat
from llmkit.flows.loop import run_loop
from llmkit.flows.open_engine import open_cache
from llmkit.flows.options import Options, Warned, cache_path, tell
from llmkit.flows.seating import seated
from llmkit.flows.setup import Setup
from llmkit.store import write_text


def unprepared(setup: Setup) -> list[Seat]:
    """Return the seats whose judge has something to ask before the rows."""
    return [one for seat in setup.seats for one in seat.unprepared()]


def ready(setup: Setup, options: Options) -> Setup:
    """Return the setup with every judge prepared; what was asked for that is in files, and said.

    Raises:
        InfrastructureError: a judge could not be prepared.
    """
    waiting = unprepared(setup)
    if not waiting:
        return setup
    files: dict[Path, str] = {}
    with open_cache(cache_path(setup, options)) as cache:
        engine = Engine(setup.settings, cache=cache, refresh=options.refresh, prices=setup.prices)
        run_loop(_prepare(Bench(setup.seats, engine), waiting, files))
    for file, text in files.items():
        write_text(file, text)
        tell(options, Warned(f"wrote {file}: read it, and commit it with the config"))
    return replace(setup, seats=seated(setup.config, []))


async def _prepare(bench: Bench, waiting: list[Seat], files: dict[Path, str]) -> None:
    try:
        every = await asyncio.gather(*(bench.prepare(seat) for seat in waiting), return_exceptions=True)
        for seat, found in zip(waiting, every, strict=True):
            if isinstance(found, RequestError):
                raise InfrastructureError(f"the judge '{seat.name}' could not be prepared: {found}") from found
            if isinstance(found, BaseException):
                raise found
            files.update({Path(file): text for file, text in found.items() if Path(file) not in files})
    finally:
        await bench.aclose()
