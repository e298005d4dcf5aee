"""The rows of a run: those that were checked before it began, and no others."""

from __future__ import annotations

from collections.abc import Iterator

from llmkit.errors import DataError
from llmkit.flows.setup import Setup
from llmkit.types import Sample


def checked_rows(setup: Setup) -> Iterator[Sample]:
    """Yield the samples of the eval set, each with its reworded versions right after it.

    Raises:
        DataError: there are more or fewer than when the set was checked: its file was written to meanwhile.
    """
    wanted, count = setup.census.rows, 0
    for sample in setup.dataset:
        count += 1
        if count > wanted:
            raise _changed(setup, f"more than {wanted:,}")
        yield sample
        yield from setup.variants.of(sample)
    if count < wanted:
        raise _changed(setup, f"{count:,}")


def _changed(setup: Setup, now: str) -> DataError:
    return DataError(
        f"{setup.census.source} changed while the run read it: it had {setup.census.rows:,} rows and now has {now}. "
        "What was answered is kept; run the same command again when nobody writes to it."
    )
