"""Exact search: the same as the plainest sum, whatever the blocks, batches and filters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.vectors import _scan
from tests.vectors.backends import built, made, truth


@given(st.data())
def test_exact_is_the_plain_sum(data: st.DataObject) -> None:
    count, queries, seed = (data.draw(st.integers(*ends)) for ends in ((0, 60), (1, 80), (0, 3)))
    k, block, share = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 40)), data.draw(st.floats(0, 1))
    vectors, asked = made(count, 4, seed), made(queries, 4, seed + 9)
    vectors = np.concatenate([vectors, vectors[: count // 3]])  # some are equal
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(vectors)).astype(np.int64)
    allowed = np.sort(rows[rng.random(len(rows)) < share])
    index = built("exact")
    index.build(vectors, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_scan, "_BLOCK", block)
        patch.setattr(_scan, "_GROUP", data.draw(st.integers(1, 4)))
        for some in (None, allowed):
            _, found = index.search(asked, k, some)
            assert [[r for r in own if r >= 0] for own in found.tolist()] == truth(vectors, rows, asked, k, some)


def test_a_score_does_not_depend_on_what_is_asked_beside_it() -> None:
    vectors, asked = made(3000, 64), made(70, 64, 3)
    index = built("exact")
    index.build(vectors, np.arange(3000))
    together = index.search(asked, 20)
    alone = [index.search(one, 20) for one in asked]
    assert np.array_equal(together[0], np.concatenate([scores for scores, _ in alone]))
    assert np.array_equal(together[1], np.concatenate([rows for _, rows in alone]))


def test_it_searches_a_memory_map(tmp_path: Path) -> None:
    vectors = made(500)
    vectors.tofile(tmp_path / "vectors.f32")
    index = built("exact")
    index.load(tmp_path, np.memmap(tmp_path / "vectors.f32", np.float32, "r", shape=(500, 32)), np.arange(500))
    assert index.search(vectors[[77]], 1)[1].tolist() == [[77]]


def test_vectors_and_rows_of_unequal_number_are_refused() -> None:
    with pytest.raises(ValueError, match="3 vectors have 2 rows"):
        built("exact").build(made(3), np.arange(2))
