"""Sets that the ``datasets`` package reads: a name on the Hugging Face hub, a folder of files, a set saved to disk.

A hub set is fetched once into that package's cache and memory-mapped from there, because an eval reads its set
more than once; a local folder streams. Nothing is sent beyond the download itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from llmkit.datasets.readers import Numbered, json_value
from llmkit.errors import DataError, InfrastructureError, Problem


def hub_rows(
    name: str, *, base: Path, config: str | None, split: str | None, revision: str | None
) -> Callable[[], Iterator[Numbered]]:
    """Return a function that starts a new reading of the set; the set is opened at the first."""
    loaded: list[Any] = []

    def rows() -> Iterator[Numbered]:
        with _told(name):
            if not loaded:
                loaded.append(_load(name, base=base, config=config, split=split, revision=revision))
            opened = iter(loaded[0])
        for number in count(1):
            with _told(name):
                row = next(opened, None)
            if row is None:
                return
            yield number, json_value(row)

    return rows


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what the package raises into a sentence: it reads a folder's files only as their rows are asked for."""
    # Both switches must be set before the package is imported: nothing is reported, stderr stays the command's own.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (ConnectionError, TimeoutError) as error:
        raise InfrastructureError(f"the set '{name}' could not be fetched: {_first_line(error)}") from error
    except (ValueError, OSError, RuntimeError, DatasetsError) as error:
        raise DataError(problems=[Problem(_first_line(error), file=name, hint=_HINT)]) from error


def _load(name: str, *, base: Path, config: str | None, split: str | None, revision: str | None) -> Any:
    import datasets

    folder = base / name
    if _saved(folder):
        opened = datasets.load_from_disk(str(folder))
    elif folder.is_dir():
        opened = datasets.load_dataset(str(folder), config, split=split, streaming=True)
    else:
        opened = datasets.load_dataset(name, config, split=split, revision=revision)
    return _one_split(opened, name, split)


_HINT = "hf takes a hub name, a folder of data files or a folder made by save_to_disk; name, split and revision pick"


def _saved(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("state.json", "dataset_dict.json"))


def _one_split(opened: Any, name: str, split: str | None) -> Any:
    if not isinstance(opened, dict):
        return opened
    if split in opened:
        return opened[split]
    if split is None and len(opened) == 1:
        return next(iter(opened.values()))
    known = ", ".join(sorted(opened))
    asked = f"has no split '{split}'" if split else "has several splits"
    raise DataError(problems=[Problem(f"the set {asked}", file=name, hint=f"its splits: {known}")])


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
