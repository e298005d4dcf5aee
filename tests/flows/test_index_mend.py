"""`index verify --repair`: damaged texts come back from their documents, or are marked for the next build."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmkit.flows.index.parts import Safety
from llmkit.flows.index.verify import verify_index
from llmkit.flows.legs import Legs
from llmkit.registry import vector_index
from llmkit.retrieval.index import Index
from llmkit.retrieval.schema import FILE_NAME
from llmkit.vectors._base import Searched
from tests.flows.test_index_build import Folder, assert_vectors_fit, content
from tests.retrieval.made_index import HashEmbedder

HIT = "WHERE document = (SELECT id FROM documents WHERE path = '03.txt') AND ordinal = 1"
TEXT = f"UPDATE chunks SET text = 'Part two of number 9.' {HIT}"


@pytest.fixture(params=[True, False], ids=["vectors", "lexical"])
def docs(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    if not request.param:
        parts = made.parts
        made.parts = lambda **changes: parts(**{"embedder": None, **changes})  # type: ignore[method-assign]
    made.build()
    return made


def damage(docs: Folder, *statements: str) -> None:
    sql = sqlite3.connect(docs.folder / FILE_NAME)
    for statement in statements:
        sql.execute(statement)
    sql.commit()
    sql.close()


def state(docs: Folder) -> Any:
    with Index.open(docs.folder) as index:
        return [*index.every()], [index.lexical(word, 99) for word in ("number", "two", "end", "3", "9")]


@pytest.mark.parametrize(
    "statement",
    [
        TEXT,
        f"UPDATE chunks SET text = '' {HIT}",
        f"UPDATE chunks SET start = start + 1 {HIT}",
        f"UPDATE chunks SET gap = 'x' {HIT}",
        f"UPDATE chunks SET lead = 'x' {HIT}",
        f"UPDATE chunks SET headings = '[\"x\"]' {HIT}",
        "UPDATE documents SET title = 'x' WHERE path = '03.txt'",
        "UPDATE documents SET meta = '{\"lang\": \"xx\"}' WHERE path = '03.txt'",
        "UPDATE chunks_fts_data SET block = zeroblob(length(block)) WHERE id > 10",
        "DELETE FROM chunks_fts_docsize",
        "DROP TABLE chunks_fts",
        "INSERT INTO chunks_fts (chunks_fts) VALUES ('delete-all')",
        "INSERT INTO chunks SELECT 99, 99, 0, 0, 1, '[]', '', 'x', 0, NULL, '', NULL",
    ],
)
def test_what_is_damaged_is_restored_at_once(docs: Folder, statement: str) -> None:
    before = state(docs)
    damage(docs, statement)
    found = verify_index(docs.folder, docs.parts())
    assert found.faults
    assert found.left == found.faults
    docs.embedder.calls.clear()
    mended = verify_index(docs.folder, docs.parts(), repair=True)
    assert (mended.faults, mended.left, mended.marked) == (found.faults, [], {})
    assert state(docs) == before
    assert docs.embedded == 0
    assert verify_index(docs.folder, docs.parts()).faults == []
    assert not docs.build().published


@pytest.mark.parametrize(
    "statement",
    [
        TEXT,
        f"DELETE FROM chunks {HIT}",
        f"DELETE FROM chunks {HIT.replace('= 1', '= 2')}",
        "DELETE FROM documents WHERE path = '03.txt'",
        "UPDATE documents SET path = '33.txt' WHERE path = '03.txt'",
        "UPDATE documents SET hash = 'x' WHERE path = '03.txt'",
    ],
)
@pytest.mark.parametrize("with_parts", [True, False])
def test_what_cannot_be_restored_is_mended_by_the_next_build(docs: Folder, statement: str, with_parts: bool) -> None:
    before = content(docs.folder)
    damage(docs, statement)
    verify_index(docs.folder, docs.parts() if with_parts else None, repair=True)
    docs.build()
    assert content(docs.folder) == before
    assert docs.embedded == 0
    assert verify_index(docs.folder, docs.parts()).faults == []


def test_a_source_that_changed_is_reported_and_read_by_the_next_build(docs: Folder) -> None:
    damage(docs, TEXT, TEXT.replace("03.txt", "04.txt"), TEXT.replace("03.txt", "05.txt"))
    docs.write("03.txt", "Another text.")
    docs.write("04.txt", "BROKEN")
    (docs.root / "05.txt").unlink()
    found = verify_index(docs.folder, docs.parts(), repair=True)
    assert found.marked == {
        "03.txt": "its source has changed since",
        "04.txt": "its source has changed since",
        "05.txt": "it is no longer in the source",
    }
    assert found.left == ["3 chunks are not what was written: 10, 13, 16"]
    built = docs.build(safety=Safety(max_failures=1))
    assert (built.counts["changed"], built.counts["removed"], built.held) == (1, 1, {})
    assert {text for path, _, _, text in content(docs.folder) if path == "03.txt"} == {"Another text."}
    assert verify_index(docs.folder).faults == ["1 chunks are not what was written: 13"], "nobody has its text any more"
    docs.write("04.txt", "Mended.")
    docs.build()
    assert verify_index(docs.folder, docs.parts()).faults == []


class Knowing(HashEmbedder):
    """Knows no word of the third document."""

    def embed(self, texts: Any, role: str) -> Any:
        found = super().embed(texts, role)
        found[["3" in text for text in texts]] = 0
        return found


def test_a_text_of_which_the_embedder_knows_no_word_is_no_damage(tmp_path: Path) -> None:
    docs = Folder(tmp_path)
    docs.build(embedder=Knowing(), tokenizer=Knowing())
    again = verify_index(docs.folder, docs.parts(embedder=Knowing(), tokenizer=Knowing()))
    assert (again.faults, again.embedded) == ([], 30)


def test_damage_beside_lost_vectors(tmp_path: Path) -> None:
    docs = Folder(tmp_path)
    docs.build()
    before = content(docs.folder)
    damage(docs, TEXT, "UPDATE chunks SET key = x'00' WHERE number = 4")
    file = docs.folder / "vectors-1.f32"
    data = bytearray(file.read_bytes())
    data[64 * 4 * 7] ^= 1
    file.write_bytes(data)
    found = verify_index(docs.folder, docs.parts(), repair=True)
    assert (found.restored, len(found.left)) == (["03.txt"], 2)
    docs.build()
    assert (docs.embedded, content(docs.folder)) == (1, before)
    assert verify_index(docs.folder, docs.parts()).faults == []
    assert_vectors_fit(docs)


@vector_index("written")
@dataclass(frozen=True)
class Written(Searched):
    """Searches every vector, and writes a file as an approximate index writes its graph."""

    def _save(self, folder: Path) -> None:
        (folder / "graph").write_bytes(b"graph")

    def _load(self, folder: Path) -> Any:
        if (folder / "graph").read_bytes() != b"graph":
            raise ValueError("it is damaged")

    def _near(self, queries: Any, count: int) -> Any:
        return np.argsort(-(queries @ self._held.vectors.T), axis=1, kind="stable")[:, :count]


@pytest.mark.parametrize("name", ["graph", "rows.npy"])
@pytest.mark.parametrize("left", [None, b"", b"gr"])
def test_a_damaged_vector_index_is_passed_over_told_and_made_anew(
    tmp_path: Path, name: str, left: bytes | None
) -> None:
    docs = Folder(tmp_path)
    docs.build(vector="written")
    (file,) = docs.folder.glob(f"ann-*/{name}")
    file.unlink()
    if left is not None:
        file.write_bytes(left)
    with Index.open(docs.folder) as index:
        legs = Legs(index, HashEmbedder())
        vectors, places = index.vectors()
        number = int(index.numbers()[3])
        assert legs.dense(vectors[places[number]], 1, None)[0][0] == number
    fault = f"{file.parent.name} is damaged; every vector is searched in its place"
    assert verify_index(docs.folder, docs.parts(vector="written")).faults == [fault]
    assert verify_index(docs.folder, docs.parts(vector="written"), repair=True).left == []
    docs.build(vector="written")
    assert file.is_file()
    assert verify_index(docs.folder, docs.parts(vector="written")).faults == []
