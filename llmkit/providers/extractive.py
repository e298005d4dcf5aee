"""Question answering without a model: find the passages, quote the sentences that answer best."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from llmkit.errors import ConfigError, PermanentError, Problem
from llmkit.providers._answers import question
from llmkit.providers._passages import Piece, Unit, find_files, pieces_of, read_documents
from llmkit.registry import provider
from llmkit.text.bm25 import BM25, STOP_WORDS, terms
from llmkit.types import Passage, Request, Response

NOT_FOUND = "No answer found in the documents."


@dataclass(frozen=True, slots=True)
class Weights:
    """What a sentence's score is made of.

    Chosen on XQuAD (see the tests). XQuAD has no headings, so their weight, and how often they count in a passage's
    terms, were chosen on llmkit's own documentation.

    Attributes:
        passage: The passage's BM25 score as a share of the best one's.
        neighbour: Question terms that only the sentence before or after holds.
        lead: The same, where the sentence before introduces this one with a colon.
        heading: Question terms that only the headings above hold.
        kind: The sentence holds what the question asks for: a number, a year, a name.
        again: How much of a question term's weight is left once a chosen sentence holds it.
        enough: The least worth of a further sentence, as a share of the first one's.
        near: Weight of a term that only looks like one of the question's (``installation``, ``installer``).
    """

    passage: float = 0.8
    neighbour: float = 0.25
    lead: float = 0.7
    heading: float = 0.5
    kind: float = 0.2
    again: float = 0.45
    enough: float = 0.6
    near: float = 0.4


_WEIGHTS = Weights()
_STOP_STEMS = frozenset(terms(" ".join(STOP_WORDS)))
_PREFIX = 5
_NUMBER_WORDS = "one|two|three|four|five|six|seven|eight|nine|ten|twelve|hundred|thousand|million|billion|half|twice"
_COUNT = re.compile(rf"\d|\b(?:{_NUMBER_WORDS})\b", re.IGNORECASE)
_TIME = re.compile(
    r"\b(?:1\d|20)\d\d\b|\b\d{1,2}(?:st|nd|rd|th)\b|\b(?:January|February|March|April|May|June|July|August"
    r"|September|October|November|December)\b|century|\b\d{3,4}s\b"
)
_NAME = re.compile(r"(?<=[\w,;] )[A-Z][a-z]+")
_KINDS = (
    (re.compile(r"\bhow (?:many|much|long|old|large|big|far|often)\b|percent|\bwhat number\b", re.IGNORECASE), _COUNT),
    (re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade)\b", re.IGNORECASE), _TIME),
    (re.compile(r"\b(?:who|whose|whom|where|(?:what|which) (?:country|city|person|team))\b", re.IGNORECASE), _NAME),
)


@dataclass(frozen=True, slots=True)
class _Index:
    pieces: Sequence[Piece]
    headings: Sequence[frozenset[str]]
    bm25: BM25
    near: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> _Index:
        bm25 = BM25(piece.index_terms() for piece in pieces)
        near: dict[str, list[str]] = {}
        for term in bm25.vocabulary():
            if len(term) >= _PREFIX:
                near.setdefault(term[:_PREFIX], []).append(term)
        return cls(pieces, [frozenset(terms(" ".join(piece.headings))) for piece in pieces], bm25, near)


@dataclass(frozen=True, slots=True)
class _Candidate:
    piece: int
    place: int
    unit: Unit
    cover: Mapping[str, float]
    base: float


@provider("extractive")
@dataclass(frozen=True)
class Extractive:
    """Answers with the sentences of your documents that fit the question best; no model, no network.

    It ranks passages by BM25, then their sentences by the question's rare words, and quotes the best ones in the
    documents' order. ``retrieved`` holds the passages, with ids such as ``docs/eval.md#exit-codes``. Without
    documents it answers from the row's contexts.

    Attributes:
        documents: Markdown or text files, folders of them, or globs; relative to the config.
        sentences: How many sentences an answer has at most.
        passages: How many passages are retrieved.
    """

    documents: tuple[Path, ...] = ()
    sentences: int = 2
    passages: int = 8
    _index: _Index | None = dataclasses.field(init=False, default=None, repr=False, compare=False)

    cacheable: ClassVar[bool] = False
    journaled: ClassVar[bool] = False
    wants_sample: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Look for the documents, so that a missing one is told before anything is asked."""
        _, problems = find_files(self.documents)
        for name in ("sentences", "passages"):
            if getattr(self, name) < 1:
                problems.append(Problem(f"{name} is {getattr(self, name)}", hint="at least 1"))
        if problems:
            raise ConfigError(problems=problems)

    @property
    def files(self) -> tuple[Path, ...]:
        """The documents: a run that was interrupted is not continued over other texts."""
        return tuple(path for path, _ in find_files(self.documents)[0])

    async def complete(self, request: Request) -> Response:
        """Return the best sentences; ``extra["confidence"]`` is the share of the question's weight they hold, 0 to 1.

        ``extra["quotes"]`` are the sentences with the ids of the passages that they stand in; of a row's contexts the
        id begins with the context's place, from 0.

        Raises:
            PermanentError: kind ``missing``: neither documents nor contexts to answer from.
        """
        index = self._documents() if self.documents else _contexts(request)
        started = time.perf_counter()
        response = self._answer(index, _asked(request))
        return dataclasses.replace(response, latency=time.perf_counter() - started)

    def _answer(self, index: _Index, asked: str) -> Response:
        query, known = _query(index, asked)
        ranked = index.bm25.top(query, self.passages)
        retrieved = tuple(_passage(index.pieces[row], score) for row, score in ranked)
        chosen = _choose(_candidates(index, ranked, query, asked), self.sentences)
        if not chosen:
            return Response(text=NOT_FOUND, finish="stop", retrieved=retrieved, extra={"confidence": 0.0})
        held = {term for candidate in chosen for term in candidate.unit.terms if term in query}
        share = known * sum(query[term] for term in held) / sum(query.values())
        in_order = sorted(chosen, key=lambda candidate: (candidate.piece, candidate.place))
        extra = {
            "confidence": round(share, 4),
            "passage": index.pieces[chosen[0].piece].id,
            "quotes": [{"text": one.unit.text, "passage": index.pieces[one.piece].id} for one in in_order],
        }
        text = _joined(in_order)
        return Response(text=text, finish="stop", retrieved=retrieved, extra=extra)

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _documents(self) -> _Index:
        if self._index is None:
            object.__setattr__(self, "_index", _Index.of(read_documents(self.documents)))
            assert self._index is not None
        return self._index


