"""Opening an index to search it: which folder, which embedder, which settings, which models may be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from llmkit import registry
from llmkit.config.engine_config import CACHE_PATH
from llmkit.config.problems import retrieve_problems
from llmkit.config.retrieve import RetrieveConfig
from llmkit.errors import ConfigError, Problem
from llmkit.flows.index.named import find_index
from llmkit.flows.legs import Legs, embedder_of
from llmkit.flows.routed import Asked, held
from llmkit.flows.search import EMBED, RERANK, TRANSFORM, Found, Searcher, mode_of
from llmkit.retrieval.filters import all_of
from llmkit.retrieval.index import Index

if TYPE_CHECKING:
    from llmkit.config.index_config import IndexConfig

_PARTS = {"boost", "expand", "rerank", "transform"}


@dataclass
class Opened:
    """An index that is ready to be searched; a context manager.

    Attributes:
        index: The index.
        searcher: What searches it.
        models: Whom a search may ask, by the names that requests are addressed to.
        embedder: Who embeds questions; None where no leg needs one.
    """

    index: Index
    searcher: Searcher
    models: Mapping[str, Asked] = field(default_factory=dict)
    embedder: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.index.close()

    def search(self, query: str, *, cache: Path | None = CACHE_PATH) -> Found:
        """Return what is found for a question; models are asked where the settings want it.

        Raises:
            InfrastructureError: a model could not be asked.
        """
        return held(self.searcher.find(query), self.models, cache=cache if self.models else None)

    @property
    def way(self) -> str:
        """How is searched, whatever the number of passages and the filter: a digest of mode and settings."""
        from llmkit.hashing import digest

        left_out = {"mode", "k", "candidates", "filter"}
        settings = self.searcher.settings.model_dump(mode="json", exclude=left_out)
        return digest([self.searcher.mode, settings], 8)

    @property
    def identity(self) -> str:
        """What makes a search find what it does: the index's generation and content, and the settings."""
        from llmkit.hashing import digest

        meta = self.index.meta
        parts = [meta.name, meta.generation, meta.built, meta.chunk_fingerprint, meta.embed_fingerprint]
        return digest([*parts, self.searcher.settings.model_dump(mode="json")], 8)


def open_to_search(
    named: Path | str,
    settings: Mapping[str, Any] | None = None,
    *,
    base: Path | None = None,
    today: date | None = None,
    embedder: Any = None,
) -> Opened:
    """Open an index and make ready what its settings ask for.

    Args:
        named: The index's folder, the config that builds it, or its name.
        settings: Keys of ``retrieve`` that replace the index's own.
        base: Where relative paths of ``settings`` start; the working directory without.
        today: From which day age is counted.
        embedder: Who embeds questions; without, the one that the index's config names.

    Raises:
        UsageError: there is no such index, or the settings do not fit it; every problem of the settings at once.
        InfrastructureError: it is damaged.
    """
    with ExitStack() as stack:
        folder, config = find_index(named)
        index = stack.enter_context(Index.open(folder))
        chosen = retrieve_settings(index.meta.config.get("retrieve"), settings)
        home = Path(index.meta.source).parent if index.meta.source else Path()
        legs = Legs(index)
        mode = mode_of(chosen, legs)
        wants = mode == "dense" or (mode == "hybrid" and (not chosen.weights or chosen.weights.get("dense", 0.0) > 0))
        if wants:
            legs = Legs(index, embedder if embedder is not None else _embedder(config, index, home))
        searcher = Searcher(legs, chosen, today=today)
        models = _models(chosen, legs.embedder, base or Path(), home)
        stack.pop_all()
        return Opened(index, searcher, models, legs.embedder)


def _embedder(config: IndexConfig | None, index: Index, home: Path) -> Any:
    """Return who embeds questions: whom a named config says now, which may be another one, else the index's own."""
    if config is not None and config.embed is not None:
        return embedder_of(config.embed, config.base)
    registry.load_plugins([home / Path(file).expanduser() for file in index.meta.config.get("plugins", ())])
    return embedder_of(index.meta.config.get("embed"), home)


