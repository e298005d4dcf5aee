"""Searching an index as a user does, the question's embedding left out: three modes, with and without a filter.

    python benchmarks/bench_search_whole.py [--quick] [--chunks N] [--searches N] [--index FOLDER]

Chunks of words with Zipf's frequencies, of the lengths that chunks have, a topic a document; questions of 5 to 12 words,
some of them function words, none asked twice. What is timed is `Opened.search`: filter, legs, fusion, and the passages
that are shown. bm25s, rank-bm25 and tantivy rank the same words beside it in the same run, one question at a time, and
the ten best of bm25s must be the lexical mode's (ties by number). They return numbers alone, without passages.
Milliseconds on the clock, for a hybrid search scores vectors in a second thread; CPU milliseconds of all threads stand
beside them, for busy machines. Target: 5 at 50,000 chunks.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from _measure import header, heading, median, row, verdict

from llmkit.flows.opening import open_to_search
from llmkit.retrieval.publish import Changes, publish
from llmkit.retrieval.records import IndexMeta
from llmkit.retrieval.staged import StagedChunk, StagedDocument, Stat, embedded_text, vector_key
from llmkit.retrieval.store import IndexStore
from llmkit.text.bm25 import STOP_WORDS

WIDTH, K, TARGET = 384, 10, 5.0
A_DOCUMENT = 20
FILTERS = {"all": None, "50 %": "part < 50", "10 %": "part < 10", "1 %": "part < 1"}
MODES = ("lexical", "dense", "hybrid")
FUNCTION_WORDS = tuple(sorted(STOP_WORDS))[:60]
VOCABULARY = 60_000

Ask = Callable[[str], list[int]]
"""From a question to the numbers of what is found, best first."""


@dataclass(frozen=True)
class Given:
    """An embedder that knows its vectors beforehand, so that embedding takes no time."""

    vectors: dict[str, Any] = field(default_factory=dict, compare=False)
    fingerprint: str = "given"
    max_tokens: int | None = None

    def embed(self, texts: list[str], role: str) -> Any:
        del role
        return np.stack([self.vectors[text] for text in texts])


class Words:
    """Texts and questions over made-up words, which Porter's stemmer leaves as they are."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        made: dict[str, None] = {}
        while len(made) < VOCABULARY:
            syllables = 1 + (len(made) > 30) + (len(made) > 1200)
            word = "".join(self._random.choice("bdfgklmnprtv") + self._random.choice("aiou") for _ in range(syllables))
            made[word + "k"] = None
        self._words = list(made)
        self._sums = list(accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))
        self._function = list(accumulate(1 / (rank + 1) for rank in range(len(FUNCTION_WORDS))))

    def _some(self, count: int, functional: float) -> list[str]:
        words = self._random.choices(self._words, cum_weights=self._sums, k=count)
        stops = self._random.choices(FUNCTION_WORDS, cum_weights=self._function, k=count)
        return [stop if self._random.random() < functional else word for word, stop in zip(words, stops, strict=True)]

    def document(self, chunks: int) -> list[str]:
        """Return the chunks of a document; a fifth of its words are its topic's."""
        topic = self._random.choices(self._words[500:], k=12)
        found = []
        for _ in range(chunks):
            count = max(12, min(220, round(self._random.lognormvariate(4.4, 0.45))))
            words = self._some(count, 0.45)
            found.append(" ".join(self._random.choice(topic) if self._random.random() < 0.1 else w for w in words))
        return found

    def question(self, chunk: str) -> str:
        """Return 5 to 12 words, half of them out of a chunk."""
        count = self._random.randint(5, 12)
        own = self._random.sample(chunk.split(), count // 2)
        words = own + self._some(count - len(own), 0.45)
        self._random.shuffle(words)
        return " ".join(words)


def vectors_of(count: int, seed: int) -> Any:
    """Return vectors of length 1."""
    points = np.random.default_rng(seed).standard_normal((count, WIDTH), dtype=np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def documents(texts: list[str]) -> Iterator[StagedDocument]:
    for first in range(0, len(texts), A_DOCUMENT):
        place = first // A_DOCUMENT
        chunks, at = [], 0
        for text in texts[first : first + A_DOCUMENT]:
            key = vector_key(Given().fingerprint, embedded_text("", text, title_prefix=True))
            chunks.append(StagedChunk(at, at + len(text), (), text, "", key))
            at += len(text) + 2
        yield StagedDocument(f"{place:06}.md", str(place), "", {"part": place * 37 % 100}, tuple(chunks))


def build(folder: Path, texts: list[str]) -> None:
    """Make the index; print what publishing it took."""
    every = list(documents(texts))
    with IndexStore(folder) as store:
        store.begin(Given().fingerprint)
        store.stage(every, fingerprint="made", stage="made")
        for seed, window in enumerate(store.missing(title_prefix=True), 1):
            store.append([key for key, _ in window], vectors_of(len(window), seed), [0] * len(window))
        meta = IndexMeta("made", 0, "", embed_fingerprint=Given().fingerprint, fields={"part": "int"})
        changes = Changes(seen={one.path: Stat(1, 1) for one in every})
        began = time.process_time()
        publish(store, meta, changes, lexical="porter", max_tokens=None)
        taken = time.process_time() - began
    size = (folder / "index.sqlite").stat().st_size / 1e6
    print(f"published in {taken:.2f} CPU s; index.sqlite {size:.1f} MB")


def peers(texts: list[str]) -> dict[str, Ask]:
    """Return the other programs that are installed, each with the words of all chunks."""
    found: dict[str, Ask] = {}
    tokens = [text.split() for text in texts]
    if find_spec("bm25s") is not None:
        ranker = bm25s_ranker(tokens)
        found[f"bm25s {version('bm25s')}"] = lambda question: ranked(bm25s_scores(ranker, question))
    if find_spec("rank_bm25") is not None:
        from rank_bm25 import BM25Okapi

        other = BM25Okapi(tokens, k1=1.2, b=0.75)

        def of_rank_bm25(question: str) -> list[int]:
            return [int(number) for number in np.argsort(-other.get_scores(told(question)))[:K]]

        found[f"rank-bm25 {version('rank-bm25')}"] = of_rank_bm25
    if find_spec("tantivy") is not None:
        import tantivy

        fields = tantivy.SchemaBuilder()
        fields.add_integer_field("number", stored=True)
        fields.add_text_field("text")
        index = tantivy.Index(fields.build())
        writer = index.writer(num_threads=1)
        for number, text in enumerate(texts):
            writer.add_document(tantivy.Document(number=number, text=text))
        writer.commit()
        index.reload()
        searcher = index.searcher()

        def of_tantivy(question: str) -> list[int]:
            hits = searcher.search(index.parse_query(" ".join(told(question)), ["text"]), K).hits
            return [searcher.doc(address)["number"][0] for _, address in hits]

        found[f"tantivy {version('tantivy')}"] = of_tantivy
    return found


def bm25s_ranker(tokens: list[list[str]]) -> Any:
    import bm25s

    ranker = bm25s.BM25(method="robertson", k1=1.2, b=0.75)
    ranker.index(tokens, show_progress=False)
    return ranker


def check(texts: list[str], questions: list[str], found: list[list[int]]) -> None:
    """Refuse another ten than the best by bm25s's scores, whose single precision alone may order two otherwise.

    Questions of nothing but function words are left out: bm25s gives words of most chunks no weight, FTS5 a tiny one.
    """
    ranker = bm25s_ranker([text.split() for text in texts])
    for question, numbers in zip(questions, found, strict=True):
        if STOP_WORDS.issuperset(told(question)):
            continue
        scores = bm25s_scores(ranker, question)
        own, best = scores[numbers], scores[ranked(scores)]
        assert np.allclose(own, best, rtol=1e-5), f"the ten best differ: {question}"
    print("the ten best of llmkit are those of bm25s, to single precision")


def bm25s_scores(ranker: Any, question: str) -> Any:
    """Return the score of every chunk, in single precision."""
    return ranker.get_scores([word for word in told(question) if word in ranker.vocab_dict])


def ranked(scores: Any) -> list[int]:
    """Return the numbers of the ten best, of equals the smaller first."""
    best = np.flatnonzero(scores >= np.partition(scores, len(scores) - K)[len(scores) - K])
    return [int(number) for number in best[np.lexsort((best, -scores[best]))][:K]]


def told(question: str) -> list[str]:
    """Return the words of a question that are looked for."""
    return [word for word in question.split() if word not in STOP_WORDS] or question.split()


def timed(ask: Ask, questions: list[str]) -> tuple[list[float], list[float], list[list[int]]]:
    """Return milliseconds of CPU and of wall, and what was found, question by question."""
    work, wall, found = [], [], []
    for question in questions:
        began, worked = time.perf_counter(), time.process_time()
        found.append(ask(question))
        work.append((time.process_time() - worked) * 1000)
        wall.append((time.perf_counter() - began) * 1000)
    return work, wall, found


def shown(name: str, mode: str, passing: str, work: list[float], wall: list[float]) -> float:
    """Print a row and return the median on the clock."""
    ordered = sorted(wall)
    p90 = ordered[int(0.9 * (len(ordered) - 1))]
    cells = (median(wall), min(wall), p90, wall[0], median(work))
    row(name, mode, passing, *(f"{value:.2f}" for value in cells))
    return cells[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 chunks")
    parser.add_argument("--chunks", type=int, default=50_000)
    parser.add_argument("--searches", type=int, default=100)
    parser.add_argument("--index", type=Path, help="make the index here, or search the one of an earlier run")
    options = parser.parse_args()
    count, searches = (1000, 8) if options.quick else (options.chunks, options.searches)
    made = Words(1)
    texts = [text for _ in range(-(-count // A_DOCUMENT)) for text in made.document(A_DOCUMENT)][:count]
    draw = random.Random(2)
    questions = [made.question(draw.choice(texts)) for _ in range(searches)]
    embedder = Given(dict(zip(questions, vectors_of(searches, 0), strict=True)))
    header(f"search {count:,} chunks x {WIDTH}, {searches} questions, {K} results")
    worst = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.index or Path(scratch)
        if not (folder / "index.sqlite").exists():
            build(folder, texts)
        heading("program", "mode", "lets through", "p50 ms", "least", "p90", "first", "p50 CPU ms")
        lexical: list[list[int]] = []
        for mode in MODES:
            for passing, written in FILTERS.items():
                with open_to_search(folder, {"mode": mode, "k": K, "filter": written}, embedder=embedder) as opened:
                    work, wall, found = timed(
                        lambda question, o=opened: [hit.chunk.number for hit in o.search(question).hits], questions
                    )
                lexical = lexical or found
                worst = max(worst, shown("llmkit", mode, passing, work, wall))
    for name, ask in peers(texts).items():
        work, wall, found = timed(ask, questions)
        shown(name, "lexical", "all", work, wall)
        same = sum(len({*one} & {*other}) for one, other in zip(found, lexical, strict=True))
        print(f"{name}: {same / sum(map(len, lexical)):.3f} of the ten best are the same")
    if find_spec("bm25s") is not None:
        check(texts, questions, lexical)
    return 0 if verdict("search, p50 of the slowest mode and filter", worst, TARGET, " ms") else 1


if __name__ == "__main__":
    sys.exit(main())