def _asked(request: Request) -> str:
    # A prompt template's own words ("Answer briefly") are not what is asked for.
    text = question(request)
    given = request.sample.get("input") if request.sample is not None else None
    return given if isinstance(given, str) and given and given in text else text


def _contexts(request: Request) -> _Index:
    contexts = request.sample.get("contexts") if request.sample is not None else None
    if not contexts:
        message = "there is nothing to answer from: the target has no documents and the row no contexts"
        raise PermanentError(message, kind="missing")
    pieces = [piece for number, text in enumerate(contexts) for piece in pieces_of(str(text), str(number))]
    return _Index.of(pieces)


def _query(index: _Index, asked: str) -> tuple[dict[str, float], float]:
    """Return the question's terms with their rarity, and the share of its rarity that the documents know."""
    every = dict.fromkeys(terms(asked))
    content = [term for term in every if term not in _STOP_STEMS] or list(every)
    rarity = {term: index.bm25.idf(term) for term in content}
    known = {term: weight for term, weight in rarity.items() if term in index.bm25}
    share = sum(known.values()) / sum(rarity.values()) if rarity else 0.0
    near = {
        other: index.bm25.idf(other) * _WEIGHTS.near
        for term in rarity
        if term not in known
        for other in sorted(index.near.get(term[:_PREFIX], ()), key=lambda other: (abs(len(other) - len(term)), other))[
            :2
        ]
    }
    return {**near, **known}, share


def _passage(piece: Piece, score: float) -> Passage:
    return Passage(piece.id, piece.text, round(score, 6), {"headings": list(piece.headings)} if piece.headings else {})


def _candidates(
    index: _Index, ranked: Sequence[tuple[int, float]], query: Mapping[str, float], asked: str
) -> list[_Candidate]:
    wanted = [shape for sign, shape in _KINDS if sign.search(asked)]
    total = sum(query.values())
    found: list[_Candidate] = []
    for row, score in ranked:
        units = index.pieces[row].units
        for place, unit in enumerate(units):
            cover = _cover(units, place, index.headings[row], query)
            own = any(term in unit.terms for term in cover)
            fits = own and bool(wanted) and any(shape.search(unit.text) for shape in wanted)
            base = _WEIGHTS.passage * score / ranked[0][1] + _WEIGHTS.kind * fits
            found.append(_Candidate(row, place, unit, {t: w * query[t] / total for t, w in cover.items()}, base))
    return found


def _cover(units: Sequence[Unit], place: int, headings: frozenset[str], query: Mapping[str, float]) -> dict[str, float]:
    """Return how much of each question term a unit holds: 1 itself, less where only what is around it does."""
    cover = {term: _WEIGHTS.heading for term in headings if term in query}
    for at in (place - 1, place + 1):
        if 0 <= at < len(units):
            weight = _WEIGHTS.lead if at < place and units[at].leads else _WEIGHTS.neighbour
            for term in units[at].terms:
                if term in query:
                    cover[term] = max(weight, cover.get(term, 0.0))
    cover.update((term, 1.0) for term in units[place].terms if term in query)
    return cover


def _choose(candidates: Iterable[_Candidate], sentences: int) -> list[_Candidate]:
    """Return the best units, each chosen for what the ones before it do not say."""
    left = list(candidates)
    chosen: list[_Candidate] = []
    held: dict[str, float] = {}
    said: set[str] = set()
    least = 0.0
    while left and len(chosen) < sentences:
        best = max(left, key=lambda candidate: _worth(candidate, held))
        worth = _worth(best, held)
        if worth < least:
            break
        left.remove(best)
        if best.unit.text in said:
            continue
        least = least or _WEIGHTS.enough * worth
        said.add(best.unit.text)
        chosen.append(best)
        for term, part in best.cover.items():
            held[term] = max(part, held.get(term, 0.0))
    return chosen


def _worth(candidate: _Candidate, held: Mapping[str, float]) -> float:
    again = _WEIGHTS.again
    return candidate.base + sum(
        part - (1 - again) * min(part, held.get(term, 0.0)) for term, part in candidate.cover.items()
    )


def _joined(chosen: Sequence[_Candidate]) -> str:
    text = ""
    for candidate in chosen:
        flows = text.endswith((".", "!", "?", ":")) and "\n" not in candidate.unit.text
        text += (" " if flows else "\n" if text else "") + candidate.unit.text
    return text
