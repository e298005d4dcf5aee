"""An index whose SQLite file has broken pages: what can be read is saved, and a build brings back the rest."""

from __future__ import annotations

import random
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from llmkit.errors import InfrastructureError, UsageError
from llmkit.flows.index.verify import verify_index
from llmkit.retrieval.index import Index
from llmkit.retrieval.salvage import BROKEN_NAME
from llmkit.retrieval.schema import FILE_NAME
from tests.flows.test_index_build import Folder, assert_vectors_fit, content
from tests.retrieval.made_index import HashEmbedder

PAGE = 8192


def many(folder: Path) -> Folder:
    docs = Folder(folder, 0)
    rng = random.Random(0)
    words = [f"word{number}" for number in range(400)]
    for number in range(60):
        docs.write(f"{number:02}.txt", "\n\n".join(" ".join(rng.choices(words, k=60)) for _ in range(12)))
    docs.build()
    return docs


def break_pages(path: Path, seed: int, count: int) -> None:
    rng = random.Random(seed)
    with path.open("r+b") as file:
        pages = file.seek(0, 2) // PAGE
        for page in rng.sample(range(1, pages), count):
            file.seek(page * PAGE)
            file.write(rng.randbytes(PAGE))


@pytest.mark.parametrize("seed", range(8))
def test_broken_pages_lose_nothing_that_the_documents_still_have(tmp_path: Path, seed: int) -> None:
    docs = many(tmp_path)
    before = content(docs.folder)
    break_pages(docs.folder / FILE_NAME, seed, 1 + seed)
    found = verify_index(docs.folder, docs.parts())
    assert found.faults
    assert found.behind is None
    told = verify_index(docs.folder, docs.parts(), repair=True)
    assert told.left
    with suppress(UsageError), Index.open(docs.folder) as index:
        assert len([*index.every()]) == index.meta.chunks == len(index.numbers())
        assert bool(index.lexical("word1", 5)) == (index.meta.chunks > 0)
    docs.build()
    assert content(docs.folder) == before
    assert docs.embedded <= 720
    assert verify_index(docs.folder, docs.parts()).faults == []
    assert_vectors_fit(docs)


def test_all_vectors_of_chunks_that_can_be_read_are_kept(tmp_path: Path) -> None:
    docs = many(tmp_path)
    sql = sqlite3.connect(docs.folder / FILE_NAME)
    (root,) = sql.execute("SELECT rootpage FROM sqlite_master WHERE name = 'chunks_of_document'").fetchone()
    sql.close()
    with (docs.folder / FILE_NAME).open("r+b") as file:
        file.seek((root - 1) * PAGE)
        file.write(b"\xff" * PAGE)
    with pytest.raises(InfrastructureError, match=r"is damaged: .*'llmkit index verify' says what is lost"):
        docs.build(embedder=HashEmbedder(version="2"))
    found = verify_index(docs.folder, docs.parts(), repair=True)
    assert found.left == [
        "of index.sqlite 720 chunks could be read; a build reads every document again and embeds what is lost"
    ]
    assert (docs.folder / BROKEN_NAME).is_file()
    docs.build()
    assert docs.embedded == 0
    assert verify_index(docs.folder, docs.parts()).faults == []


def test_a_file_of_which_nothing_can_be_read_is_left_as_it_is(tmp_path: Path) -> None:
    docs = Folder(tmp_path)
    docs.build()
    path = docs.folder / FILE_NAME
    path.write_bytes(b"\xff" * len(path.read_bytes()))
    with pytest.raises(InfrastructureError, match=r"not a database.*remove the folder"):
        verify_index(docs.folder, docs.parts(), repair=True)
    assert path.read_bytes()[:4] == b"\xff" * 4
