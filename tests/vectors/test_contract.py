"""What every back-end keeps: it finds what is near, obeys filters, and survives saving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.vectors.backends import BACKENDS, built, made, truth

ROWS = np.arange(2000, dtype=np.int64) * 3 + 5
EVERY = made(2020)
VECTORS, QUERIES = EVERY[:2000], EVERY[2000:]


def share(found: np.ndarray, wanted: list[list[int]]) -> float:
    return float(np.mean([len(set(map(int, f)) & set(w)) / max(1, len(w)) for f, w in zip(found, wanted, strict=True)]))


QUICK = [spec for spec, packages in BACKENDS.items() if not packages]


@pytest.fixture(params=[spec if spec in QUICK else pytest.param(spec, marks=pytest.mark.slow) for spec in BACKENDS])
def spec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    found = str(request.param)
    if found.startswith("pgvector"):
        monkeypatch.setenv("DATABASE_URL", str(request.getfixturevalue("database")))
    return found


def test_it_finds_the_nearest_with_their_own_scores(spec: str) -> None:
    index = built(spec)
    index.build(VECTORS, ROWS)
    assert len(index) == 2000
    scores, rows = index.search(QUERIES, 10)
    assert (scores.dtype, rows.dtype, scores.shape) == (np.float32, np.int64, (20, 10))
    assert share(rows, truth(VECTORS, ROWS, QUERIES, 10)) >= (1.0 if index.exact else 0.9)
    by_row = dict(zip(ROWS.tolist(), VECTORS, strict=True))
    for query, own, names in zip(QUERIES, scores, rows, strict=True):
        assert np.allclose(own, [by_row[int(name)] @ query for name in names], atol=1e-6)
        assert (np.diff(own) <= 0).all()


@pytest.mark.parametrize("kept", [1, 20, 200, 600, 1000, 1999])
def test_a_filter_lets_nothing_else_through_and_leaves_nothing_out(spec: str, kept: int) -> None:
    index = built(spec)
    index.build(VECTORS, ROWS)
    allowed = np.sort(np.random.default_rng(kept).choice(ROWS, kept, replace=False))
    _, rows = index.search(QUERIES, 10, np.concatenate([[1], allowed]))  # 1 is no row of it
    wanted = truth(VECTORS, ROWS, QUERIES, 10, allowed)
    assert set(rows[rows >= 0].tolist()) <= set(allowed.tolist())
    assert [(row >= 0).sum() for row in rows] == [min(10, kept)] * 20
    assert share(rows, wanted) >= (1.0 if index.exact or kept <= 400 else 0.9)


def test_what_is_saved_is_found_again(spec: str, tmp_path: Path) -> None:
    index = built(spec)
    index.build(VECTORS, ROWS)
    index.save(tmp_path)
    again = built(spec)
    again.load(tmp_path, VECTORS, ROWS)
    for one, other in zip(index.search(QUERIES, 10), again.search(QUERIES, 10), strict=True):
        assert np.array_equal(one, other)


def test_what_is_added_is_found_and_what_is_removed_is_not(spec: str) -> None:
    index = built(spec)
    index.build(VECTORS[:1500], ROWS[:1500])
    index.remove(np.array([ROWS[0], ROWS[7], 1]))
    index.add(VECTORS[1500:], ROWS[1500:])
    assert len(index) == 1998
    scores, rows = index.search(VECTORS[[0, 7, 1600]], 1)
    assert rows[0, 0] != ROWS[0]
    assert rows[1, 0] != ROWS[7]
    assert rows[2, 0] == ROWS[1600]
    assert scores[2, 0] == pytest.approx(1.0, abs=1e-6)
    index.add(VECTORS[[0]], ROWS[[0]])
    assert index.search(VECTORS[[0]], 1)[1][0, 0] == ROWS[0]


def test_a_row_that_is_added_again_has_the_new_vector_alone(spec: str) -> None:
    index = built(spec)
    index.build(VECTORS[:100], ROWS[:100])
    index.add(VECTORS[[500]], ROWS[[3]])
    assert len(index) == 100
    assert index.search(VECTORS[[500]], 1)[1][0, 0] == ROWS[3]
    assert ROWS[3] not in index.search(VECTORS[[3]], 5)[1][0]


def test_nothing_and_less_than_asked_for(spec: str) -> None:
    index = built(spec)
    index.build(VECTORS[:0], ROWS[:0])
    scores, rows = index.search(QUERIES[:2], 3)
    assert np.isneginf(scores).all()
    assert (rows == -1).all()
    index = built(spec)
    index.build(VECTORS[:2], ROWS[:2])
    scores, rows = index.search(QUERIES[:1], 5)
    assert sorted(rows[0, :2].tolist()) == ROWS[:2].tolist()
    assert rows[0, 2:].tolist() == [-1, -1, -1]
    assert index.search(QUERIES[:1], 5, np.empty(0, np.int64))[1].tolist() == [[-1] * 5]


def test_equal_vectors_come_in_the_order_of_their_rows(spec: str) -> None:
    index = built(spec)
    copies = np.concatenate([np.repeat(VECTORS[:1], 6, axis=0), VECTORS[1:1500]])
    rows = np.concatenate([[50, 10, 40, 20, 30, 60], np.arange(100, 1599)]).astype(np.int64)
    index.build(copies, rows)
    found = index.search(VECTORS[:1], 6)[1][0].tolist()
    assert found == [10, 20, 30, 40, 50, 60]


def test_a_derived_index_knows_the_vectors_that_it_was_built_of(spec: str, tmp_path: Path) -> None:
    index = built(spec)
    if index.exact:
        pytest.skip("it holds nothing but the vectors")
    index.build(VECTORS[:1000], ROWS[:1000])
    index.remove(ROWS[:100])
    index.save(tmp_path)
    more = built(spec)
    more.load(tmp_path, VECTORS, ROWS)  # further vectors came since
    assert len(more) == 900
    found = more.search(VECTORS[100:200], 1)[1][:, 0]
    assert np.mean(found == ROWS[100:200]) >= 0.95, "threads link a graph in any order, which may lose a vector"
    assert not set(more.search(VECTORS[[50, 1500]], 1)[1][:, 0].tolist()) & {ROWS[50], ROWS[1500]}
    with pytest.raises(ValueError, match="was built of other vectors"):
        built(spec).load(tmp_path, VECTORS[200:], ROWS[200:])
