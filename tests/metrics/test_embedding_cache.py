"""The cache of embeddings: what was put comes back, the oldest goes first, and trouble never costs a run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from llmkit.metrics._embedding_cache import EmbeddingCache


def vectors(rows: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)


def test_what_was_put_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "e.sqlite"
    items = {number.to_bytes(16, "big"): vectors(number % 5 + 1, number) for number in range(1200)}
    EmbeddingCache(path, limit=1 << 20).put(items)
    found = EmbeddingCache(path, limit=1 << 20).get([*items, b"x" * 16])
    assert found.keys() == items.keys()
    assert all((found[key] == items[key]).all() for key in items)


def test_those_not_used_for_longest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    cache = EmbeddingCache(tmp_path / "e.sqlite", limit=10 * 32)
    keys = [bytes([number]) * 16 for number in range(11)]
    for key in keys[:10]:
        now[0] += 1
        cache.put({key: vectors(1)})
    now[0] += 1
    assert cache.get(keys[:1]).keys() == {keys[0]}
    now[0] += 1
    cache.put({keys[10]: vectors(1)})
    assert cache.size() <= 10 * 32
    kept = cache.get(keys).keys()
    assert {keys[0], keys[10], keys[9]} <= kept
    assert keys[1] not in kept


def test_a_limit_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "e.sqlite", limit=0)
    cache.put({b"k" * 16: vectors(2)})
    assert cache.get([b"k" * 16]) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_none_of_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    path.write_text("not a database, but long enough to be taken for one" * 40)
    cache = EmbeddingCache(path, limit=1 << 20)
    assert cache.get([b"k" * 16]) == {}
    cache.put({b"k" * 16: vectors(2)})
    assert path.read_text().startswith("not a database")


def test_a_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    cache = EmbeddingCache(path, limit=1 << 20)
    cache.put({b"k" * 16: vectors(2)})
    assert cache.get([b"k" * 16]) == {}