def retrieve_settings(kept: Mapping[str, Any] | None, settings: Mapping[str, Any] | None) -> RetrieveConfig:
    """Return the settings of a search: what the index keeps, and what replaces it.

    A part such as ``boost`` is replaced key by key, unless it asks for another method (``by``); ``weights`` and
    ``filter`` are replaced as a whole, unless a key of theirs was named alone (`search_overrides`).

    Raises:
        ConfigError: every problem.
    """
    merged = _merged(kept or {}, settings or {})
    if "k" in (settings or {}) and "candidates" not in (settings or {}):
        k, candidates = merged["k"], merged.get("candidates", 100)
        if isinstance(k, int) and isinstance(candidates, int):
            merged["candidates"] = max(k, candidates)
    if "mode" in (settings or {}) and merged["mode"] not in {"auto", "hybrid"} and "weights" not in (settings or {}):
        merged.pop("weights", None)
    chosen, problems = retrieve_problems(merged)
    if chosen is None:
        raise ConfigError(problems=problems)
    return chosen


def _merged(kept: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(kept)
    for name, value in settings.items():
        before = merged.get(name)
        named = isinstance(value, _Named)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            same = name in _PARTS and value.get("by", before.get("by")) == before.get("by")
            merged[name] = _merged(before, value) if named else {**before, **value} if same else value
        else:
            merged[name] = dict(value) if named else value
    return merged


class _Named(dict[str, Any]):
    """Keys of a mapping that were named one by one; what was not named stays."""


def _models(settings: RetrieveConfig, embedder: Any, base: Path, home: Path) -> dict[str, Asked]:
    wanted: dict[str, tuple[Any, Path, str]] = {}
    if settings.transform is not None:
        wanted[TRANSFORM] = (settings.transform.model, base, "retrieve.transform.model")
    if settings.rerank is not None and settings.rerank.by == "llm":
        wanted[RERANK] = (settings.rerank.model, base, "retrieve.rerank.model")
    if hasattr(embedder, "asks"):
        wanted[EMBED] = (embedder.target, home, "embed")
    return {name: asked_model(*one) for name, one in wanted.items()}


def asked_model(spec: Any, base: Path, key: str) -> Asked:
    """Return the provider of a spec, checked, with its identity.

    Raises:
        ConfigError: it cannot be built or asked.
    """
    built = registry.build("providers", spec, base=base, key=key)
    check = getattr(built.plugin, "check", None)
    if check is not None:
        try:
            check()
        except ConfigError as error:
            problems = error.problems or (Problem(str(error)),)
            raise ConfigError(problems=[replace(one, key=one.key or key) for one in problems]) from error
    return Asked(built.plugin, str(getattr(built.plugin, "identity", built.name)))


def search_settings(
    written: Sequence[str] | None,
    *,
    where: Sequence[str] | None = None,
    k: int | None = None,
    mode: str | None = None,
) -> dict[str, Any]:
    """Return what a command line says of a search as keys of ``retrieve``; options of their own win over ``--set``.

    Args:
        written: As `search_overrides` takes them.
        where: Filters, all of which hold.
        k: How many passages.
        mode: Which legs search.

    Raises:
        ConfigError: as `search_overrides`.
    """
    chosen = {"filter": all_of(where), "k": k, "mode": mode}
    return search_overrides(written or ()) | {key: value for key, value in chosen.items() if value is not None}


def search_overrides(written: Sequence[str]) -> dict[str, Any]:
    """Return ``key.path=value`` texts as keys of ``retrieve``; values are YAML.

    Raises:
        ConfigError: a text is no such pair.
    """
    import yaml

    found: dict[str, Any] = {}
    for text in written:
        path, sign, value = text.partition("=")
        steps = path.strip().removeprefix("retrieve.").split(".")
        if not sign or not all(steps):
            raise ConfigError(problems=[Problem(f"'{text}' is no KEY=VALUE", hint="write --set diversity=0.7")])
        here = found
        for step in steps[:-1]:
            here = here.setdefault(step, _Named())
            if not isinstance(here, dict):
                raise ConfigError(problems=[Problem(f"'{text}' goes into a value that is no mapping")])
        try:
            here[steps[-1]] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(problems=[Problem(f"the value of '{text}' is no YAML")]) from None
    return found
