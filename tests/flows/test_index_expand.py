"""Neighbours are shown as one range of the document, with what stands between the chunks; what that costs."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.config.index_config import make_index_config
from llmkit.document import Document
from llmkit.flows.index.build import build_index
from llmkit.flows.index.forecast import forecast
from llmkit.flows.index.load import staged
from llmkit.flows.index.options import Built
from llmkit.flows.index.setup import prepared
from llmkit.flows.index.verify import verify_index
from llmkit.flows.search import joined, spans_of
from llmkit.retrieval.index import Index
from llmkit.retrieval.records import StoredChunk
from llmkit.retrieval.schema import FILE_NAME
from tests.flows.index_source import parts_of
from tests.flows.test_index_build import Folder, content

TEXT = """---
title: Returns
---

# Returns


An item can be returned within 30 days.   It is refunded.

<!-- a comment -->

```python
refund(item)


again(item)
```


## Costs

* the sender pays;

* unless it is broken.
"""


def build(folder: Path, **changes: Any) -> Built:
    config = make_index_config({"name": "n", "source": str(folder / "docs"), "store": str(folder / "ix"), **changes})
    with prepared(config) as parts:
        return build_index(parts)


@pytest.mark.parametrize(
    "chunk",
    [
        {"structural": {"size": 8}},
        {"fixed": {"size": 7, "overlap": 3}},
        {"fixed": {"size": 5}},
        {"sentences": {"count": 1}},
        {"retro": {"size": 6}},
        "whole",
    ],
    ids=str,
)
def test_neighbours_are_the_text_of_one_range(tmp_path: Path, chunk: Any) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text(TEXT)
    (tmp_path / "docs" / "b.txt").write_bytes(TEXT.replace("\n", "\r\n").encode())
    build(tmp_path, chunk=chunk)
    texts = {"a.md": TEXT, "b.txt": TEXT.replace("\n", "\r\n")}
    with Index.open(tmp_path / "ix") as index:
        for chunk_ in index.every():
            for before in range(4):
                for after in range(4):
                    found = index.around(chunk_.number, before, after)
                    [(start, end)] = spans_of(found)
                    assert joined(found) == texts[chunk_.path][start:end]


@given(st.text("ab \n", max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=8))
def test_any_cut_of_any_text_joins_to_it(text: str, places: list[tuple[int, int]]) -> None:
    cuts = [CutAt(start, min(start + size, len(text))) for start, size in sorted(places) if start < len(text)]
    parts = parts_of(Path(), Path())
    made = staged(parts, "a", "h", Document("a", text), cuts)
    chunks = [StoredChunk(n, "a", "", (), c.start, c.end, c.text, {}, n, 0, c.gap) for n, c in enumerate(made.chunks)]
    for first in range(len(chunks)):
        for last in range(first, len(chunks)):
            shown = chunks[first : last + 1]
            [(start, end)] = spans_of(shown)
            assert joined(shown) == text[start:end]


class CutAt:
    headings: tuple[str, ...] = ()
    page = 0

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end


def as_version_1(folder: Path) -> None:
    """Take away what version 2 of the tables brought."""
    sql = sqlite3.connect(folder / FILE_NAME)
    taken = {"documents": ["crc"], "chunks": ["gap", "crc"], "failures": ["holds"], "staged_documents": ["crc"]}
    for table, columns in {**taken, "staged_chunks": ["gap", "crc"]}.items():
        for column in columns:
            sql.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    sql.execute("PRAGMA user_version = 1")
    sql.commit()
    sql.close()


def test_an_index_of_version_1_is_searched_and_brought_up_to_date_without_embedding(tmp_path: Path) -> None:
    docs = Folder(tmp_path)
    docs.build()
    before = content(docs.folder)
    as_version_1(docs.folder)
    with Index.open(docs.folder) as index:
        found = index.around(0, 0, 2)
        assert joined(found) == "Document 0 begins.\n\nPart two of number 0.\n\nThe end."
        assert len(spans_of(found)) == 3, "what lies between is not known"
        assert index.lexical("two", 3)
    assert forecast(docs.parts()).counts["changed"] == 10
    with Index.open(docs.folder) as old:
        docs.write("03.txt", "BROKEN")
        built = docs.build()
        assert len(old.chunks([0, 1])) == 2
        assert old.around(0, 0, 1)[1].gap is None
    assert (docs.embedded, built.generation, sorted(built.failures)) == (0, 2, ["03.txt"])
    assert content(docs.folder) == before
    assert verify_index(docs.folder).faults == []
    with Index.open(docs.folder) as index:
        gaps = {chunk.path: len(spans_of(index.around(chunk.number, 9, 9))) for chunk in index.every()}
        assert gaps == {f"{number:02}.txt": 3 if number == 3 else 1 for number in range(10)}


def test_what_is_kept_for_it_costs_a_few_bytes_a_chunk(tmp_path: Path) -> None:
    docs = Folder(tmp_path, 0)
    for number in range(60):
        docs.write(f"{number}.txt", "\n\n".join(f"{number} {part} " + "word " * 60 for part in range(20)))
    docs.build()

    def size() -> int:
        sql = sqlite3.connect(docs.folder / FILE_NAME)
        sql.execute("VACUUM")
        sql.close()
        return (docs.folder / FILE_NAME).stat().st_size

    whole = size()
    as_version_1(docs.folder)
    assert (whole - size()) / 1200 < 20
