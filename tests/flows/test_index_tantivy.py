"""The lexical engine tantivy: derived beside FTS5, the same words, the same filters, gone and damaged and made anew."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmkit.config.index_config import make_index_config
from llmkit.errors import ConfigError, MissingExtraError
from llmkit.flows.index.derive import collect_dead, derive_words
from llmkit.flows.index.setup import prepared
from llmkit.flows.index.status import index_status, status_lines
from llmkit.flows.index.verify import verify_index
from llmkit.retrieval import tantivy
from llmkit.retrieval.index import Index
from llmkit.retrieval.schema import FILE_NAME
from llmkit.retrieval.store import IndexStore
from tests.flows.test_index_build import Folder
from tests.flows.test_index_eval import collection
from tests.retrieval.made_index import make_index

QUERIES = (
    "document number 7",
    "the end",
    "Part two of number",
    "the",
    "documents begin begin",
    "nothing at all like it",
)


@pytest.fixture
def docs(tmp_path: Path) -> Folder:
    pytest.importorskip("tantivy", reason="needs the package tantivy")
    return Folder(tmp_path, 30)


@pytest.mark.parametrize("tokenizer", ["trigram", "none"])
def test_tokenizers_that_it_has_not_are_refused(tokenizer: str) -> None:
    with pytest.raises(ConfigError, match=f"needs the tokenizer porter or unicode61, not {tokenizer}"):
        make_index_config({"source": ".", "name": "x", "lexical": {"engine": "tantivy", "tokenizer": tokenizer}})


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tantivy, "find_spec", lambda _: None)
    config = make_index_config({"source": str(tmp_path), "name": "x", "lexical": {"engine": "tantivy"}})
    with pytest.raises(MissingExtraError, match=r"pip install 'llmkit\[tantivy\]'"), prepared(config):
        pass
    make_index(tmp_path, {"a.md": "cat"}).close()
    (tmp_path / "words-1-porter").mkdir()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as sql:
        sql.execute("INSERT INTO meta VALUES ('words', 'words-1-porter')")
        sql.commit()
    with Index.open(tmp_path) as index, pytest.raises(MissingExtraError, match="lexical engine 'tantivy'"):
        index.lexical("cat", 3)
    assert index_status(tmp_path)["lexical_engine"] == "tantivy"


@pytest.mark.slow
def test_it_finds_what_fts5_finds(docs: Folder) -> None:
    docs.build()
    plain = found(docs.folder)
    docs.build(lexical_engine="tantivy")
    with Index.open(docs.folder) as index:
        assert index.engine == "tantivy"
    assert [{number for number, _ in one} for one in found(docs.folder)] == [{n for n, _ in one} for one in plain]
    for one in found(docs.folder):
        assert one == sorted(one, key=lambda pair: (-pair[1], pair[0])), "ties by number"
    with Index.open(docs.folder) as index:
        for query in QUERIES:
            whole = index.lexical(query, 99)
            for k in (1, 7, 40):
                assert index.lexical(query, k) == whole[:k]


def found(folder: Path) -> list[list[tuple[int, float]]]:
    with Index.open(folder) as index:
        return [index.lexical(query, 99) for query in QUERIES]


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.005, 0.02, 0.1, 0.5, 1.0])
def test_a_filter_loses_nothing(tmp_path: Path, share: float) -> None:
    pytest.importorskip("tantivy", reason="needs the package tantivy")
    draw = np.random.default_rng(0)
    words = np.array(["ant", "bee", "cat", "dog", "elk"])
    make_index(tmp_path, {"a.md": [" ".join(draw.choice(words, 6)) for _ in range(2000)]}).close()
    with IndexStore(tmp_path) as store:
        derive_words(store, "tantivy")
    with Index.open(tmp_path) as index:
        allowed = np.flatnonzero(draw.random(2000) < share)
        every = index.lexical("cat dog", 2000)
        wanted = [pair for pair in every if pair[0] in set(allowed.tolist())]
        for k in (1, 10, 300, 2000):
            assert index.lexical("cat dog", k, allowed) == wanted[:k]
        assert index.lexical("cat dog", 3, np.empty(0, np.int64)) == []


@pytest.mark.slow
def test_it_is_derived_from_each_generation_and_made_anew_where_it_is_lost(docs: Folder) -> None:
    docs.build(lexical_engine="tantivy")
    assert names(docs.folder) == ["words-1-porter"]
    with Index.open(docs.folder) as before:
        assert not before.lexical("zebra", 9)
        docs.write("07.txt", "A zebra.")
        docs.build(lexical_engine="tantivy")
        assert names(docs.folder) == ["words-2-porter"]
        assert not before.lexical("zebra", 9), "a reader keeps its generation"
    with Index.open(docs.folder) as index:
        assert index.engine == "tantivy"
        assert len(index.lexical("zebras", 9)) == 1
    shutil.rmtree(docs.folder / "words-2-porter")
    with Index.open(docs.folder) as index:
        assert index.engine == "fts5"
        assert len(index.lexical("zebras", 9)) == 1
    assert not docs.build(lexical_engine="tantivy").published
    assert names(docs.folder) == ["words-2-porter"]
    collect_dead(docs.folder)
    assert names(docs.folder) == ["words-2-porter"]
    docs.write("08.txt", "Another zebra.")
    docs.build()
    assert names(docs.folder) == []


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("words-*"))


@pytest.mark.slow
def test_damage_is_told_and_fts5_finds_meanwhile(docs: Folder) -> None:
    docs.build(lexical_engine="tantivy")
    status = index_status(docs.folder)
    assert status["lexical_engine"] == "tantivy"
    assert any(line.endswith(", by tantivy") for line in status_lines(status))
    assert verify_index(docs.folder).faults == []
    folder = docs.folder / "words-1-porter"
    for file in damaged(folder):
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        with Index.open(docs.folder) as index:
            assert (index.engine, len(index.lexical("number", 99))) == ("fts5", 30), file.name
        assert verify_index(docs.folder).faults == ["words-1-porter is damaged; FTS5 finds words in its place"]
        file.write_bytes(whole)
    for file in folder.glob("*.pos"):
        whole = file.read_bytes()
        file.write_bytes(whole[:8] + bytes([whole[8] ^ 1]) + whole[9:])
    assert verify_index(docs.folder).faults == ["words-1-porter is not what was written"]
    (folder / "meta.json").unlink()
    verify_index(docs.folder, repair=True)
    docs.build(lexical_engine="tantivy")
    with Index.open(docs.folder) as index:
        assert index.engine == "tantivy"
    with closing(sqlite3.connect(docs.folder / FILE_NAME)) as sql:
        sql.execute("DELETE FROM chunks WHERE number = 0")
        sql.commit()
    assert "words-1-porter holds 90 chunks, and there are 89" in verify_index(docs.folder).faults


def damaged(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.suffix in {".json", ".idx", ".term", ".fieldnorm"})


@pytest.mark.slow
def test_on_real_texts_the_ten_best_are_nearly_those_of_fts5(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("tantivy", reason="needs the package tantivy")
    texts, topics, _ = collection("cacm", shared_data / "ir_collections")
    make_index(tmp_path, texts).close()
    queries: list[Any] = list(topics.values())
    with Index.open(tmp_path) as index:
        plain = [{number for number, _ in index.lexical(query, 10)} for query in queries]
    with IndexStore(tmp_path) as store:
        derive_words(store, "tantivy")
    with Index.open(tmp_path) as index:
        assert index.engine == "tantivy"
        other = [{number for number, _ in index.lexical(query, 10)} for query in queries]
    recall = sum(len(own & right) for own, right in zip(other, plain, strict=True)) / sum(map(len, plain))
    assert recall > 0.9
