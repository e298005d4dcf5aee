"""Approximate search with ScaNN."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmkit.registry import vector_index
from llmkit.vectors._base import Searched

_FOLDER = "scann"
_LEAST = 1024  # vectors from which lists and codes are learnt; fewer are all looked at


@vector_index("scann")
@dataclass(frozen=True)
class Scann(Searched):
    """Lists and anisotropic quantisation of ScaNN; what it proposes is scored again with the vectors themselves.

    For Linux. Adding builds anew.

    Source: Guo et al. 2020, "Accelerating Large-Scale Inference with Anisotropic Vector Quantization"
    (arXiv 1908.10396).

    Attributes:
        refine: Candidates that are scored for each result wanted.
        lists: Lists; twice the square root of the number of vectors where absent.
        probes: Lists that a search looks into.
        threshold: How much more an error along a vector counts than one across it.
    """

    updatable: ClassVar[bool] = False
    packages: ClassVar[tuple[str, ...]] = ("scann",)
    extra: ClassVar[str] = "scann"

    refine: int = 8
    lists: int | None = None
    probes: int = 32
    threshold: float = 0.2

    def _build(self, vectors: Any) -> Any:
        import scann

        count = len(vectors)
        made = scann.scann_ops_pybind.builder(np.ascontiguousarray(vectors, np.float32), 10, "dot_product")
        if count < _LEAST:
            return made.score_brute_force().build()
        lists = self.lists or int(2 * count**0.5)
        made = made.tree(lists, min(self.probes, lists), training_sample_size=min(count, 250_000))
        return made.score_ah(2, anisotropic_quantization_threshold=self.threshold).build()

    def _near(self, queries: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        found, distances = self.native.search_batched(queries, final_num_neighbors=count)
        return np.where(np.isnan(distances), -1, found.astype(np.int64))

    def _save(self, folder: Path) -> None:
        (folder / _FOLDER).mkdir()
        self.native.serialize(str(folder / _FOLDER))

    def _load(self, folder: Path) -> Any:
        import scann

        try:
            return scann.scann_ops_pybind.load_searcher(str(folder / _FOLDER))
        except (RuntimeError, ValueError, OSError) as error:
            raise ValueError(f"{folder / _FOLDER} cannot be read: {error}") from error
