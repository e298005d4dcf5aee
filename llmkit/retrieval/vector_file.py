"""The append-only file of vectors: rows of float32, one behind the other; SQLite says how many of them count."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmkit.retrieval.failures import damaged, writing

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

WIDTH = 4


def vector_path(folder: Path, epoch: int) -> Path:
    """Return where the vectors of an epoch lie."""
    return folder / f"vectors-{epoch}.f32"


def append_rows(path: Path, vectors: NDArray[float32], at: int) -> list[int]:
    """Write rows behind the first ``at`` ones, have them on disk, and return the checksum of each.

    What stood behind the first ``at`` rows (the work of a process that was killed) is overwritten.

    Raises:
        InfrastructureError: the disk is full, or the file is shorter than ``at`` rows.
    """
    dimensions = vectors.shape[1]
    size = at * dimensions * WIDTH
    with writing(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            if os.fstat(descriptor).st_size < size:
                raise damaged(path, "it is shorter than the index says")
            os.ftruncate(descriptor, size)
            os.lseek(descriptor, size, os.SEEK_SET)
            view = vectors.reshape(-1).view("u1").data
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return checksums(vectors)


def checksums(vectors: Any) -> list[int]:
    """Return the CRC-32 of each row's bytes."""
    return [zlib.crc32(row.data) for row in vectors]


def open_rows(path: Path, rows: int, dimensions: int) -> NDArray[float32]:
    """Return the first ``rows`` rows as a read-only array of shape (rows, dimensions), mapped from the file.

    Raises:
        FileNotFoundError: the file has been replaced by that of another epoch.
        InfrastructureError: it is shorter than the index says.
    """
    import numpy as np

    if not rows:
        return np.empty((0, dimensions), dtype=np.float32)
    if path.stat().st_size < rows * dimensions * WIDTH:
        raise damaged(path, f"it is shorter than its {rows:,} vectors")
    return np.memmap(path, dtype="<f4", mode="r", shape=(rows, dimensions))


def whole_rows(path: Path, dimensions: int) -> int:
    """Return how many whole rows the file holds; 0 where there is none."""
    try:
        return path.stat().st_size // (dimensions * WIDTH)
    except FileNotFoundError:
        return 0
