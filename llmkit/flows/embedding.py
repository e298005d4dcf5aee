"""Embedders at work: one that computes is used as it is, one that asks a server is driven by the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from llmkit import registry
from llmkit.engine import Engine, Lane, PriceBook, Settings
from llmkit.engine.events import Event
from llmkit.errors import ConfigError, InfrastructureError, Problem, RequestError
from llmkit.protocols import Embedder, Role
from llmkit.store import ResponseCache

T = TypeVar("T")


class Served:
    """An embedder that asks a server, as one that is simply called.

    The engine lives in a thread of its own, so that it can be called with or without an event loop running.

    Attributes:
        dimensions: How long a vector is; None until the first has been seen.
        fingerprint: The embedder's.
        max_tokens: The embedder's.
    """

    def __init__(self, embedder: Any, engine: Callable[[ResponseCache | None], Engine], **place: Path | None) -> None:
        provider, name = registry.build("providers", embedder.target, base=place.get("base"), key="embed")
        self._embedder = embedder
        self._provider = provider
        self._identity = str(getattr(provider, "identity", name))
        self.dimensions: int | None = embedder.dimensions
        self.fingerprint: str = embedder.fingerprint
        self.max_tokens: int | None = embedder.max_tokens
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedding")
        self._runner = asyncio.Runner()
        self._cache, self._engine, self._lane = self._do(lambda: self._open(engine, place.get("cache")))

    def _open(
        self, engine: Callable[[ResponseCache | None], Engine], path: Path | None
    ) -> tuple[ResponseCache | None, Engine, Lane]:
        cache = None if path is None else ResponseCache(path)
        made = engine(cache)
        return cache, made, made.lane(self._provider, self._identity)

    def _do(self, work: Callable[[], T]) -> T:
        """Return what ``work`` makes in the thread that owns the loop and the cache's connection."""
        return self._thread.submit(work).result()

    @property
    def cost(self) -> float:
        """US dollars paid so far."""
        return self._engine.usage.cost

    @property
    def tokens(self) -> int:
        """Tokens sent so far, as the server counted them."""
        return self._engine.usage.tokens_in

    def spans(self, texts: Sequence[str]) -> Sequence[Any]:
        """Return where tokens start and end."""
        found: Sequence[Any] = self._embedder.spans(texts)
        return found

    def embed(self, texts: Sequence[str], role: Role) -> Any:
        """Return an array of shape (len(texts), dimensions), float32.

        Raises:
            InfrastructureError: a request failed for good; what was answered is in the response cache.
        """
        found = self._do(lambda: self._runner.run(self._embed(texts, role)))
        self.dimensions = int(found.shape[1]) or self.dimensions
        return found

    def close(self) -> None:
        """Close the connections and the cache."""
        try:
            self._do(lambda: self._runner.run(self._provider.aclose()))
        finally:
            self._do(self._runner.close)
            if self._cache is not None:
                self._do(self._cache.close)
            self._thread.shutdown()

    async def _embed(self, texts: Sequence[str], role: Role) -> Any:
        try:
            return await self._engine.converse(self._lane, self._embedder.asks(texts, role))
        except RequestError as error:
            message = f"{self._embedder.model} could not embed {len(texts)} texts: {error}"
            raise InfrastructureError(message) from error


@contextmanager
def embedding(
    embedder: Any,
    *,
    base: Path | None = None,
    settings: Settings | None = None,
    cache: Path | None = None,
    prices: PriceBook | None = None,
    observe: Callable[[Event], None] | None = None,
) -> Iterator[Embedder]:
    """Yield an embedder that can be called, whatever kind it is.

    Args:
        embedder: A plug-in of the kind ``embedders``.
        base: Folder that paths in its target are relative to.
        settings: Limits of the engine.
        cache: File of the response cache; None for none.
        prices: Prices of models; the packaged ones by default.
        observe: Called with each event of the engine.

    Raises:
        ConfigError: the embedder neither embeds nor asks, or its target is wrong.
    """
    if not hasattr(embedder, "asks"):
        if not hasattr(embedder, "embed"):
            message = f"the embedder '{type(embedder).__name__}' has neither embed() nor asks()"
            raise ConfigError(problems=[Problem(message, key="embed")])
        yield embedder
        return
    served = Served(
        embedder,
        lambda memory: Engine(settings, cache=memory, prices=prices, observe=observe),
        base=base,
        cache=cache,
    )
    try:
        yield served
    finally:
        served.close()
