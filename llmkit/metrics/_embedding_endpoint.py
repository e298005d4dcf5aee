"""Embeddings from an OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from llmkit.errors import InfrastructureError, RequestError
from llmkit.metrics._embedding_cache import EmbeddingCache
from llmkit.metrics._waiting_client import WaitingClient, address
from llmkit.model_server import key_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

AT_ONCE = 64
"""Texts in one request."""

_TIMEOUT = 120.0


@dataclass(frozen=True)
class Endpoint:
    """A server's address (up to ``/v1``), the model's name there, and the variable that holds the key."""

    base_url: str
    model: str
    api_key_env: str | None

    @cached_property
    def _server(self) -> WaitingClient:
        kind = "the embedding endpoint"
        secret = key_for(self.base_url, self.api_key_env, what=f"{kind} ")
        return WaitingClient(address(self.base_url), kind, secret, _TIMEOUT)

    def vectors(self, texts: Sequence[str], cache: EmbeddingCache) -> dict[str, NDArray[Any]]:
        """Return a vector of length 1 for each different text, of shape (1, d), float32.

        Raises:
            InfrastructureError: the server does not answer, or answers something else.
            AuthenticationError: it refuses the key.
            MissingKeyError: the variable that should hold the key is not set.
        """
        keys = {text: self._key(text) for text in texts}
        known = cache.get(keys.values())
        found = {text: known[key] for text, key in keys.items() if key in known}
        missing = [text for text in keys if text not in found]
        for start in range(0, len(missing), AT_ONCE):
            part = missing[start : start + AT_ONCE]
            made = dict(zip(part, self._asked(part), strict=True))
            cache.put({keys[text]: vector for text, vector in made.items()})
            found |= made
        return found

    def _key(self, text: str) -> bytes:
        content = f"{self.base_url}\n{self.model}\n{text}".encode("utf-8", "surrogatepass")
        return blake2b(content, digest_size=16).digest()

    def _asked(self, texts: Sequence[str]) -> list[NDArray[Any]]:
        import numpy as np

        try:
            asked = {"model": self.model, "input": list(texts), "encoding_format": "float"}
            answer = self._server.post("/embeddings", asked)
        except RequestError as error:
            raise InfrastructureError(str(error)) from error
        try:
            rows = sorted(answer["data"], key=lambda row: row["index"])
            vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
        except (KeyError, TypeError, ValueError):
            vectors = np.empty(0, dtype=np.float32)
        if vectors.shape[:1] != (len(texts),) or vectors.ndim != 2 or not np.isfinite(vectors).all():  # noqa: PLR2004
            message = f"{self.base_url} did not answer with an embedding for each of {len(texts)} texts"
            raise InfrastructureError(f"{message}; is it an OpenAI-compatible server with embeddings?")
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return [row[None] for row in vectors / np.maximum(norms, 1e-12)]
