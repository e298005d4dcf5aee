"""Every back-end in many settings over the same vectors: what it finds of what is nearest, how quickly, for what."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llmkit import registry
from llmkit.errors import ConfigError, LlmkitError, MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

K: Final = 10
SHARES: Final = (0.01, 0.1, 0.5)
"""Shares of the vectors that filters let through."""

_ADDED: Final = 1000

Trial = tuple[str, dict[str, Sequence[Any]]]

TRIALS: Final[Sequence[Trial]] = (
    ("exact", {}),
    ("faiss(kind='sq8')", {}),
    ("faiss(kind='ivfpq')", {"probes": (8, 32, 128)}),
    ("faiss(kind='hnsw')", {"effort": (32, 96, 256)}),
    ("faiss(kind='hnsw_sq8')", {"effort": (32, 96, 256)}),
    ("faiss(kind='lsh')", {"refine": (4, 16)}),
    ("usearch", {"effort": (32, 96, 256)}),
    ("hnswlib", {"effort": (32, 96, 256)}),
    ("scann", {"probes": (8, 32, 128)}),
)
"""What is tried: a back-end, built once, and the settings that it is searched with."""


@dataclass(frozen=True, slots=True)
class Point:
    """A back-end with one setting.

    Attributes:
        spec: How it is written in a config.
        recall: Share of the nearest `K` that it finds, over the questions that are reported.
        chosen_recall: The same over the questions that the choice is made by.
        p50: Milliseconds of a search, the median; one thread asks, one question at a time.
        p99: Milliseconds that 99 of 100 searches stay below.
        build: CPU seconds to build it.
        size: Bytes on disk beside the vectors.
        adding: CPU seconds to add 1,000 vectors; None where it is built anew.
        filtered: Recall under filters, by the share of vectors that they let through.
        ndcg: Mean nDCG@10 over the judged questions; None without judgments.
    """

    spec: str
    recall: float
    chosen_recall: float
    p50: float
    p99: float
    build: float
    size: int
    adding: float | None
    filtered: dict[str, float] = field(default_factory=dict)
    ndcg: float | None = None


@dataclass(frozen=True)
class Ground:
    """What back-ends are held to.

    Attributes:
        vectors: Shape (n, d), float32.
        rows: What each is known by.
        queries: Shape (q, d); the first half chooses, the second is reported.
        judge: The mean nDCG of what was found for the queries; None without judgments.
    """

    vectors: Any
    rows: Any
    queries: Any
    judge: Callable[[Any], float] | None = None

    @property
    def half(self) -> int:
        """How many queries choose."""
        return len(self.queries) // 2


def sweep(
    ground: Ground, trials: Sequence[Trial] = TRIALS, tell: Callable[[str], None] | None = None
) -> tuple[list[Point], dict[str, str]]:
    """Return a point for each back-end and setting, and the back-ends that could not be tried with the reason."""
    points: list[Point] = []
    left_out: dict[str, str] = {}
    wanted = _Truth(ground)
    for spec, settings in trials:
        if tell is not None:
            tell(spec)
        try:
            points += _tried(ground, wanted, spec, settings)
        except MissingExtraError as error:
            left_out[spec] = f"pip install 'llmkit[{error.extra}]'"
        except ConfigError:
            raise
        except (LlmkitError, ValueError, RuntimeError) as error:
            left_out[spec] = (str(error).strip() or type(error).__name__).splitlines()[0]
    return points, left_out


class _Truth:
    """What is nearest to each query, of all vectors and under each filter."""

    def __init__(self, ground: Ground) -> None:
        import numpy as np

        exact = registry.build("vectors", "exact").plugin
        exact.build(ground.vectors, ground.rows)
        self.every = exact.search(ground.queries, K)[1]
        draw = np.random.default_rng(0)
        self.filters: dict[float, NDArray[Any]] = {}
        self.passing: dict[float, NDArray[Any]] = {}
        for share in SHARES:
            count = max(1, round(len(ground.rows) * share))
            self.filters[share] = np.sort(draw.choice(ground.rows, count, replace=False))
            self.passing[share] = exact.search(ground.queries, K, self.filters[share])[1]


def _tried(ground: Ground, wanted: _Truth, spec: str, settings: dict[str, Sequence[Any]]) -> list[Point]:
    built = registry.build("vectors", spec).plugin
    began = time.process_time()
    built.build(ground.vectors, ground.rows)
    build = time.process_time() - began
    with tempfile.TemporaryDirectory() as name:
        built.save(Path(name))
        size = sum(path.stat().st_size for path in Path(name).rglob("*") if path.is_file())
    points = [
        _measured(ground, wanted, one, _spec_of(spec, changes), build, size)
        for one, changes in _settings(built, settings)
    ]
    adding = None
    if built.updatable and len(ground.rows) > _ADDED:
        began = time.process_time()
        built.add(ground.vectors[:_ADDED], ground.rows[:_ADDED] + int(ground.rows[-1]) + 1)
        adding = time.process_time() - began
    return [dataclasses.replace(point, adding=adding) for point in points]


def _settings(built: Any, settings: dict[str, Sequence[Any]]) -> list[tuple[Any, dict[str, Any]]]:
    """Return the back-end with each setting, all over what was built once."""
    found: list[tuple[Any, dict[str, Any]]] = []
    for name, values in settings.items():
        for value in values:
            other = dataclasses.replace(built, **{name: value})
            object.__setattr__(other, "_held", built._held)  # noqa: SLF001 - the same index, searched otherwise
            found.append((other, {name: value}))
    return found or [(built, {})]


def _spec_of(spec: str, changes: dict[str, Any]) -> str:
    from llmkit import spec as specs

    parsed = specs.parse(spec)
    return registry.canonical("vectors", specs.Spec(parsed.name, {**parsed.args, **changes}))


def _measured(  # noqa: PLR0917 - what was built, and what it is held to
    ground: Ground, wanted: _Truth, index: Any, spec: str, build: float, size: int
) -> Point:
    import numpy as np

    index.search(ground.queries[:1], K)
    seconds, rows = [], []
    for query in ground.queries:
        began = time.perf_counter()
        rows.append(index.search(query[None], K)[1][0])
        seconds.append(time.perf_counter() - began)
    found = np.array(rows)
    recalls = _recalls(found, wanted.every)
    filtered = {
        f"{share:.0%}": float(np.mean(_recalls(index.search(ground.queries, K, wanted.filters[share])[1], right)))
        for share, right in wanted.passing.items()
    }
    return Point(
        spec=spec,
        recall=float(np.mean(recalls[ground.half :])),
        chosen_recall=float(np.mean(recalls[: ground.half])),
        p50=float(np.median(seconds)) * 1000,
        p99=float(np.quantile(seconds, 0.99)) * 1000,
        build=build,
        size=size,
        adding=None,
        filtered=filtered,
        ndcg=None if ground.judge is None else ground.judge(found),
    )


def _recalls(found: Any, wanted: Any) -> list[float]:
    """Return for each query the share of what is nearest that was found."""
    pairs = [({*own.tolist()} - {-1}, {*right.tolist()} - {-1}) for own, right in zip(found, wanted, strict=True)]
    return [len(own & right) / len(right) if right else 1.0 for own, right in pairs]
