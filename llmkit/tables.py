"""Tables that other programs wrote, as rows that JSON can hold: Parquet files, and sets of the ``datasets`` package."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmkit import jsonl
from llmkit.errors import DataError, InfrastructureError, Problem

_BATCH = 1024
_LARGEST = 1.7976931348623157e308


def parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a Parquet file with their numbers, counted from 1; a batch is in memory at a time.

    Raises:
        DataError: it cannot be read.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    jsonl.open_bytes(path).close()
    number = 0
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield number, json_value(row)
    except (ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(problems=[Problem(f"not a Parquet file that can be read: {reason}", file=str(path))]) from None


def open_set(
    place: str, *, config: str | None, split: str | None, revision: str | None, base: Path = Path(), stream: bool
) -> Any:
    """Return one split of a set: of the hub, a folder of data files, or a folder made by ``save_to_disk``.

    A hub set is fetched once into the package's cache and memory-mapped from there. Call it within `set_errors`.

    Args:
        place: A name on the hub, or a folder.
        config: Configuration of the set.
        split: Which split; None where it has one alone.
        revision: Commit, tag or branch of the hub.
        base: Where a folder's relative path starts.
        stream: Whether a folder of data files is read as it is asked for, and not first turned into Arrow files.

    Raises:
        DataError: it has no such split, or several and none is named.
    """
    import datasets

    folder = base / place
    if any((folder / name).is_file() for name in ("state.json", "dataset_dict.json")):
        found = datasets.load_from_disk(str(folder))
    elif folder.is_dir():
        found = datasets.load_dataset(str(folder), config, split=split, revision=revision, streaming=stream)
    else:
        found = datasets.load_dataset(place, config, split=split, revision=revision)
    if not isinstance(found, dict):
        return found
    wanted = split or (next(iter(found)) if len(found) == 1 else None)
    if wanted in found:
        return found[wanted]
    asked = f"has no split '{split}'" if split else "has several splits"
    known = ", ".join(sorted(found))
    raise DataError(problems=[Problem(f"the set {asked}", file=place, hint=f"its splits: {known}")])


@contextmanager
def set_errors(place: str, hint: str = "") -> Iterator[None]:
    """Turn what the ``datasets`` package raises into a sentence; it reads some files only as rows are asked for.

    Raises:
        InfrastructureError: the set could not be fetched.
        DataError: it could not be read.
    """
    # Both switches must be set before the package is imported: nothing is reported, stderr stays the command's own.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (ConnectionError, TimeoutError) as error:
        raise InfrastructureError(f"the set '{place}' could not be fetched: {_first_line(error)}") from error
    except (ValueError, OSError, RuntimeError, DatasetsError) as error:
        raise DataError(problems=[Problem(_first_line(error), file=place, hint=hint)]) from error


def json_value(value: Any) -> Any:
    """Return a value of a typed table as one JSON can hold: dates as ISO text, NaN as null, bytes as text."""
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    if isinstance(value, float):
        return value if abs(value) <= _LARGEST else None
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    return _odd_value(value)


def _odd_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if hasattr(value, "tolist"):
        return json_value(value.tolist())
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
