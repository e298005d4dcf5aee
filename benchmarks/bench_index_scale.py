"""A million vectors: build an index of them, change a document, search, all within 4 GB of memory.

The documents and vectors are synthetic and take next to no time to make; what is measured is everything else: chunks
into SQLite and its lexical index, vectors into the file and their keys into the table, publishing, opening, and exact
search over the memory-mapped file.

    python benchmarks/bench_index_scale.py [--quick] [--chunks N] [--dimensions D]

Target: below 4 GB of memory for 1,000,000 x 384, mapped files included.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from llmkit import registry
from llmkit.document import Chunk, Document
from llmkit.documents.found import Found
from llmkit.flows.index.build import build_index
from llmkit.flows.index.options import BuildOptions
from llmkit.flows.index.parts import Parts
from llmkit.retrieval.index import Index

PER_DOCUMENT = 100
WORDS = [f"word{number}" for number in range(5000)]
LIMIT_GB = 4.0


@dataclass(frozen=True)
class Synthetic:
    """Documents of a hundred lines; ``edited`` has another first line."""

    documents: int
    edited: int = -1
    fingerprint: str = "synthetic-1"

    def scan(self) -> Iterator[Found]:
        for number in range(self.documents):
            mark = f"{number}{'!' if number == self.edited else ''}"
            yield Found(f"{number:07}.txt", 1, 0, hash=mark)

    def digest(self, found: Found) -> str:
        return found.hash

    def load(self, found: Found) -> Document:
        number = int(found.path[:7])
        draw = random.Random(number)
        lines = [f"{number}-{line} {' '.join(draw.choices(WORDS, k=12))}" for line in range(PER_DOCUMENT)]
        if number == self.edited:
            lines[0] += " edited"
        return Document(found.path, "\n".join(lines))


@dataclass(frozen=True)
class Lines:
    """A chunk a line."""

    version: ClassVar[int] = 1

    def cut(self, document: Document, tokenizer: Any) -> list[Chunk]:
        return [Chunk(line.start(), line.end()) for line in re.finditer(r"[^\n]+", document.text)]


@dataclass(frozen=True)
class Drawn:
    """Vectors drawn by the first text of a piece."""

    dimensions: int
    max_tokens: int | None = None
    fingerprint: str = "drawn-1"

    def spans(self, texts: Sequence[str]) -> list[range]:
        return [range(13)] * len(texts)

    def embed(self, texts: Sequence[str], role: str) -> Any:
        draw = np.random.default_rng(abs(hash(texts[0])))
        vectors = draw.standard_normal((len(texts), self.dimensions), dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def parts_of(folder: Path, source: Synthetic, dimensions: int) -> Parts:
    embedder: Any = Drawn(dimensions)
    plain = {"title_prefix": False}
    return Parts("scale", folder, source, Lines(), embedder, embedder, vector="exact", title_prefix=False, config=plain)


def resident_gb() -> float:
    """Return the most memory that this process has had, mapped files included."""
    text = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) / 1e6


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="20,000 vectors")
    arguments.add_argument("--chunks", type=int, default=1_000_000)
    arguments.add_argument("--dimensions", type=int, default=384)
    arguments.add_argument("--queries", type=int, default=20)
    given = arguments.parse_args()
    documents = (20_000 if given.quick else given.chunks) // PER_DOCUMENT
    print("| step | CPU s | wall s | peak GB |\n|---|---:|---:|---:|")

    def timed(what: str, began: tuple[float, float]) -> None:
        cpu, wall = time.process_time() - began[0], time.monotonic() - began[1]
        print(f"| {what} | {cpu:.2f} | {wall:.2f} | {resident_gb():.2f} |", flush=True)

    def now() -> tuple[float, float]:
        return time.process_time(), time.monotonic()

    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "index"
        began = now()
        built = build_index(parts_of(folder, Synthetic(documents), given.dimensions), BuildOptions(processes=1))
        timed("build", began)
        assert built.counts["embedded"] == built.counts["chunks"] == documents * PER_DOCUMENT
        began = now()
        same = build_index(parts_of(folder, Synthetic(documents), given.dimensions), BuildOptions(processes=1))
        timed("unchanged", began)
        assert not same.published
        began = now()
        edited = build_index(parts_of(folder, Synthetic(documents, 7), given.dimensions), BuildOptions(processes=1))
        timed("one line edited", began)
        assert edited.counts["embedded"] == 1
        began = now()
        with Index.open(folder) as index:
            vectors, places = index.vectors()
            timed("open", began)
            exact = registry.build("vectors", "exact").plugin
            exact.build(vectors, np.arange(len(vectors)))
            draw = np.random.default_rng(0)
            numbers = draw.choice(index.numbers(), given.queries, replace=False)
            took = []
            for number in numbers:
                row = int(places[number])
                begin = time.monotonic()
                _, found = exact.search(np.asarray(vectors[row : row + 1]), 10)
                took.append(time.monotonic() - begin)
                assert found[0, 0] == row
            timed(f"exact search, p50 {np.median(took) * 1000:.1f} ms", began)
            took = []
            began = now()
            for number in numbers:
                chunk = index.chunks([number])[0]
                begin = time.monotonic()
                found = index.lexical(" ".join(chunk.text.split()[:3]), 10)
                took.append(time.monotonic() - begin)
                assert number in [hit for hit, _ in found]
            timed(f"lexical search, p50 {np.median(took) * 1000:.1f} ms", began)
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(f"\n{size / built.counts['chunks']:,.0f} bytes a chunk, {given.dimensions * 4:,} of them its vector")
    peak = resident_gb()
    print(f"peak {peak:.2f} GB, target {LIMIT_GB:.0f} GB: {'met' if peak < LIMIT_GB else 'missed'}")
    return int(peak >= LIMIT_GB)


if __name__ == "__main__":
    raise SystemExit(main())
