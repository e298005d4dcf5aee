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
    assert not any("\n" in fault or "***" in fault for fault in found.faults)
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


def flip(path: Path, *places: int) -> None:
    data = bytearray(path.read_bytes())
    for place in places:
        data[place] ^= 0x80
    path.write_bytes(data)


@pytest.mark.parametrize("page", [0, 1])
def test_a_broken_first_page_or_page_of_values_loses_no_vector(tmp_path: Path, page: int) -> None:
    docs = many(tmp_path)
    before, path = content(docs.folder), docs.folder / FILE_NAME
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(b"\xff" * PAGE)
    with pytest.raises(InfrastructureError, match=r"is damaged: .*--repair"):
        Index.open(docs.folder)
    assert verify_index(docs.folder, docs.parts(), repair=True).left
    docs.build()
    assert content(docs.folder) == before
    assert docs.embedded == 0
    assert verify_index(docs.folder, docs.parts()).faults == []
    assert_vectors_fit(docs)


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bits_are_told_in_sentences_and_lose_nothing(tmp_path: Path, seed: int) -> None:
    docs = many(tmp_path)
    before, path = content(docs.folder), docs.folder / FILE_NAME
    rng = random.Random(seed)
    flip(path, *(rng.randrange(4 * PAGE if place % 2 else path.stat().st_size) for place in range(6)))
    with suppress(InfrastructureError), Index.open(docs.folder) as index:
        index.vectors()
        list(index.every())
        index.lexical("word1 word2", 5)
    verify_index(docs.folder, docs.parts())
    verify_index(docs.folder, docs.parts(), repair=True)
    docs.build()
    assert verify_index(docs.folder, docs.parts()).faults == []
    assert content(docs.folder) == before
    assert_vectors_fit(docs)


def test_what_sqlite_says_of_rows_of_a_table_is_mended_too(tmp_path: Path) -> None:
    docs = many(tmp_path)
    path = docs.folder / FILE_NAME
    sql = sqlite3.connect(path, isolation_level=None)
    sql.execute("PRAGMA writable_schema = ON")
    sql.execute(
        "UPDATE sqlite_master SET sql = replace(sql, 'version TEXT NOT NULL', 'version TEXT') WHERE name = 'runs'"
    )
    sql.execute("PRAGMA writable_schema = RESET")
    sql.execute("UPDATE runs SET version = NULL")
    sql.execute("PRAGMA writable_schema = ON")
    sql.execute(
        "UPDATE sqlite_master SET sql = replace(sql, 'version TEXT', 'version TEXT NOT NULL') WHERE name = 'runs'"
    )
    sql.close()
    assert verify_index(docs.folder, docs.parts(), repair=True).faults == ["index.sqlite: NULL value in runs.version"]
    docs.build()
    assert docs.embedded == 0
    assert verify_index(docs.folder, docs.parts()).faults == []


@pytest.mark.parametrize("last", [True, False])
def test_a_key_out_of_order_does_not_lead_in_a_circle(tmp_path: Path, last: bool) -> None:
    docs = Folder(tmp_path)
    docs.build()
    before, path = content(docs.folder), docs.folder / FILE_NAME
    sql = sqlite3.connect(path)
    (key,) = sql.execute(f"SELECT key FROM vectors ORDER BY key {'DESC' if last else ''}").fetchone()
    (root,) = sql.execute("SELECT rootpage FROM sqlite_master WHERE name = 'vectors'").fetchone()
    sql.close()
    data = bytearray(path.read_bytes())
    data[data.index(key, (root - 1) * PAGE)] = 0 if last else 255
    path.write_bytes(data)
    flip(path, 1 * PAGE)  # a page that cannot be read
    verify_index(docs.folder, docs.parts(), repair=True)
    docs.build()
    assert content(docs.folder) == before
    assert verify_index(docs.folder, docs.parts()).faults == []


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
    with pytest.raises(InfrastructureError, match=r"nothing can be read of it; remove the folder"):
        verify_index(docs.folder, docs.parts(), repair=True)
    assert path.read_bytes()[:4] == b"\xff" * 4
