"""Texts and pairs of texts as vectors: read once, embedded once, in portions that fit into memory."""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from llmkit.errors import ConfigError, MissingExtraError, Problem
from llmkit.metrics._base import NO_REFERENCE, MeanMetric, References
from llmkit.metrics._embedding_cache import EmbeddingCache
from llmkit.types import Output, Sample, Skipped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from llmkit.metrics._embedding_model import Reduce, Source, TokenModel, Tokens

EMPTY_REFERENCE = Skipped("empty reference")
IN_MEMORY = 256 << 20
"""Bytes of vectors that are worked on at once; a single pair may need more."""

WHOLE_SET = (1 << 31) - 1
"""A batch that no eval set fills: for metrics that weigh a word by how many of the texts have it."""

Pair: TypeAlias = tuple[str, str]
"""An output and one of its references."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """What a metric wants of a model: a name for the cache, how rows are made of states, and their width."""

    name: str
    reduce: Reduce
    states: bool = False
    per_dimension: int = 1


class EmbeddedTexts:
    """Reads texts with a model and gives their vectors, from the cache where it has them."""

    def __init__(self, source: Source, wanted: Vectors, cache: EmbeddingCache) -> None:
        from llmkit.metrics._embedding_model import load

        self.model: TokenModel = load(source)
        self._wanted = wanted
        self._cache = cache
        self._identity = ""

    def read(self, texts: Iterable[str], limit: int | None = None) -> dict[str, Tokens]:
        """Return the tokens of each different text."""
        different = list(dict.fromkeys(texts))
        return dict(zip(different, self.model.read(different, limit), strict=True))

    def vectors(self, texts: Mapping[str, Tokens]) -> dict[str, NDArray[Any]]:
        """Return the rows of each text, float32: of shape (tokens, d), or (1, d) where it is embedded as a whole."""
        by_ids: dict[tuple[int, ...], Tokens] = {tokens.ids: tokens for tokens in texts.values()}
        caching = self._cache.limit > 0
        keys = {ids: self._key(ids) for ids in by_ids} if caching else {}
        known = self._cache.get(keys.values()) if caching else {}
        rows = {ids: known[key] for ids, key in keys.items() if key in known}
        missing = [tokens for ids, tokens in by_ids.items() if ids not in rows]
        made = self.model.vectors(missing, self._wanted.reduce, states=self._wanted.states)
        rows |= {tokens.ids: vectors for tokens, vectors in zip(missing, made, strict=True)}
        if caching:
            self._cache.put({keys[tokens.ids]: rows[tokens.ids] for tokens in missing})
        return {text: rows[tokens.ids] for text, tokens in texts.items()}

    def portions(self, pairs: Sequence[Pair], tokens: Mapping[str, Tokens]) -> Iterator[list[Pair]]:
        """Yield the pairs in order, in portions whose texts' vectors fit into memory."""
        width = 4 * self.model.dimensions * self._wanted.per_dimension
        portion: list[Pair] = []
        held: set[str] = set()
        size = 0
        for pair in pairs:
            more = sum(len(tokens[text].ids) * width for text in set(pair) - held)
            if portion and size + more > IN_MEMORY:
                yield portion
                portion, held = [], set()
                size, more = 0, sum(len(tokens[text].ids) * width for text in set(pair))
            portion.append(pair)
            held.update(pair)
            size += more
        if portion:
            yield portion

    def _key(self, ids: tuple[int, ...]) -> bytes:
        if not self._identity:
            source = self.model.source
            parts = (self.model.fingerprint(), source.layer, source.precision, self._wanted.name)
            self._identity = "|".join(map(str, parts))
        return blake2b(array("i", ids).tobytes() + self._identity.encode(), digest_size=16).digest()


@dataclass(frozen=True)
class EmbeddingMetric(MeanMetric):
    """What metrics with a local model share: its arguments, batches, the signature."""

    model: str = ""
    folder: Path | None = None
    revision: str | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    device: str = dataclasses.field(default="auto", metadata={"identity": False})
    cache_mb: int = dataclasses.field(default=1024, metadata={"identity": False})

    needs = ("references",)
    extra: ClassVar[str] = ""
    packages: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    batch: ClassVar[int] = 2048

    def __post_init__(self) -> None:
        """Check what can be checked without loading anything, before answers are paid for."""
        missing = [package for package in self.packages if find_spec(package) is None]
        if missing:
            raise MissingExtraError(f"the metric '{self.extra_of}'", self.extra)
        problems = list(self.problems())
        if problems:
            raise ConfigError(problems=problems)

    @property
    def extra_of(self) -> str:
        """The metric's name, for the sentence that names its extra."""
        return type(self).__module__.rpartition(".")[2]

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the arguments."""
        if self.folder is not None and not (self.folder / "config.json").is_file():
            yield Problem(f"no model in {self.folder}: it has no config.json", key="folder")
        if self.folder is None and not self.model:
            yield Problem("name a model or a folder", hint="{folder: models/all-MiniLM-L6-v2}")
        if self.cache_mb < 0:
            yield Problem(f"cache_mb is {self.cache_mb}: it is at least 0, which keeps nothing", key="cache_mb")

    @property
    def named(self) -> str:
        """The model as transformers is to load it."""
        return self.model if self.folder is None else str(self.folder)

    @property
    def settings(self) -> dict[str, Any]:
        """What makes the number; a folder by its name and the beginning of its content's digest."""
        found = super().settings
        for name in ("folder", "device", "cache_mb"):
            del found[name]
        if self.folder is not None:
            from llmkit.metrics._embedding_model import folder_digest

            found["model"] = f"{self.folder.name}@{folder_digest(self.folder)[:8]}"
        return found

    @property
    def signature(self) -> str:
        """The settings, the implementation, and the version of the library that runs the model."""
        return f"{self.own_signature}|transformers-{version('transformers')}"

    @property
    def own_signature(self) -> str:
        """The settings and the implementation, which need no library."""
        return super().signature

    @property
    def _disk(self) -> EmbeddingCache:
        return EmbeddingCache(limit=self.cache_mb << 20)

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return the score of one output; many at once are far quicker."""
        (found,) = self.stats_many([(sample, output)])
        return found if isinstance(found, Skipped) else found[0]

    def stats_many(self, pairs: Sequence[tuple[Sample, Output]]) -> Sequence[tuple[float] | Skipped]:
        """Return the score of each output."""
        raise TypeError(f"{type(self).__name__} has no stats_many")


def combined(rule: References, found: Sequence[float | Skipped]) -> tuple[float] | Skipped:
    """Return one score of an output against several references; those that could not be compared are left out."""
    scores = [score for score in found if not isinstance(score, Skipped)]
    if not scores:
        return next((why for why in found if isinstance(why, Skipped)), EMPTY_REFERENCE)
    if rule == "mean":
        return (sum(scores) / len(scores),)
    return (max(scores) if rule == "max" else scores[0],)


def used_references(sample: Sample, rule: References, clean: Callable[[str], str] = str.strip) -> tuple[str, ...]:
    """Return the references that count under ``rule`` and are not blank."""
    chosen = sample.references[:1] if rule == "first" else sample.references
    return tuple([text for text in map(clean, chosen) if text])


def without_references(sample: Sample) -> Skipped:
    """Return why there is nothing to compare an output with."""
    return EMPTY_REFERENCE if sample.references else NO_REFERENCE
