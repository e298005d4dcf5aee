"""Searching an index: filter, legs, fuse, boost, look again, diversify, show neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llmkit.config.retrieve import RetrieveConfig
from llmkit.errors import UsageError
from llmkit.flows.legs import Legs
from llmkit.flows.routed import addressed
from llmkit.protocols import Dialogue
from llmkit.retrieval.boost import days, recency_boost
from llmkit.retrieval.expand import hyde_vector, hypothetical_answers, other_wordings
from llmkit.retrieval.filters import compile_filter
from llmkit.retrieval.fuse import in_order, reciprocal_rank_fusion, weighted_fusion
from llmkit.retrieval.index import Index
from llmkit.retrieval.injection import Flag, suspicious
from llmkit.retrieval.match import TRIGRAM
from llmkit.retrieval.records import StoredChunk
from llmkit.retrieval.rerank import passage_ratings, reranked
from llmkit.text.runs import writing_without_spaces
from llmkit.types import Passage

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from numpy import int64
    from numpy.typing import NDArray

EMBED, TRANSFORM, RERANK = "embed", "transform", "rerank"
"""Whom requests of a search are addressed to (`llmkit.flows.routed`)."""

Ranking = list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found.

    Attributes:
        chunk: The chunk.
        score: What it was ranked by; comparable within one search only.
        ranks: Its rank from 1 in each leg that found it.
        start: First character of ``text`` in the document; before the chunk's own where neighbours are shown.
        end: One behind the last.
        text: The passage with its neighbours.
        spans: The stretches of the document that ``text`` is made of: one, so that ``text`` is the document's
            text[start:end]. An index of an older version does not know what stands between chunks; an empty line stands
            in its place, and there are several.
    """

    chunk: StoredChunk
    score: float
    ranks: Mapping[str, int]
    start: int
    end: int
    text: str
    spans: Sequence[tuple[int, int]] = ()

    @property
    def flags(self) -> Sequence[Flag]:
        """Where it seems to give instructions."""
        return suspicious(self.text)

    @property
    def passage(self) -> Passage:
        """The hit as targets and judges know passages; its id is the document's path and the characters it shows."""
        spans = self.spans or [(self.start, self.end)]
        meta: dict[str, Any] = {
            "path": self.chunk.path,
            "start": self.start,
            "end": self.end,
            "title": self.chunk.title,
        }
        where: dict[str, Any] = {"headings": list(self.chunk.headings)} if self.chunk.headings else {}
        if self.chunk.page:
            where["page"] = self.chunk.page
        if len(spans) > 1:
            where["spans"] = [list(span) for span in spans]
        name = f"{self.chunk.path}#{','.join(f'{start}-{end}' for start, end in spans)}"
        return Passage(name, self.text, self.score, {**self.chunk.meta, **meta, **where})


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        query: The question.
        hits: Best first.
        mode: The mode that was used.
        legs: The legs that searched.
        passing: How many chunks the filter let through; None without a filter.
        notes: What did not go as the settings say, a sentence each.
    """

    query: str
    hits: Sequence[Hit]
    mode: str
    legs: Sequence[str]
    passing: int | None = None
    notes: Sequence[str] = ()


@dataclass
class _Trail:
    """What one search saw on its way."""

    legs: dict[str, Ranking] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Searcher:
    """Searches one open index with one set of settings; nothing in it changes but what is read once and kept.

    Args:
        legs: The index with its embedder.
        settings: How to search.
        today: From which day age is counted; today in UTC without.

    Raises:
        UsageError: the settings do not fit the index: no vectors, no such field, a filter that cannot be read.
    """

    def __init__(self, legs: Legs, settings: RetrieveConfig, *, today: date | None = None) -> None:
        self.legs = legs
        self.settings = settings
        self.mode = mode_of(settings, legs)
        self._today = today or datetime.now(UTC).date()
        self._encoder: Any = None
        fields = legs.index.meta.fields
        boost = settings.boost
        if boost is not None and fields.get(boost.field) != "date":
            raise UsageError(f"boost: the index has no date field '{boost.field}'; declare it under metadata.fields")
        try:
            self._half_life = None if boost is None else days(boost.half_life)
        except ValueError as error:
            raise UsageError(f"boost.half_life: {error}") from error
        written = settings.filter
        where = None if written is None else compile_filter(written, fields)
        self._allowed: NDArray[int64] | None = legs.index.allowed(where)

    @property
    def leg_names(self) -> tuple[str, ...]:
        """The legs that search."""
        if self.mode != "hybrid":
            return (self.mode,)
        named = tuple(self.settings.weights) or ("lexical", "dense")
        return tuple(name for name in named if self.settings.weights.get(name, 1.0) > 0)

    def find(self, query: str) -> Dialogue[Found]:
        """Return what is found for a question; a dialogue, since models may embed, rewrite and rerank."""
        trail = _Trail()
        chosen = yield from self._ranked(query, trail)
        hits = self._hits(chosen, trail)
        return Found(query, hits, self.mode, self.leg_names, self.passing, trail.notes)

    def ranking(self, query: str) -> Dialogue[Ranking]:
        """Return the numbers of what is found with their scores, best first: `find` without the passages."""
        return (yield from self._ranked(query, _Trail()))

    @property
    def passing(self) -> int | None:
        """How many chunks the filter lets through; None without a filter."""
        return None if self._allowed is None else len(self._allowed)

    def _ranked(self, query: str, trail: _Trail) -> Dialogue[Ranking]:
        if not query.strip() or self.passing == 0:
            return []
        ranking = yield from self._candidates(query, trail)
        ranking = self._boosted(ranking)
        ranking = yield from self._looked_at_again(query, ranking, trail)
        return self._diverse(self._one_each(ranking))[: self.settings.k]

    # -- candidates

    def _candidates(self, query: str, trail: _Trail) -> Dialogue[Ranking]:
        wanted = self.settings.transform
        queries = [query]
        cut = self.legs.index.tokenizer
        if "lexical" in self.leg_names and cut != TRIGRAM and writing_without_spaces(query):
            trail.notes.append(
                f"the question's writing has no spaces, and this index cuts words at spaces (lexical: {cut}): few are "
                "found; build it with lexical: trigram"
            )
        answers: list[str] = []
        if wanted is not None and wanted.by == "multi_query":
            queries = yield from addressed(TRANSFORM, other_wordings(query, wanted.n))
        elif wanted is not None and "dense" not in self.leg_names:
            trail.notes.append("transform: hyde changes dense searches alone; this search has no dense leg")
        elif wanted is not None:
            answers = yield from addressed(TRANSFORM, hypothetical_answers(query, wanted.n))
            if not answers:
                trail.notes.append("the model wrote no hypothetical answer; the question alone was searched for")
        vectors = None
        if "dense" in self.leg_names:
            vectors = yield from addressed(EMBED, self.legs.embedded(queries, "query"))
            if answers:
                made = yield from addressed(EMBED, self.legs.embedded(answers, "passage"))
                vectors = [hyde_vector(vectors[0], made)]
        self._search_legs(queries, vectors, trail)
        return self._fused(trail)

    def _search_legs(self, queries: Sequence[str], vectors: Any, trail: _Trail) -> None:
        """Let every leg search; vectors in a thread beside, for that waits for memory and weighing words does not."""
        beside = None
        if "dense" in self.leg_names and len(self.leg_names) > 1:
            beside = self._threads.submit(self._searched, "dense", queries, vectors)
        for name in self.leg_names:
            trail.legs[name] = [] if name == "dense" and beside else self._searched(name, queries, vectors)
        if beside is not None:
            trail.legs["dense"] = beside.result()

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(1, thread_name_prefix="dense")

    def _searched(self, name: str, queries: Sequence[str], vectors: Any) -> Ranking:
        """Return what a leg finds for a question, in one wording or several."""
        found = [self._leg(name, text, None if vectors is None else vectors[at]) for at, text in enumerate(queries)]
        return found[0] if len(found) == 1 else reciprocal_rank_fusion(found, self.settings.rrf_k)

    def _leg(self, name: str, query: str, vector: Any) -> Ranking:
        count = max(self.settings.candidates, self.settings.k)
        if name == "dense":
            return self.legs.dense(vector, count, self._allowed)
        leg = self.legs.lexical if name == "lexical" else self.legs.tfidf
        return leg(query, count, self._allowed)

    def _fused(self, trail: _Trail) -> Ranking:
        if len(trail.legs) == 1:
            return next(iter(trail.legs.values()))
        weights = [self.settings.weights.get(name, 1.0) for name in trail.legs]  # type: ignore[call-overload] # legs are
        if self.settings.fuse == "weighted":
            return weighted_fusion(list(trail.legs.values()), weights)
        return reciprocal_rank_fusion(list(trail.legs.values()), self.settings.rrf_k, weights)

    # -- order

    def _boosted(self, ranking: Ranking) -> Ranking:
        boost = self.settings.boost
        if boost is None or self._half_life is None:
            return ranking
        chunks = self.legs.index.chunks([number for number, _ in ranking])
        dates = {chunk.number: chunk.meta.get(boost.field) for chunk in chunks}
        return recency_boost(ranking, dates, today=self._today, half_life=self._half_life, weight=boost.weight)

    def _looked_at_again(self, query: str, ranking: Ranking, trail: _Trail) -> Dialogue[Ranking]:
        wanted = self.settings.rerank
        if wanted is None or not ranking:
            return ranking
        head = ranking[: wanted.depth]
        texts = [_shown(chunk) for chunk in self.legs.index.chunks([number for number, _ in head])]
        if wanted.by == "llm":
            ratings = yield from addressed(RERANK, passage_ratings(query, texts))
            found, unrated = reranked(ranking, ratings)
            if unrated:
                trail.notes.append(f"{unrated} of {len(head)} passages got no rating and stand behind the others")
            return found
        if self._encoder is None:
            from llmkit.retrieval.cross_encoder import CrossEncoder

            self._encoder = CrossEncoder(_model_name(wanted.model))
        scores = self._encoder.scores(query, texts)
        best = in_order({number: score for (number, _), score in zip(head, scores, strict=True)})
        least = min(scores)
        return [*best, *((number, least) for number, _ in ranking[len(head) :])]

    def _one_each(self, ranking: Ranking) -> Ranking:
        if not self.settings.one_per_document:
            return ranking
        seen: set[str] = set()
        kept: Ranking = []
        for pair, chunk in zip(ranking, self.legs.index.chunks([number for number, _ in ranking]), strict=True):
            if chunk.path not in seen:
                seen.add(chunk.path)
                kept.append(pair)
        return kept

    def _diverse(self, ranking: Ranking) -> Ranking:
        balance = self.settings.diversity
        if balance is None or len(ranking) < 2:  # noqa: PLR2004 - one alone is diverse
            return ranking
        from llmkit.retrieval.diversity import maximal_marginal_relevance, word_similarity
        from llmkit.text.bm25 import terms

        head = ranking[: self.settings.candidates]
        numbers = [number for number, _ in head]
        vectors = self.legs.vectors_of(numbers)
        if vectors is not None:
            likeness = vectors @ vectors.T
        else:
            likeness = word_similarity([frozenset(terms(chunk.text)) for chunk in self.legs.index.chunks(numbers)])
        return maximal_marginal_relevance(head, likeness, self.settings.k, balance)

    # -- what is shown

    def _hits(self, ranking: Ranking, trail: _Trail) -> list[Hit]:
        ranks = {name: {number: rank for rank, (number, _) in enumerate(leg, 1)} for name, leg in trail.legs.items()}
        chunks = self.legs.index.chunks([number for number, _ in ranking])
        return [
            self._hit(
                chunk, score, {name: places[chunk.number] for name, places in ranks.items() if chunk.number in places}
            )
            for chunk, (_, score) in zip(chunks, ranking, strict=True)
        ]

    def _hit(self, chunk: StoredChunk, score: float, ranks: Mapping[str, int]) -> Hit:
        around = self.settings.expand
        together = [chunk]
        if around.before or around.after:
            together = self.legs.index.around(chunk.number, around.before, around.after)
        text, spans = joined(together), spans_of(together)
        return Hit(chunk, score, ranks, spans[0][0], spans[-1][1], text, spans)


def spans_of(chunks: Sequence[StoredChunk]) -> list[tuple[int, int]]:
    """Return the stretches of the document that `joined` shows, in order: one where what lies between is known."""
    found: list[tuple[int, int]] = []
    for chunk in chunks:
        if found and (chunk.gap is not None or chunk.start <= found[-1][1]):
            found[-1] = (found[-1][0], max(found[-1][1], chunk.end))
        else:
            found.append((chunk.start, chunk.end))
    return found


def joined(chunks: Sequence[StoredChunk]) -> str:
    """Return neighbouring chunks as one text; what overlaps stands once, an unknown gap becomes an empty line."""
    text, end = chunks[0].text, chunks[0].end
    for chunk in chunks[1:]:
        if chunk.start > end:
            text += "\n\n" if chunk.gap is None else chunk.gap[end - chunk.start :]
            text += chunk.text
        elif chunk.end > end:
            text += chunk.text[end - chunk.start :]
        end = max(end, chunk.end)
    return text


def has_words(index: Index) -> bool:
    """Return whether the index has a lexical leg."""
    return (index.meta.config.get("lexical") or {}).get("tokenizer") != "none"


def mode_of(settings: RetrieveConfig, legs: Legs) -> str:
    """Return the mode, ``auto`` resolved.

    Raises:
        UsageError: it needs vectors, and there are none.
    """
    vectors = legs.index.meta.embed_fingerprint is not None
    if settings.mode == "auto":
        return ("hybrid" if has_words(legs.index) else "dense") if vectors else "lexical"
    dense = settings.mode == "dense" or (settings.mode == "hybrid" and settings.weights.get("dense", 1.0) > 0)
    if dense and settings.mode == "hybrid" and settings.weights and "dense" not in settings.weights:
        dense = False
    if dense and not vectors:
        raise UsageError(
            f"the index in {legs.index.folder} holds no vectors, and the mode {settings.mode} needs them; search with "
            "the mode lexical, or add 'embed' to its config and build"
        )
    return settings.mode


def _shown(chunk: StoredChunk) -> str:
    return "\n".join(part for part in (chunk.title, *chunk.headings, chunk.text) if part)


def _model_name(spec: Any) -> str:
    if isinstance(spec, str):
        return spec
    return str(next(iter(spec.values()), "")) if isinstance(spec, Mapping) else str(spec)
