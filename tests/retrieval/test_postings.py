"""BM25 over FTS5's lists: what FTS5's own bm25 says, and what looking through every chunk says for pairs of characters."""

from __future__ import annotations

import math
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit.retrieval import postings
from llmkit.retrieval.index import Index
from llmkit.retrieval.match import match_of, short_of
from llmkit.retrieval.postings import END_INDEXES
from llmkit.retrieval.schema import FILE_NAME
from tests.retrieval.made_index import make_index

WORDS = st.sampled_from(["cat", "cats", "max_cost", "cost", "max", "the", "Gebühr", "running", "run", "x", "1.5"])
CHUNKS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), min_size=1, max_size=8)
QUERY = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
CHINESE = st.text(st.sampled_from("退货天A哈"), max_size=7)


def plain(folder: Path, match: str) -> list[tuple[int, float]]:
    """Return every chunk that FTS5 finds, ranked by its own bm25."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as sql:
        asked = "SELECT rowid, -bm25(chunks_fts) FROM chunks_fts WHERE chunks_fts MATCH ?"
        return in_order(dict(sql.execute(asked, (match,))))


def in_order(scores: dict[int, float]) -> list[tuple[int, float]]:
    return sorted(scores.items(), key=lambda pair: (-round(pair[1], 9), pair[0]))


def same(found: list[tuple[int, float]], wanted: list[tuple[int, float]]) -> None:
    assert [number for number, _ in in_order(dict(found))] == [number for number, _ in wanted]
    assert [score for _, score in found] == pytest.approx([score for _, score in wanted], rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.tuples(CHUNKS, CHUNKS), QUERY, st.sampled_from(["porter", "unicode61"]), st.integers(1, 8))
def test_scores_are_those_of_fts5(
    tmp_path_factory: pytest.TempPathFactory, chunks: tuple[list[str], list[str]], query: str, lexical: str, k: int
) -> None:
    folder = tmp_path_factory.mktemp("index")
    first, second = chunks
    texts = {"a.md": first, "b.md": second}
    with make_index(folder, texts, lexical=lexical, titles={"a.md": "Running costs"}) as index:
        wanted = plain(folder, match_of(query, lexical))
        same(index.lexical(query, 99), wanted)
        same(index.lexical(query, k), wanted[:k])
        allowed = np.arange(0, len(first) + len(second), 2)
        same(index.lexical(query, k, allowed), [pair for pair in wanted if pair[0] % 2 == 0][:k])


def scanned(texts: list[str], query: str) -> dict[int, float]:
    """Return scores of pairs of characters and single ones, every text read; lengths are trigrams, as FTS5's are."""
    lengths = [max(0, len(text) - 2) for text in texts]
    average = sum(lengths) / len(lengths)
    found: dict[int, float] = dict.fromkeys(range(len(texts)), 0.0)
    for gram in short_of(query):
        counts = [sum(text.lower().startswith(gram, at) for at in range(len(text))) for text in texts]
        holding = sum(count > 0 for count in counts)
        rarity = max(1e-6, math.log((len(texts) - holding + 0.5) / (holding + 0.5)))
        for number, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            relative = length / average if average else 1.0
            found[number] += rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * relative))
    return {number: score for number, score in found.items() if score}


@settings(max_examples=40, deadline=None)
@given(st.lists(CHINESE, min_size=1, max_size=9), CHINESE, st.booleans())
def test_pairs_of_characters_are_found_as_by_looking_through_every_text(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], query: str, indexed: bool
) -> None:
    folder = tmp_path_factory.mktemp("index")
    make_index(folder, {"a.md": texts}, lexical="trigram").close()
    if not indexed:  # an index of an earlier llmkit lacks them
        with closing(sqlite3.connect(folder / FILE_NAME)) as sql:
            for name in END_INDEXES:
                sql.execute(f"DROP INDEX {name}")
    with Index.open(folder) as index:
        wanted = scanned(texts, query)
        match = match_of(query, "trigram")
        for number, score in plain(folder, match) if match else ():
            wanted[number] = wanted.get(number, 0.0) + score
        same(index.lexical(query, 99), in_order(wanted))


def test_the_ends_of_texts_are_indexed_for_trigrams_alone(tmp_path: Path) -> None:
    def made(lexical: str) -> set[str]:
        make_index(tmp_path, {"a.md": "退货"}, lexical=lexical).close()
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as sql:
            return {name for (name,) in sql.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}

    assert END_INDEXES.keys() <= made("trigram")
    assert not END_INDEXES.keys() & made("porter")
    assert END_INDEXES.keys() <= made("trigram")
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as sql:
        for statement, values in postings.at_the_end("退货"):
            plan = sql.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            assert "USING INDEX chunks_" in str(plan) or "USING COVERING INDEX chunks_" in str(plan)


def test_lengths_of_many_tokens_are_read(tmp_path: Path) -> None:
    texts = {"a.md": ["cat " + "word " * count for count in (0, 126, 127, 128, 16_382, 16_383, 20_000)]}
    with make_index(tmp_path, texts) as index:
        same(index.lexical("cat", 9), plain(tmp_path, '"cat"'))


def test_what_is_kept_is_bounded_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {f"{at}.md": [f"cat word{at} other{at % 3}"] for at in range(9)}
    with make_index(tmp_path, texts) as index:
        queries = ["cat", "word1 cat", "other2", "cat other1", "cat"]
        wanted = [index.lexical(query, 9) for query in queries]
        monkeypatch.setattr(postings, "KEPT", 4)
        index._postings.close()
        assert [index.lexical(query, 9) for query in queries] == wanted
        kept = index._postings._kept
        assert sum(len(numbers) for numbers, _ in kept.values()) <= 9


def test_threads_share_an_index(tmp_path: Path) -> None:
    texts = {f"{at}.md": [f"cat word{at % 7} other{at % 3}"] for at in range(40)}
    with make_index(tmp_path, texts) as index, ThreadPoolExecutor(8) as pool:
        queries = [f"word{at % 7} other{at % 3} cat" for at in range(60)]
        found: list[Any] = list(pool.map(lambda query: index.lexical(query, 5), queries))
        index._postings.close()
        assert found == [index.lexical(query, 5) for query in queries]


def test_a_reader_keeps_its_generation(tmp_path: Path) -> None:
    with make_index(tmp_path, {"a.md": "cat"}) as before:
        with make_index(tmp_path, {"a.md": "dog", "b.md": "cat and dog", "c.md": "cow"}) as after:
            assert [number for number, _ in after.lexical("dog", 9)] == [0, 1]
            assert len(after.lexical("cat", 9)) == 1
        assert [number for number, _ in before.lexical("cat", 9)] == [0]
        assert not before.lexical("dog", 9)
