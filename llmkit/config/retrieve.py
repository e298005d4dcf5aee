"""How an index is searched: the section ``retrieve`` of an index, and of the target ``rag``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from llmkit.config.section import Flag, Number, Raw, Section, Text, Whole, wrong

Leg = Literal["lexical", "dense", "tfidf"]


class Recency(Section):
    """How much newer documents are preferred."""

    field: Text = Field(default="date", description="The metadata field with the date.")
    half_life: Text = Field(default="180d", description="After how long half is lost: 180d, 26w, 6m, 2y.")
    weight: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=0.3, description="How much of a score age can take: 0 nothing, 1 all."
    )


class Rerank(Section):
    """A second look at the best candidates."""

    by: Literal["cross_encoder", "llm"] = Field(description="Who looks: a local cross-encoder, or a model that rates.")
    model: Raw = Field(description="The cross-encoder's folder or name; or a provider, as a target is written.")
    depth: Annotated[Whole, Field(ge=1)] = Field(default=20, description="How many candidates are looked at.")


class Transform(Section):
    """What a model makes of the question before the search."""

    by: Literal["hyde", "multi_query"] = Field(
        description="hyde: made-up answers, their vectors averaged with the question's; multi_query: other wordings."
    )
    model: Raw = Field(description="Who writes: a provider, as a target is written.")
    n: Annotated[Whole, Field(ge=1, le=20)] = Field(default=3, description="How many answers or wordings.")


class Around(Section):
    """Neighbours that are shown with a passage."""

    before: Annotated[Whole, Field(ge=0)] = Field(default=0, description="Chunks before it.")
    after: Annotated[Whole, Field(ge=0)] = Field(default=0, description="Chunks after it.")


class RetrieveConfig(Section):
    """How passages are found and ordered."""

    mode: Literal["auto", "lexical", "dense", "tfidf", "hybrid"] = Field(
        default="auto",
        description="Which legs search; auto is hybrid where the index has vectors, and lexical where it has none.",
    )
    k: Annotated[Whole, Field(ge=1, le=10_000)] = Field(default=10, description="How many passages are returned.")
    candidates: Annotated[Whole, Field(ge=1, le=100_000)] = Field(
        default=100, description="How many each leg finds before they are fused, boosted and looked at again."
    )
    filter: Text | None = Field(default=None, description="Only documents for which this holds: 'lang = \"en\"'.")
    fuse: Literal["rrf", "weighted"] = Field(
        default="rrf", description="How legs are joined: by reciprocal ranks, or by scores."
    )
    rrf_k: Annotated[Number, Field(ge=0)] = Field(default=60.0, description="The constant of reciprocal rank fusion.")
    weights: dict[Leg, Annotated[Number, Field(ge=0)]] = Field(
        default_factory=dict, description="Weights of the legs of a hybrid search; 1 each without."
    )
    boost: Recency | None = Field(default=None, description="Prefer newer documents.")
    rerank: Rerank | None = Field(default=None, description="Look at the best candidates again.")
    diversity: Annotated[Number, Field(ge=0, le=1)] | None = Field(
        default=None, description="Maximal marginal relevance: 1 is relevance alone, 0 novelty alone."
    )
    transform: Transform | None = Field(default=None, description="Rewrite the question before the search.")
    expand: Around = Field(default_factory=Around, description="Show neighbours with each passage.")
    one_per_document: Flag = Field(default=False, description="Return only the best passage of each document.")

    @model_validator(mode="after")
    def _fitting(self) -> RetrieveConfig:
        if self.weights and self.mode not in {"auto", "hybrid"}:
            raise wrong(f"'weights' are for a hybrid search, and the mode is {self.mode}")
        if self.weights and not any(self.weights.values()):
            raise wrong("every weight is 0: nothing would be found")
        if self.transform is not None and self.transform.by == "hyde" and self.mode in {"lexical", "tfidf"}:
            raise wrong(f"hyde averages vectors, and the mode {self.mode} has none; use multi_query")
        if self.candidates < self.k:
            raise wrong(f"'candidates' is {self.candidates}, fewer than the {self.k} passages to return")
        return self
