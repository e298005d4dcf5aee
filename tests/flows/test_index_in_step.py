"""An index stays in step with its documents, whatever they do to stay unseen."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from llmkit.documents import Found
from llmkit.documents.folder import FolderSource
from llmkit.flows.index.build import build_index
from llmkit.flows.index.options import Built
from llmkit.flows.index.parts import Safety
from llmkit.flows.index.plan import DOUBT_NS, make_plan
from llmkit.retrieval.index import Index
from llmkit.retrieval.store import IndexStore
from tests.cli.command import llmkit
from tests.flows.index_source import parts_of

SAFE = Safety(max_failures=1)


def write(base: Path, **texts: str) -> Path:
    root = base / "texts"
    root.mkdir(exist_ok=True)
    for name, text in texts.items():
        (root / f"{name}.txt").write_text(text)
        os.utime(root / f"{name}.txt", (1_600_000_000, 1_600_000_000))
    return root


def build(base: Path, source: Any = None) -> Built:
    root = base / "texts"
    return build_index(parts_of(root, base / "index", source=source or FolderSource(root), safety=SAFE))


def texts(base: Path) -> dict[str, str]:
    with Index.open(base / "index") as index:
        return {chunk.path: chunk.text for chunk in index.every()}


def test_rows_whose_ids_end_like_folders_are_rows(tmp_path: Path) -> None:
    def built(*ids: str) -> dict[str, int]:
        rows = "\n".join(f'{{"id": "{name}", "text": "The page {name}."}}' for name in ids)
        (tmp_path / "rows.jsonl").write_text(rows)
        done = llmkit("index", "build", "table.yaml", "--format", "json", folder=tmp_path)
        assert done.code == 0, done.err
        counts: dict[str, int] = done.json["counts"]
        return counts

    (tmp_path / "table.yaml").write_text("source: {jsonl: rows.jsonl}\nstore: index\n", encoding="utf-8")
    counts = built("https://a.org/", "https://a.org/b/", "https://a.org/c")
    assert (counts["added"], counts["failed"], counts["documents"]) == (3, 0, 3)
    counts = built("https://a.org/", "https://a.org/b/")
    assert (counts["removed"], counts["documents"]) == (1, 2)


def test_what_a_closed_root_holds_is_not_gone(tmp_path: Path) -> None:
    class Closed(FolderSource):
        def scan(self) -> Any:
            yield Found("/", 0, 0, problem="the folder cannot be looked into: permission denied", folder=True)

    root = write(tmp_path, a="one")
    build(tmp_path)
    with IndexStore(tmp_path / "index") as store:
        plan = make_plan(parts_of(root, tmp_path / "index", source=Closed(root)), store.documents(), {})
    assert (plan.removed, plan.kept) == ([], {"a.txt"})


def test_files_of_one_size_and_time_that_change_places_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path, a="first", b="other")
    later = time.time_ns() + 10 * DOUBT_NS
    monkeypatch.setattr(time, "time_ns", lambda: later)
    build(tmp_path)
    (root / "a.txt").rename(tmp_path / "spare")
    (root / "b.txt").rename(root / "a.txt")
    (tmp_path / "spare").rename(root / "b.txt")
    assert build(tmp_path).counts["changed"] == 2
    assert texts(tmp_path) == {"a.txt": "other", "b.txt": "first"}


def test_a_file_that_nobody_touched_is_not_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unhashed(FolderSource):
        def digest(self, found: Found) -> str:
            raise AssertionError(f"{found.path} was hashed")

    root = write(tmp_path, a="first")
    later = time.time_ns() + 10 * DOUBT_NS
    monkeypatch.setattr(time, "time_ns", lambda: later)
    build(tmp_path)
    assert build(tmp_path, Unhashed(root)).counts["unchanged"] == 1


def test_a_file_that_changes_while_it_is_read_and_back_is_read_next_time(tmp_path: Path) -> None:
    class Busy(FolderSource):
        """Another text stands there for the moment of reading."""

        def load(self, found: Found) -> Any:
            kept = (self.root / found.path).read_text()
            (self.root / found.path).write_text(kept.upper())
            try:
                return super().load(found)
            finally:
                (self.root / found.path).write_text(kept)

    root = write(tmp_path, a="first", b="second")
    built = build(tmp_path, Busy(root))
    assert set(built.failures.values()) == {"the file changed while the index was built; build again"}
    assert build(tmp_path).counts["added"] == 2
    assert texts(tmp_path) == {"a.txt": "first", "b.txt": "second"}
