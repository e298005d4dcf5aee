"""Exact search with NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from llmkit.registry import vector_index
from llmkit.vectors._base import Searched


@vector_index("exact")
@dataclass(frozen=True)
class Exact(Searched):
    """Scores every vector: nothing to build, nothing to tune, nothing missed.

    One matrix product, block by block over the memory-mapped vectors. A filter comes first: only what it lets through
    is scored, so a search among 1 % of the vectors takes about 1 % of the time.

    Use it up to some hundred thousand vectors: 50,000 of 384 numbers take about 3 ms a query on one core.
    """

    exact: ClassVar[bool] = True

    def load(self, folder: Path, vectors: Any, rows: Any) -> None:
        """Take the vectors; there is nothing else."""
        self.build(vectors, rows)

    def save(self, folder: Path) -> None:
        """Write nothing."""
