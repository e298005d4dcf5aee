"""Building an index: what is read, what is embedded, what is refused, what is kept."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmkit import registry
from llmkit.errors import InfrastructureError, Interrupted
from llmkit.flows.index.build import build_index
from llmkit.flows.index.forecast import forecast
from llmkit.flows.index.options import BuildOptions, Notice
from llmkit.flows.index.parts import Parts, Safety
from llmkit.flows.index.verify import verify_index
from llmkit.hashing import digest
from llmkit.retrieval.checks import faults
from llmkit.retrieval.gc import collect, dead_share
from llmkit.retrieval.index import Index
from llmkit.retrieval.store import IndexStore
from tests.flows.index_source import TextFolder, parts_of
from tests.retrieval.made_index import HashEmbedder

LONG_AGO = 1_600_000_000


class Folder:
    """Documents on disk and an index of them."""

    def __init__(self, base: Path, count: int = 10) -> None:
        self.root = base / "texts"
        self.root.mkdir()
        self.folder = base / "index"
        self.embedder = HashEmbedder()
        self.clock = LONG_AGO
        for number in range(count):
            self.write(f"{number:02}.txt", f"Document {number} begins.\n\nPart two of number {number}.\n\nThe end.")

    def write(self, name: str, text: str | bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        self.clock += 10
        os.utime(path, (self.clock, self.clock))

    def parts(self, **changes: Any) -> Parts:
        return parts_of(self.root, self.folder, **{"embedder": self.embedder, **changes})

    def build(self, options: BuildOptions | None = None, **changes: Any) -> Any:
        self.embedder.calls.clear()
        return build_index(self.parts(**changes), options)

    @property
    def embedded(self) -> int:
        return sum(map(len, self.embedder.calls))


@pytest.fixture
def docs(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def content(folder: Path) -> set[tuple[str, int, int, str]]:
    with Index.open(folder) as index:
        return {(chunk.path, chunk.start, chunk.end, chunk.text) for chunk in index.every()}


def test_a_first_build_reads_and_embeds_everything(docs: Folder) -> None:
    built = docs.build()
    assert built.counts == {
        "added": 10, "changed": 0, "moved": 0, "removed": 0, "failed": 0, "unchanged": 0,
        "embedded": 21, "documents": 10, "chunks": 30, "truncated": 0,
    }  # fmt: skip
    assert (built.generation, built.published) == (1, True)
    assert docs.embedded == 21, "'The end.' stands in ten documents and is embedded once"
    assert built.tokens == sum(len(text.split()) for call in docs.embedder.calls for text in call)


def test_an_unchanged_folder_is_neither_read_nor_published(docs: Folder) -> None:
    docs.build()
    built = docs.build(source=Unreadable(docs.root))
    assert (built.generation, built.published, built.counts["unchanged"]) == (1, False, 10)
    assert docs.embedded == 0


class Unreadable(TextFolder):
    """Fails the test when a document is opened."""

    def digest(self, found: Any) -> str:
        raise AssertionError(f"{found.path} was hashed")

    load = digest  # type: ignore[assignment]


def test_a_rename_a_swap_and_a_copy_embed_nothing(docs: Folder) -> None:
    docs.build()
    (docs.root / "00.txt").rename(docs.root / "renamed.txt")
    built = docs.build()
    assert (built.counts["moved"], built.counts["added"], built.counts["removed"], docs.embedded) == (1, 0, 0, 0)
    first, second = docs.root / "01.txt", docs.root / "02.txt"
    one, two = first.read_text(), second.read_text()
    docs.write("01.txt", two)
    docs.write("02.txt", one)
    docs.write("copy.txt", one)
    built = docs.build()
    assert (built.counts["changed"], built.counts["added"], docs.embedded) == (2, 1, 0)
    with Index.open(docs.folder) as index:
        texts = {chunk.path: chunk.text for chunk in index.every() if chunk.ordinal == 0}
    assert (texts["01.txt"], texts["02.txt"], texts["copy.txt"]) == (
        "Document 2 begins.", "Document 1 begins.", "Document 1 begins.",
    )  # fmt: skip


def test_a_one_line_edit_embeds_one_chunk(docs: Folder) -> None:
    docs.build()
    docs.write("03.txt", (docs.root / "03.txt").read_text().replace("Part two", "Part three"))
    built = docs.build()
    assert (docs.embedded, built.counts["changed"], built.generation) == (1, 1, 2)
    with Index.open(docs.folder) as index:
        assert index.lexical("three", 5)
        assert all(chunk.text != "Part two of number 3." for chunk in index.every())


def test_an_edit_that_keeps_size_and_time_is_found_by_hashes(docs: Folder) -> None:
    docs.build()
    stat = (docs.root / "03.txt").stat()
    (docs.root / "03.txt").write_text((docs.root / "03.txt").read_text().replace("two", "six"))
    os.utime(docs.root / "03.txt", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert not docs.build().published
    assert docs.build(BuildOptions(verify=True)).counts["changed"] == 1


def test_a_file_changed_just_now_is_hashed_next_time(docs: Folder) -> None:
    path = docs.root / "now.txt"
    path.write_text("first")
    docs.build()
    stat = path.stat()
    path.write_text("later")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert docs.build().counts["changed"] == 1


def test_a_touched_file_is_hashed_and_not_read(docs: Folder) -> None:
    docs.build()
    os.utime(docs.root / "03.txt", (LONG_AGO, LONG_AGO))
    assert docs.build().counts["unchanged"] == 10
    assert docs.build(source=Unreadable(docs.root)).counts["unchanged"] == 10


def test_a_document_that_breaks_keeps_its_last_good_version(docs: Folder) -> None:
    safe = Safety(max_failures=0.5)
    docs.build(safety=safe)
    before = content(docs.folder)
    docs.write("03.txt", b"\xff\xfe not UTF-8 \xff")
    docs.write("04.txt", "BROKEN")
    docs.write("new.txt", "BROKEN")
    built = docs.build(safety=safe)
    assert built.failures == {"03.txt": "it is not valid UTF-8", "04.txt": "it is broken", "new.txt": "it is broken"}
    assert built.kept == ("03.txt", "04.txt")
    assert content(docs.folder) == before
    again = docs.build(safety=safe, source=Counting(docs.root))
    assert again.failures == built.failures, "a failure is told every night"
    assert Counting.loads == [], "and tried again only when the document changes"
    docs.write("04.txt", "Mended.")
    mended = docs.build(safety=safe)
    assert sorted(mended.failures) == ["03.txt", "new.txt"]
    assert ("04.txt", 0, 7, "Mended.") in content(docs.folder)
    again = docs.build(BuildOptions(retry_failed=True), safety=safe, source=Counting(docs.root))
    assert Counting.loads == ["03.txt", "new.txt"]


class Counting(TextFolder):
    """Notes what is read."""

    loads: list[str] = []  # noqa: RUF012

    def load(self, found: Any) -> Any:
        self.loads.append(found.path)
        return super().load(found)


def test_too_many_failures_publish_nothing(docs: Folder) -> None:
    for name in "3456":
        docs.write(f"0{name}.txt", "BROKEN")
    few = docs.build()
    assert (few.counts["documents"], few.counts["added"], len(few.failures)) == (6, 6, 4), "a few are no reason"
    with pytest.raises(InfrastructureError, match=r"4 of 10 documents cannot be read.* serves.*\n  03\.txt: it is bro"):
        docs.build(safety=Safety(max_failures=0))
    for name in "127":
        docs.write(f"0{name}.txt", "BROKEN")
    docs.write("00.txt", "Changed.")
    with pytest.raises(InfrastructureError, match=r"7 of 10 documents cannot be read.*the last index still serves"):
        docs.build()
    assert forecast(docs.parts()).would_refuse.startswith("7 of 10 documents cannot be read")
    with Index.open(docs.folder) as index:
        assert index.meta.generation == 1


def test_a_first_build_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    docs = Folder(tmp_path, count=0)
    docs.write("a.txt", "BROKEN")
    with pytest.raises(InfrastructureError, match=r"1 of 1 documents cannot be read.*there is no index yet"):
        docs.build()
    docs.write("b.txt", "One that can.")
    assert docs.build().counts["documents"] == 1


def test_failures_that_the_last_build_told_are_not_behind(docs: Folder) -> None:
    docs.write("03.txt", "BROKEN")
    docs.build()
    assert verify_index(docs.folder, docs.parts()).behind == {}
    docs.write("03.txt", "BROKEN in another way")
    assert verify_index(docs.folder, docs.parts()).behind == {"added": 1}


def test_a_loader_that_raises_anything_is_a_failure(docs: Folder) -> None:
    class Exploding(TextFolder):
        def load(self, found: Any) -> Any:
            if found.path == "03.txt":
                raise ZeroDivisionError("in a parser")
            return super().load(found)

    built = docs.build(source=Exploding(docs.root), safety=Safety(max_failures=1))
    assert built.failures == {"03.txt": "reading it failed (ZeroDivisionError: in a parser)"}


def test_a_mass_deletion_is_refused(docs: Folder) -> None:
    docs.build()
    for number in range(6):
        (docs.root / f"{number:02}.txt").unlink()
    with pytest.raises(InfrastructureError, match=r"6 of 10 documents are no longer in .*--allow-deletes"):
        docs.build()
    built = docs.build(BuildOptions(allow_deletes=True))
    assert (built.counts["removed"], built.counts["documents"]) == (6, 4)
    assert {path for path, *_ in content(docs.folder)} == {"06.txt", "07.txt", "08.txt", "09.txt"}


def test_a_folder_that_is_renamed_is_no_mass_deletion(docs: Folder) -> None:
    docs.build()
    for number in range(10):
        docs.write(f"new/{number:02}.txt", (docs.root / f"{number:02}.txt").read_text())
        (docs.root / f"{number:02}.txt").unlink()
    built = docs.build()
    assert (built.counts["moved"], docs.embedded) == (10, 0)


def test_an_empty_or_unmounted_source_is_refused(docs: Folder) -> None:
    docs.build()
    docs.root.rename(docs.root.with_name("elsewhere"))
    with pytest.raises(InfrastructureError, match="is it mounted"):
        docs.build()
    docs.root.mkdir()
    with pytest.raises(InfrastructureError, match=r"holds no documents, and the index knows 10; is it mounted"):
        docs.build()
    assert len(content(docs.folder)) == 30
    assert docs.build(BuildOptions(allow_deletes=True)).counts["documents"] == 0


def test_another_embedder_is_built_beside_and_serves_at_once(docs: Folder) -> None:
    docs.build()
    other = HashEmbedder(width=32, version="2")
    with Index.open(docs.folder) as before:
        built = docs.build(embedder=other, tokenizer=other)
        assert before.vectors()[0].shape == (21, 64)
        with Index.open(docs.folder) as after:
            assert after.vectors()[0].shape == (21, 32)
            assert after.meta.embed_fingerprint == other.fingerprint
    assert built.generation == 2
    assert [file.name for file in docs.folder.glob("vectors-*")] == ["vectors-2.f32"]


def test_prefixed_titles_and_a_lexical_index_may_come_and_go(docs: Folder) -> None:
    docs.build(embedder=None)
    words = docs.parts(embedder=None).tokenizer
    built = docs.build(tokenizer=words)
    assert (docs.embedded, built.generation) == (21, 2)
    built = docs.build(tokenizer=words, lexical=None)
    assert (docs.embedded, built.generation) == (0, 3)
    with Index.open(docs.folder) as index, pytest.raises(Exception, match="built without 'lexical'"):
        index.lexical("two", 1)
    docs.build(embedder=None, lexical="unicode61")
    with Index.open(docs.folder) as index:
        assert len(index.lexical("two", 50)) == 10
        assert index.meta.embed_fingerprint is None
    assert list(docs.folder.glob("vectors-*")) == []


def test_chunks_beyond_the_embedders_limit_are_told(docs: Folder) -> None:
    short = HashEmbedder(max_tokens=4)
    told: list[Any] = []
    built = docs.build(BuildOptions(observe=told.append), embedder=short, tokenizer=short)
    assert built.counts["truncated"] == 10
    (said,) = [event.message for event in told if isinstance(event, Notice)]
    assert said.startswith("10 chunks are longer than the 4 tokens that the embedder reads, so their ends are not in")


class Dying(HashEmbedder):
    """An endpoint that goes away after some texts."""

    def embed(self, texts: Any, role: str) -> Any:
        if sum(map(len, self.calls)) + len(texts) > 60:
            raise InfrastructureError("the endpoint went away")
        return super().embed(texts, role)


def test_an_endpoint_that_goes_away_costs_nothing_twice(tmp_path: Path) -> None:
    docs = Folder(tmp_path, count=100)
    dying = Dying()
    with pytest.raises(InfrastructureError, match="went away"):
        docs.build(embedder=dying, tokenizer=dying)
    paid = sum(map(len, dying.calls))
    assert paid == 32
    built = docs.build()
    assert docs.embedded == 201 - paid
    assert built.counts["chunks"] == 300


def test_collecting_keeps_what_a_build_paid_for_before_it_died(docs: Folder) -> None:
    docs.build()
    for number in range(80):
        docs.write(f"more{number}.txt", f"One more, {number}.")
    dying = Dying()
    with pytest.raises(InfrastructureError, match="went away"):
        docs.build(embedder=dying, tokenizer=dying)
    paid = sum(map(len, dying.calls))
    with IndexStore(docs.folder) as store:
        assert collect(store) == 0
    docs.build()
    assert (paid, docs.embedded) == (32, 80 - paid)
    assert_vectors_fit(docs)


def test_an_interrupt_keeps_what_is_there(docs: Folder) -> None:
    class Stopped(HashEmbedder):
        def embed(self, texts: Any, role: str) -> Any:
            raise KeyboardInterrupt

    stopped = Stopped()
    with pytest.raises(Interrupted, match="nothing serves yet, and what was read and embedded is kept"):
        docs.build(embedder=stopped, tokenizer=stopped)
    built = docs.build(source=Counting(docs.root))
    assert built.counts["documents"] == 10


def test_a_vector_file_that_was_cut_short_is_mended(docs: Folder) -> None:
    docs.build()
    before = content(docs.folder)
    file = docs.folder / "vectors-1.f32"
    file.write_bytes(file.read_bytes()[: 64 * 4 * 15 + 3])
    with pytest.raises(InfrastructureError, match="is damaged"):
        Index.open(docs.folder)
    docs.build()
    assert docs.embedded == 6
    assert content(docs.folder) == before
    assert_vectors_fit(docs)


def test_rows_written_and_not_committed_are_overwritten(docs: Folder) -> None:
    docs.build()
    with (docs.folder / "vectors-1.f32").open("ab") as file:
        file.write(b"\x01" * 1000)
    docs.write("new.txt", "A new one.")
    docs.build()
    assert_vectors_fit(docs)


def assert_vectors_fit(docs: Folder) -> None:
    with Index.open(docs.folder) as index:
        vectors, rows = index.vectors()
        for chunk in index.every():
            assert (vectors[rows[chunk.number]] == HashEmbedder().embed([chunk.text], "passage")[0]).all()


def test_dead_vectors_are_collected(tmp_path: Path) -> None:
    docs = Folder(tmp_path, 20)
    docs.build()
    for number in range(10):
        docs.write(f"{number:02}.txt", f"Now {number}.")
    docs.build()
    with Index.open(docs.folder) as old, IndexStore(docs.folder) as store:
        assert dead_share(store) == pytest.approx(20 / 51)
        assert collect(store) == 20
        assert dead_share(store) == 0
        assert collect(store) == 0
        assert old.vectors()[0].shape == (51, 64)
    assert_vectors_fit(docs)
    docs.write("05.txt", "Document 5 begins.")
    docs.build()
    assert docs.embedded == 1
    assert_vectors_fit(docs)


def test_numbers_are_given_again(docs: Folder) -> None:
    for round_ in range(5):
        for number in range(10):
            docs.write(f"{number:02}.txt", f"Round {round_} of {number}.\n\nMore.")
        docs.build()
    with Index.open(docs.folder) as index:
        assert len(index.vectors()[1]) <= 40
        assert len(index.numbers()) == 20


def test_other_processes_read_as_this_one_does(docs: Folder, tmp_path: Path) -> None:
    docs.build()
    other = replace(docs.parts(), folder=tmp_path / "other")
    build_index(other, BuildOptions(processes=2))
    assert content(tmp_path / "other") == content(docs.folder)


def test_many_warnings_about_documents_are_summed_up(docs: Folder) -> None:
    class Warning_(TextFolder):  # noqa: N801
        def load(self, found: Any) -> Any:
            return replace(super().load(found), warnings=("date: expected a date", "tags: expected a list"))

    told: list[Any] = []
    docs.build(BuildOptions(observe=told.append), source=Warning_(docs.root))
    said = [event.message for event in told if isinstance(event, Notice)]
    assert said[0] == "00.txt: date: expected a date"
    assert said[-1] == "and 10 more like these"
    assert len(said) == 11


@pytest.mark.slow
@pytest.mark.parametrize("name", ["faiss", "usearch", "hnswlib"])
def test_a_vector_index_is_derived_from_each_generation(tmp_path: Path, name: str) -> None:
    pytest.importorskip(name)
    docs = Folder(tmp_path, 40)
    docs.build(vector=name)
    docs.write("07.txt", "Quite another text.")
    docs.build(vector=name)
    with Index.open(docs.folder) as index:
        derived = index.derived()
        assert derived is not None
        assert [path.name for path in docs.folder.glob("ann-*")] == ["ann-2-1-" + digest(name)[:8]]
        vectors, places = index.vectors()
        made = registry.build("vectors", derived.spec).plugin
        made.load(derived.folder, vectors, np.arange(len(vectors)))
        (number,) = [chunk.number for chunk in index.every() if chunk.path == "07.txt"]
        _, found = made.search(vectors[places[number]].reshape(1, -1), 3)
        assert found[0, 0] == places[number]
    with IndexStore(docs.folder) as store, store.transaction() as sql:
        sql.execute("DELETE FROM meta WHERE name = 'derived'")
    assert not docs.build(vector=name).published
    with Index.open(docs.folder) as index:
        assert index.derived() is not None, "what a kill left undone is done"


def test_titles_before_texts_may_come_and_go(docs: Folder) -> None:
    class Titled(TextFolder):
        def load(self, found: Any) -> Any:
            return replace(super().load(found), title=found.path)

    with_titles: dict[str, Any] = {"source": Titled(docs.root), "title_prefix": True, "config": {"title_prefix": True}}
    without: dict[str, Any] = {"source": Titled(docs.root), "title_prefix": False, "config": {"title_prefix": False}}
    docs.build(**with_titles)
    assert docs.embedded == 30
    docs.build(**without)
    assert docs.embedded == 21
    with IndexStore(docs.folder) as store:
        assert list(faults(store, title_prefix=False)) == []
    assert_vectors_fit(docs)
    assert not docs.build(**without).published


def test_a_new_document_that_cannot_be_read_is_not_added(docs: Folder) -> None:
    docs.write("new.txt", "BROKEN")
    counts = docs.build(safety=Safety(max_failures=0.5)).counts
    assert (counts["added"], counts["failed"], counts["documents"]) == (10, 1, 10)
