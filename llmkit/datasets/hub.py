"""Sets that the ``datasets`` package reads: a name on the Hugging Face hub, a folder of files, a set saved to disk.

A hub set is fetched once into that package's cache and memory-mapped from there, because an eval reads its set
more than once; a local folder streams. Nothing is sent beyond the download itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from llmkit.datasets.readers import Numbered
from llmkit.tables import json_value, open_set, set_errors


def hub_rows(
    name: str, *, base: Path, config: str | None, split: str | None, revision: str | None
) -> Callable[[], Iterator[Numbered]]:
    """Return a function that starts a new reading of the set; the set is opened at the first."""
    loaded: list[Any] = []

    def rows() -> Iterator[Numbered]:
        with set_errors(name, _HINT):
            if not loaded:
                opened = open_set(name, config=config, split=split, revision=revision, base=base, stream=True)
                loaded.append(opened)
            left = iter(loaded[0])
        for number in count(1):
            with set_errors(name, _HINT):
                row = next(left, None)
            if row is None:
                return
            yield number, json_value(row)

    return rows


_HINT = "hf takes a hub name, a folder of data files or a folder made by save_to_disk; name, split and revision pick"
