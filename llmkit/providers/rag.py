"""Retrieval-augmented generation: passages of an index, and a model that answers from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from llmkit.errors import ConfigError, PermanentError, Problem
from llmkit.registry import provider
from llmkit.types import Request, Response

Mode = Literal["closed_book", "retrieval_only", "retrieval_augmented", "oracle"]
Fuse = Literal["vote", "direct", "noisy_channel", "experts", "rag_sequence", "rag_token"]


@provider("rag")
@dataclass(frozen=True)
class Rag:
    """Searches an index for each row's question and lets a model answer from what it finds.

    The passages are kept with each answer, so that `recall_at`, `success`, `context_precision`, `faithfulness` and the
    other scorers of contexts see them. With several ``modes`` each row is asked in each, and the report has one table:
    what the model knows by itself, what retrieval finds, both together, and the ceiling with the row's own contexts.

    Only `llmkit eval` and what builds on it can ask this target: it joins an index with a model.

    Attributes:
        index: The index's folder, relative to the config, or its name.
        generate: Who answers: a provider, as a target is written.
        retrieve: Keys of the index's section ``retrieve`` that are replaced: ``{mode: hybrid, k: 5}``.
        modes: ``closed_book``: no passages; ``retrieval_only``: the best passage is the answer, nobody is asked;
            ``retrieval_augmented``; ``oracle``: the row's own contexts in place of what was found. The first one is
            scored like any target; the others stand beside it.
        contexts: ``concat``: all passages in one prompt; ``per_passage``: an answer from each passage by itself, of
            which one is chosen by ``fuse``.
        fuse: How one of the passages' answers is chosen. ``vote``: what most passages say, each with the weight of its
            retrieval score. The others need a model that says how likely given texts are: ``direct``: p(a|q,p);
            ``noisy_channel``: p(q|a,p) p(a|p) / p(q|p); ``experts``: the product of all of them and p(p|q);
            ``rag_sequence``: the sum over passages of p(p|q) p(a|q,p); ``rag_token``: the same sum for each token of
            the answer, multiplied.
        weights: Of ``experts``: the exponent of each (``retrieval``, ``direct``, ``question``, ``answer``, ``prior``).
        temperature: Of p(p|q), the softmax of retrieval scores as shares of the best one.
    """

    index: Path
    generate: str | dict[str, Any] = field(metadata={"kind": "providers"})
    retrieve: dict[str, Any] = field(default_factory=dict)
    modes: tuple[Mode, ...] = ("retrieval_augmented",)
    contexts: Literal["concat", "per_passage"] = "concat"
    fuse: Fuse = "vote"
    weights: dict[str, float] = field(default_factory=dict)
    temperature: float = 0.2

    joins_an_index: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing together."""
        problems = []
        if not self.modes:
            problems.append(Problem("modes: name at least one", hint="write modes: [retrieval_augmented]"))
        if len(set(self.modes)) < len(self.modes):
            problems.append(Problem("modes: a mode is listed twice"))
        if self.contexts == "concat" and self.fuse != "vote":
            hint = "write contexts: per_passage"
            problems.append(Problem(f"fuse: '{self.fuse}' chooses among answers of single passages", hint=hint))
        if self.weights and self.fuse != "experts":
            problems.append(Problem("weights: they are those of fuse: experts"))
        if self.temperature <= 0:
            problems.append(Problem(f"temperature: must be greater than 0, got {self.temperature:g}"))
        if problems:
            raise ConfigError(problems=problems)

    async def complete(self, request: Request) -> Response:
        """Refuse: nothing here knows the index.

        Raises:
            PermanentError: always.
        """
        raise PermanentError("the target rag joins an index with a model, which only 'llmkit eval' does", kind="usage")

    async def aclose(self) -> None:
        """Nothing is held open."""
