"""Models behind an OpenAI-compatible endpoint; the engine sends what is yielded here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmkit.embedders._prefixes import check_instruction, prefix_of
from llmkit.errors import ConfigError, PermanentError, Problem
from llmkit.hashing import digest
from llmkit.protocols import Dialogue, Role
from llmkit.registry import embedder
from llmkit.types import Request, Response

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PIECES = re.compile(r"[^\W\d_]{1,5}|\d{1,3}|[^\w\s]|_+")
"""What counts as a token: up to five letters, up to three digits, a sign."""


@embedder("openai")
@dataclass(frozen=True, kw_only=True)
class Openai:
    """A model behind an OpenAI-compatible endpoint (OpenAI, Azure, vLLM, TEI, Ollama...).

    The engine sends the requests: many at once, within limits of requests and tokens, again where they fail, their cost
    counted, their answers kept in the response cache. Texts of about the same length share a request. The
    endpoint's tokenizer is not known here, so tokens are counted approximately, as runs of up to five letters, up to
    three digits, or a sign: for English within some 15 % of what most models count.

    Attributes:
        model: The model's name at the endpoint.
        base_url: The endpoint; else the variable OPENAI_BASE_URL, else OpenAI's.
        api_key_env: The variable that holds the key; null sends none.
        dimensions: How many numbers of each vector are wanted, where the model can shorten them.
        query_prefix: Put before each query (``"query: "`` for E5).
        passage_prefix: Put before each passage (``"passage: "`` for E5).
        instruction: For Instructor, in place of prefixes; see the embedder `onnx`.
        batch_texts: The most texts in one request.
        batch_tokens: The most tokens in one request, approximately.
        provider: Further arguments of the provider `openai` (headers, api_version, extra...).
    """

    model: str = field(kw_only=False)
    base_url: str | None = None
    api_key_env: str | None = field(default="OPENAI_API_KEY", metadata={"identity": False})
    dimensions: int | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None
    instruction: dict[str, str] | None = None
    batch_texts: int = field(default=64, metadata={"identity": False})
    batch_tokens: int = field(default=8192, metadata={"identity": False})
    provider: dict[str, Any] = field(default_factory=dict, metadata={"identity": False})

    max_tokens: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Check the arguments."""
        check_instruction(self.instruction)
        numbers = {
            "dimensions": self.dimensions,
            "batch_texts": self.batch_texts,
            "batch_tokens": self.batch_tokens,
        }
        problems = [
            Problem(f"must be at least 1, got {value}", key=key)
            for key, value in numbers.items()
            if value is not None and value < 1
        ]
        if problems:
            raise ConfigError(problems=problems)

    @property
    def target(self) -> dict[str, Any]:
        """The provider that is asked, as a spec."""
        given = {"model": self.model, "api_key_env": self.api_key_env, **self.provider}
        return {"openai": given if self.base_url is None else given | {"base_url": self.base_url}}

    @property
    def fingerprint(self) -> str:
        """The endpoint, the model's name, the dimensions and the prefix of passages; weights are not seen from here."""
        return digest(["openai", self.base_url, self.model, self.dimensions, self.prefix("passage")])

    def prefix(self, role: Role) -> str:
        """Return what is put before a text."""
        return prefix_of(role, self.query_prefix if role == "query" else self.passage_prefix, self.instruction, {})

    def spans(self, texts: Sequence[str]) -> Sequence[NDArray[Any]]:
        """Return where approximate tokens start and end, an int64 array of shape (tokens, 2) for each text."""
        import numpy as np

        return [np.array([one.span() for one in _PIECES.finditer(text)], np.int64).reshape(-1, 2) for text in texts]

    def asks(self, texts: Sequence[str], role: Role) -> Dialogue[Any]:
        """Yield all requests at once, be sent the responses, return an array (len(texts), d) float32, rows of length 1.

        The order of the texts and how they share requests do not change the vectors.
        """
        import numpy as np

        if not texts:
            return np.empty((0, self.dimensions or 0), np.float32)
        prefix = self.prefix(role)
        given = [prefix + text for text in texts]
        different = sorted(dict.fromkeys(given), key=lambda text: (len(text), text))
        batches = self._batches(different)
        params = {} if self.dimensions is None else {"dimensions": self.dimensions}
        responses = yield [Request(kind="embedding", texts=tuple(batch), params=params) for batch in batches]
        vectors = _vectors(batches, responses)
        at = {text: place for place, text in enumerate(text for batch in batches for text in batch)}
        return vectors[[at[text] for text in given]]

    def _batches(self, texts: Sequence[str]) -> list[list[str]]:
        batches: list[list[str]] = []
        left = 0
        for text in texts:
            size = max(1, len(_PIECES.findall(text)))
            if not batches or left < size or len(batches[-1]) == self.batch_texts:
                batches.append([])
                left = self.batch_tokens
            batches[-1].append(text)
            left -= size
        return batches


def _vectors(batches: Sequence[Sequence[str]], responses: Sequence[Response]) -> NDArray[Any]:
    import numpy as np

    for batch, response in zip(batches, responses, strict=True):
        if len(response.embeddings) != len(batch):
            raise PermanentError(f"asked for {len(batch)} vectors, got {len(response.embeddings)}", kind="malformed")
    found = [vector for response in responses for vector in response.embeddings]
    if len({len(vector) for vector in found}) != 1 or not found[0]:
        raise PermanentError("the endpoint's vectors are of different lengths", kind="malformed")
    vectors = np.array(found, np.float32)
    if not np.isfinite(vectors).all():
        raise PermanentError("the endpoint's vectors hold what is no number", kind="malformed")
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)
