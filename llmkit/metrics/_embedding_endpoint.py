"""Embeddings from an OpenAI-compatible server: a small client that waits, as metrics are synchronous."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from llmkit.errors import AuthenticationError, InfrastructureError, MissingKeyError
from llmkit.metrics._embedding_cache import EmbeddingCache

if TYPE_CHECKING:
    from numpy.typing import NDArray

AT_ONCE = 64
"""Texts in one request."""

_TRIES = 5
_TIMEOUT = 120.0
_AGAIN = frozenset([408, 409, 429, 500, 502, 503, 504, 529])
_LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class Endpoint:
    """A server's address (up to ``/v1``), the model's name there, and the variable that holds the key."""

    base_url: str
    model: str
    api_key_env: str | None

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

        answer = self._post({"model": self.model, "input": list(texts), "encoding_format": "float"})
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

    def _post(self, body: Mapping[str, Any]) -> Any:
        url = f"{self.base_url.rstrip('/')}/embeddings"
        headers = {"Content-Type": "application/json"}
        if self.api_key_env is not None:
            key = os.environ.get(self.api_key_env)
            if not key:
                raise MissingKeyError(f"The key for {self.base_url} is read from {self.api_key_env}, which is not set.")
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - checked: http(s)
        for attempt in range(_TRIES):
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - as above
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    wait = self._wait(error, attempt)
            except (OSError, ValueError) as error:
                if attempt == _TRIES - 1:
                    raise InfrastructureError(f"{url} gave no embeddings: {error}") from error
                wait = 2.0**attempt
            time.sleep(wait)
        raise InfrastructureError(f"{url} gave no embeddings in {_TRIES} tries")

    def _wait(self, error: urllib.error.HTTPError, attempt: int) -> float:
        """Return the seconds until the next try, or raise where another would not help."""
        if error.code in {401, 403}:
            message = f"{self.base_url} refused the key ({error.code})"
            raise AuthenticationError(f"{message}; see {self.api_key_env or 'api_key_env'}.") from error
        if error.code not in _AGAIN or attempt == _TRIES - 1:
            said = error.read(300).decode("utf-8", "replace").strip()
            raise InfrastructureError(f"{error.url} answered {error.code}: {said}") from error
        wished = error.headers.get("Retry-After", "")
        return min(float(wished) if wished.isdecimal() else 2.0**attempt, _LONGEST_WAIT)
