"""Embedding similarity: how close two texts are as wholes, by their vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from llmkit.errors import Problem
from llmkit.metrics._base import References
from llmkit.metrics._embedding_endpoint import Endpoint
from llmkit.metrics._embedding_pooling import pooled, sentence_model
from llmkit.metrics._embedding_texts import (
    EmbeddedTexts,
    EmbeddingMetric,
    combined,
    used_references,
    without_references,
)
from llmkit.model_server import address_problem
from llmkit.registry import metric
from llmkit.types import Output, Sample, Skipped

if TYPE_CHECKING:
    from numpy.typing import NDArray

PORTION = 512
"""Texts embedded at once."""


@metric("embedding_similarity")
@dataclass(frozen=True)
class EmbeddingSimilarity(EmbeddingMetric):
    """Cosine of the vectors that an embedding model gives to output and reference.

    Formula: cos(u, v) = u.v / (|u| |v|) for the vectors of the whole texts. Range -1 to 1, in practice 0 to 1; higher
    is better. The corpus value is the mean.

    The model is a local one (``model`` or ``folder``), pooled as its sentence-transformers files say, or by the mean of
    its tokens where it has none; or, with ``base_url``, one behind an OpenAI-compatible endpoint. Texts longer than a
    local model takes are cut. A blank output scores 0, the cosine of unrelated vectors. Blank references are left out;
    a sample with no other is skipped.

    Use it to see whether answers are about the same thing in other words. Do not use it to check facts (a
    negation or another number changes it little), to compare across models, or as an absolute: what counts as
    close is each model's own.

    Sources: Reimers and Gurevych 2019, "Sentence-BERT" (arXiv 1908.10084); values of a local model equal those of
    sentence-transformers.

    Attributes:
        model: A model's name on the Hugging Face hub, or a folder seen from the working directory, or the model's name
            at ``base_url``.
        folder: A folder with a model, relative to the config; in place of ``model``.
        revision: The model's version on the hub.
        precision: fp32, or bf16 for about twice the speed and nearly the same scores; for local models.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``...
        cache_mb: How many megabytes of vectors are kept in .llmkit/embeddings.sqlite for later runs; 0 keeps none.
        base_url: An OpenAI-compatible endpoint, up to and with ``/v1``; empty for a local model.
        api_key_env: The variable that holds the endpoint's key; null sends none. Loopback and private addresses are
            sent a key only when this names another variable than the default, or OPENAI_BASE_URL is in use.
        prefix: Put before each text, for models that want one (``"query: "``).
        refs: The best of the references, their mean, or the first.
    """

    model: str = "sentence-transformers/all-MiniLM-L6-v2"
    base_url: str = ""
    api_key_env: str | None = field(default="OPENAI_API_KEY", metadata={"identity": False})
    prefix: str = ""
    refs: References = "max"

    bounds = (-1.0, 1.0)
    extra = "embeddings"
    batch: ClassVar[int] = PORTION

    def __post_init__(self) -> None:
        """Check what can be checked; an endpoint needs no optional package."""
        if self.base_url:
            object.__setattr__(self, "packages", ())
        super().__post_init__()

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the arguments."""
        yield from super().problems()
        if self.base_url and (wrong := address_problem(self.base_url)):
            yield Problem(wrong, key="base_url")
        if self.base_url and self.folder is not None:
            yield Problem("a folder is a local model, base_url one elsewhere: give one of the two", key="base_url")

    @property
    def settings(self) -> dict[str, Any]:
        """What makes the number; nothing of a local model for an endpoint."""
        found = super().settings
        del found["api_key_env"]
        for name in ("revision", "precision") if self.base_url else ("base_url",):
            del found[name]
        return found | {"prefix": self.prefix or None}

    @property
    def signature(self) -> str:
        """The settings and the implementation; an endpoint runs without any library of ours."""
        return self.own_signature if self.base_url else super().signature

    def stats_many(self, pairs: Sequence[tuple[Sample, Output]]) -> Sequence[tuple[float] | Skipped]:
        """Return the cosine of each output with its references."""
        outputs = [(output.text or "").strip() for _, output in pairs]
        references = [used_references(sample, self.refs) for sample, _ in pairs]
        compared = {text for output, several in zip(outputs, references, strict=True) if output for text in several}
        compared |= {output for output, several in zip(outputs, references, strict=True) if output and several}
        vectors = self._vectors(sorted(compared))
        found: list[tuple[float] | Skipped] = []
        for (sample, _), output, several in zip(pairs, outputs, references, strict=True):
            each = [_cosine(vectors, output, text) for text in several]
            found.append(combined(self.refs, each) if each else without_references(sample))
        return found

    def _vectors(self, texts: Sequence[str]) -> Mapping[str, NDArray[Any]]:
        given = {text: self.prefix + text for text in texts}
        if self.base_url:
            endpoint = Endpoint(self.base_url, self.model, self.api_key_env)
            made: Mapping[str, NDArray[Any]] = endpoint.vectors(list(given.values()), self._disk)
        elif not texts:
            return {}
        else:
            made = self._local(list(given.values()))
        return {text: made[full] for text, full in given.items()}

    def _local(self, texts: Sequence[str]) -> Mapping[str, NDArray[Any]]:
        from llmkit.metrics._embedding_model import Source, place

        how = sentence_model(place(self.named, self.revision))
        source = Source(self.named, self.revision, None, self.precision, self.device)
        embedded = EmbeddedTexts(source, pooled(how.pooling[0]), self._disk)
        return embedded.vectors(embedded.read(texts, how.limit))


def _cosine(vectors: Mapping[str, NDArray[Any]], output: str, reference: str) -> float:
    if not output:
        return 0.0
    return max(-1.0, min(1.0, float(vectors[output][0] @ vectors[reference][0])))
