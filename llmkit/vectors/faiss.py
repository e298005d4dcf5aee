"""Approximate search with FAISS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from llmkit.registry import vector_index
from llmkit.vectors._base import Searched, portions

_FILE = "index.faiss"
_TRAINED_ON = 100_000
_A_LIST = 40  # vectors that the centre of a list is learnt from
_A_CODE = 40 * 16  # vectors that the codes of product quantisation are learnt from


@vector_index("faiss")
@dataclass(frozen=True)
class Faiss(Searched):
    """FAISS in one of its forms; what it proposes is scored again with the vectors themselves.

    - ``hnsw``: a graph; quick and near to exact, as large in memory as the vectors and more.
    - ``hnsw_sq8``: the same over 8-bit numbers, a quarter of the memory.
    - ``ivfpq``: inverted lists with 4-bit product quantisation and FastScan; an eighth of the vectors' size or less.
    - ``sq8``: every vector, in 8-bit numbers with a range for each dimension. ``sq8_uniform`` has one range for all
      dimensions, and costs quality: it is there to be compared with.
    - ``lsh``: every vector, by the signs of random projections; a baseline.
    - ``flat``: every vector.

    Use it above some hundred thousand vectors, tuned by `llmkit index tune` on real questions.

    Source: Douze et al. 2024, "The Faiss library" (arXiv 2401.08281).

    Attributes:
        kind: The form.
        refine: Candidates that are scored for each result wanted.
        links: Links of a node of the graph (HNSW's M).
        build_effort: Candidates while the graph is built (efConstruction).
        effort: Candidates while it is searched (efSearch), at least as many as are wanted.
        lists: Inverted lists; four times the square root of the number of vectors where absent.
        probes: Lists that a search looks into.
        bits: Bits of a vector for ``lsh``; twice its dimensions where absent.
    """

    packages: ClassVar[tuple[str, ...]] = ("faiss",)
    extra: ClassVar[str] = "ann"

    kind: Literal["hnsw", "hnsw_sq8", "ivfpq", "sq8", "sq8_uniform", "lsh", "flat"] = "hnsw"
    refine: int = 4
    links: int = 32
    build_effort: int = 80
    effort: int = 96
    lists: int | None = None
    probes: int = 32
    bits: int | None = None

    def _build(self, vectors: Any) -> Any:
        index = self._empty(*vectors.shape)
        if not index.is_trained:
            step = max(1, len(vectors) // _TRAINED_ON)
            index.train(np.ascontiguousarray(vectors[::step], np.float32))
        for _, part in portions(vectors):
            index.add(part)
        return index

    def _empty(self, count: int, width: int) -> Any:
        import faiss

        inner = faiss.METRIC_INNER_PRODUCT
        if self.kind == "lsh":
            return faiss.IndexLSH(width, self.bits or 2 * width)
        if self.kind in {"sq8", "sq8_uniform"}:
            forms = faiss.ScalarQuantizer
            form = forms.QT_8bit if self.kind == "sq8" else forms.QT_8bit_uniform
            return faiss.IndexScalarQuantizer(width, form, inner)
        index: Any
        if self.kind == "hnsw":
            index = faiss.IndexHNSWFlat(width, self.links, inner)
        elif self.kind == "hnsw_sq8":
            index = faiss.index_factory(width, f"HNSW{self.links},SQ8", inner)
        elif self.kind == "ivfpq" and count >= _A_CODE and width % 2 == 0:
            lists = min(self.lists or int(4 * count**0.5), count // _A_LIST)
            return faiss.index_factory(width, f"IVF{max(1, lists)},PQ{width // 2}x4fs", inner)
        else:
            return faiss.IndexFlatIP(width)
        index.hnsw.efConstruction = self.build_effort
        return index

    def _add(self, vectors: NDArray[np.float32], start: int) -> Any:
        self.native.add(np.ascontiguousarray(vectors))
        return self.native

    def _near(self, queries: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        index = self.native
        if hasattr(index, "nprobe"):
            index.nprobe = self.probes
        if hasattr(index, "hnsw"):
            index.hnsw.efSearch = max(self.effort, count)
        return np.asarray(index.search(np.ascontiguousarray(queries), count)[1], np.int64)

    def _save(self, folder: Path) -> None:
        import faiss

        faiss.write_index(self.native, str(folder / _FILE))

    def _load(self, folder: Path) -> Any:
        import faiss

        try:
            return faiss.read_index(str(folder / _FILE))
        except RuntimeError as error:
            raise ValueError(f"{folder / _FILE} cannot be read: {str(error).splitlines()[0]}") from error
