"""Reading an index: chunks, neighbours, filters, vectors, BM25, snapshots; and files that are none."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from llmkit.errors import InfrastructureError, UsageError
from llmkit.retrieval.filters import compile_filter
from llmkit.retrieval.index import Index
from llmkit.retrieval.match import match_of
from llmkit.retrieval.schema import FILE_NAME
from llmkit.retrieval.store import IndexStore
from tests.retrieval.made_index import HashEmbedder, make_index

TEXTS = {
    "a.md": ["The cat sat on the mat.", "Dogs chase cats.", "The end."],
    "b.md": "A returned order is refunded within 30 days.",
    "c.md": "Dogs chase cats.",
}
META = {"a.md": {"lang": "en", "date": "2023-05-01"}, "b.md": {"lang": "de", "date": "2024-02-29"}}


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return make_index(
        tmp_path / "index",
        TEXTS,
        embedder=HashEmbedder(),
        meta=META,
        titles={"b.md": "Returns"},
        fields={"lang": "str", "date": "date"},
    )


def test_an_index_says_what_it_is_made_of(index: Index) -> None:
    with index:
        assert (index.meta.documents, index.meta.chunks, index.meta.generation) == (3, 5, 1)
        assert (index.meta.oldest, index.meta.newest) == ("2023-05-01", "2024-02-29")
        assert index.meta.dimensions == 64
        assert index.numbers().tolist() == [0, 1, 2, 3, 4]


def test_chunks_come_in_the_order_that_was_asked_for(index: Index) -> None:
    with index:
        found = index.chunks([3, 0])
        assert [(chunk.path, chunk.text) for chunk in found] == [("b.md", TEXTS["b.md"]), ("a.md", TEXTS["a.md"][0])]
        assert found[0].title == "Returns"
        assert found[0].meta == META["b.md"]
        with pytest.raises(LookupError, match="no chunk has the number 99"):
            index.chunks([99])
        assert [chunk.number for chunk in index.every()] == [0, 1, 2, 3, 4]


def test_neighbours_are_of_the_same_document(index: Index) -> None:
    with index:
        assert [chunk.text for chunk in index.around(1, 1, 5)] == TEXTS["a.md"]
        assert [chunk.ordinal for chunk in index.around(3, 2, 2)] == [0]


def test_a_filter_passes_the_chunks_of_documents(index: Index) -> None:
    with index:
        assert index.allowed(None) is None
        passing = index.allowed(compile_filter("lang = en", index.meta.fields))
        assert passing is not None
        assert passing.tolist() == [0, 1, 2]
        assert index.lexical("cats", 10, passing) == [hit for hit in index.lexical("cats", 10) if hit[0] in {0, 1, 2}]


def test_equal_texts_share_a_vector(index: Index) -> None:
    with index:
        vectors, rows = index.vectors()
        assert vectors.shape == (4, 64)
        assert rows[1] == rows[4]
        assert len(set(rows.tolist())) == 4
        expected = HashEmbedder().embed([f"Returns\n\n{TEXTS['b.md']}"], "passage")[0]
        assert np.array_equal(vectors[rows[3]], expected)


def test_bm25_stems_ranks_and_searches_the_title(index: Index) -> None:
    with index:
        assert [number for number, _ in index.lexical("cat", 10)] == [1, 4, 0]
        assert [number for number, _ in index.lexical("what about returning?", 10)] == [3]
        assert index.lexical("cat", 1)[0][1] > 0
        assert index.lexical("?!", 5) == []
        assert index.lexical('NEAR("cat" OR) AND *', 5)


def test_words_of_a_question_are_never_operators() -> None:
    assert match_of('the "cat" AND the dog*') == '"cat" OR "dog"'
    assert match_of("the of") == '"the" OR "of"'
    assert match_of(" ") == ""


def test_a_lexical_index_has_no_vectors(tmp_path: Path) -> None:
    with make_index(tmp_path, TEXTS) as index:
        assert index.lexical("order", 3)[0][0] == 3
        assert index.numbers().tolist() == [0, 1, 2, 3, 4]
        with pytest.raises(UsageError, match="lexical only"):
            index.vectors()


def test_an_open_index_stays_as_it_was(tmp_path: Path) -> None:
    before = make_index(tmp_path, TEXTS, embedder=HashEmbedder())
    after = make_index(tmp_path, {"b.md": "Nothing."}, embedder=HashEmbedder(version="2"))
    with before, after:
        assert (before.meta.generation, after.meta.generation) == (1, 2)
        assert before.chunks([3])[0].text == TEXTS["b.md"]
        vectors, rows = before.vectors()
        assert np.allclose(np.linalg.norm(vectors[rows], axis=1), 1)
        assert after.meta.embed_fingerprint == "hash-64-2"


def test_what_is_no_index_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no index in"):
        Index.open(tmp_path)
    with IndexStore(tmp_path / "new"):
        pass
    with pytest.raises(UsageError, match="never built to its end"):
        Index.open(tmp_path / "new")
    (tmp_path / FILE_NAME).write_bytes(b"not a database at all" * 100)
    for opened in (Index.open, IndexStore):
        with pytest.raises(InfrastructureError, match=r"is damaged: file is not a database; .*or remove the folder"):
            opened(tmp_path)


@pytest.mark.parametrize(("version", "says"), [(99, "a newer llmkit"), (0, "an older llmkit")])
def test_another_schema_is_refused(tmp_path: Path, version: int, says: str) -> None:
    make_index(tmp_path, TEXTS).close()
    sql = sqlite3.connect(tmp_path / FILE_NAME)
    sql.execute(f"PRAGMA user_version = {version}")
    sql.close()
    for attempt in (Index.open, IndexStore):
        with pytest.raises(InfrastructureError, match=says):
            attempt(tmp_path)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    sql = sqlite3.connect(tmp_path / FILE_NAME)
    sql.execute("CREATE TABLE theirs (x)")
    sql.close()
    with pytest.raises(InfrastructureError, match="database of another program"):
        IndexStore(tmp_path)


def test_a_second_writer_is_refused_and_readers_are_not(tmp_path: Path) -> None:
    make_index(tmp_path, TEXTS).close()
    with IndexStore(tmp_path), pytest.raises(InfrastructureError, match=r"another llmkit \(pid \d+ since .*is writing"):
        IndexStore(tmp_path)
    with IndexStore(tmp_path), Index.open(tmp_path) as index:
        assert index.meta.chunks == 5


def test_a_vector_file_that_lost_its_end_is_told(tmp_path: Path) -> None:
    make_index(tmp_path, TEXTS, embedder=HashEmbedder()).close()
    file = tmp_path / "vectors-1.f32"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(InfrastructureError, match=r"vectors-1\.f32 is damaged: it is shorter than its 4 vectors"):
        Index.open(tmp_path)
    file.unlink()
    with pytest.raises(InfrastructureError, match=r"vectors-1\.f32 is damaged: it is missing"):
        Index.open(tmp_path)
