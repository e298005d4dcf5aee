"""A document that is renamed and cannot be read under its new name keeps its last good version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmkit.documents.found import Found, LoadError
from llmkit.flows.index.forecast import forecast
from llmkit.flows.index.options import BuildOptions
from llmkit.flows.index.status import index_status, status_lines
from llmkit.flows.index.verify import verify_index
from tests.cli.command import llmkit
from tests.flows.index_source import TextFolder
from tests.flows.test_index_build import Folder, content


class ByName(TextFolder):
    """A file named ...x.txt cannot be read, whatever is in it; one named ...y.txt cannot even be opened."""

    def digest(self, found: Found) -> str:
        if found.path.endswith("y.txt"):
            raise LoadError(found.path, "the file cannot be read: permission denied", passing=True)
        return super().digest(found)

    def load(self, found: Found) -> Any:
        if found.path.endswith("x.txt"):
            raise LoadError(found.path, "it is encrypted")
        return super().load(found)


@pytest.fixture
def docs(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.build()
    return made


def paths(docs: Folder) -> set[str]:
    return {path for path, *_ in content(docs.folder)}


def rename(docs: Folder, old: str, new: str) -> None:
    (docs.root / new).parent.mkdir(exist_ok=True)
    (docs.root / old).rename(docs.root / new)


@pytest.mark.parametrize(
    "new",
    [
        "quite-otherx.txt",  # the same content
        "quite-othery.txt",  # the same size
    ],
)
def test_one_that_cannot_be_read_under_its_new_name_stays(docs: Folder, new: str) -> None:
    before = content(docs.folder)
    source = ByName(docs.root)
    rename(docs, "03.txt", new)
    assert forecast(docs.parts(source=source)).counts["removed"] == 0
    for _ in range(3):
        built = docs.build(source=source)
        assert built.held == {new: ("03.txt",)}
        assert (list(built.failures), built.counts["removed"], built.counts["moved"]) == ([new], 0, 0)
        assert content(docs.folder) == before
    assert index_status(docs.folder)["held"] == {new: ["03.txt"]}
    assert any("1 documents that are gone stay" in line for line in status_lines(index_status(docs.folder)))
    assert verify_index(docs.folder, docs.parts(source=source)).behind == {}
    rename(docs, new, "good.txt")
    built = docs.build(source=source)
    assert (built.counts["moved"], built.held, docs.embedded) == (1, {}, 0)
    assert paths(docs) == {path for path, *_ in before} - {"03.txt"} | {"good.txt"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("handbook-v1.txt", "handbook-v2.txt"),
        ("a/handbook.txt", "b/handbook.txt"),
    ],
)
def test_one_that_broke_on_its_way_stays_by_its_name(docs: Folder, old: str, new: str) -> None:
    docs.write(old, "The handbook.")
    docs.build()
    (docs.root / old).unlink()
    docs.write(new, "BROKEN half of an upload")
    assert docs.build().held == {new: (old,)}
    assert docs.build().held == {new: (old,)}
    assert old in paths(docs)
    docs.write(new, "The handbook, second edition.")
    built = docs.build()
    assert (built.held, built.counts["added"], built.counts["removed"]) == ({}, 1, 1)
    assert old not in paths(docs)


def test_another_ending_of_the_name(docs: Folder) -> None:
    class Any_(TextFolder):  # noqa: N801
        def scan(self) -> Any:
            yield from super().scan()
            for path in self.root.glob("*.pdf"):
                yield Found(path.name, path.stat().st_size, path.stat().st_mtime_ns)

    rename(docs, "03.txt", "03.pdf")
    docs.write("03.pdf", "BROKEN")
    assert docs.build(source=Any_(docs.root)).held == {"03.pdf": ("03.txt",)}


def test_what_was_held_goes_when_it_is_told_to_or_the_failure_goes(docs: Folder) -> None:
    for options, last in ((BuildOptions(allow_deletes=True), True), (None, False)):
        docs.write("note-1.txt", "A note.")
        docs.build()
        (docs.root / "note-1.txt").unlink()
        docs.write("note-2.txt", "BROKEN")
        assert docs.build().held
        if not last:
            (docs.root / "note-2.txt").unlink()
        built = docs.build(options)
        assert (built.held, built.counts["removed"]) == ({}, 1)
        assert "note-1.txt" not in paths(docs)
        (docs.root / "note-2.txt").unlink(missing_ok=True)
        docs.build()


def test_a_deletion_that_has_nothing_to_do_with_a_failure_is_one(docs: Folder) -> None:
    docs.write("unlike.txt", "BROKEN")
    docs.build()
    (docs.root / "03.txt").unlink()
    built = docs.build()
    assert (built.held, built.counts["removed"]) == ({}, 1)
    docs.write("unlike2.txt", "BROKEN too")
    (docs.root / "04.txt").unlink()
    built = docs.build()
    assert (built.held, built.counts["removed"]) == ({}, 1)
    docs.write("kept.txt", "Readable.")
    docs.build()
    rename(docs, "kept.txt", "keptx.txt")
    docs.write("clone.txt", "Readable.")
    built = docs.build(source=ByName(docs.root))
    assert (built.held, built.counts["moved"]) == ({}, 1), "its content is there under another name"


def test_a_line_of_a_table_that_breaks_does_not_lose_its_document(tmp_path: Path) -> None:
    rows = [json.dumps({"id": name, "text": f"About {name}."}) for name in ("ants", "bees", "cows", "dogs")]
    table, config = tmp_path / "t.jsonl", tmp_path / "c.yaml"
    config.write_text("source: {jsonl: t.jsonl}\nstore: ix\n")

    def build(*lines: str) -> Any:
        table.write_text("\n".join(lines) + "\n")
        done = llmkit("index", "build", "c.yaml", "--format", "json", folder=tmp_path)
        assert done.code == 0, done.err
        return json.loads(done.out), done.err

    build(*rows)
    built, said = build(rows[0], rows[1][:-9], *rows[2:])
    assert built["held"] == {"row 2": ["bees"]}
    assert "row 2: " in said
    assert "; bees, which is gone and may be the same, stays (--allow-deletes lets it go)" in said
    assert build(rows[0], rows[1][:-9], *rows[2:])[0]["counts"]["documents"] == 4
    later, _ = build(rows[0], rows[1][:-9], rows[2])
    assert (later["counts"]["removed"], later["held"]) == (1, {"row 2": ["bees"]}), "an old failure holds no more"
    shifted, _ = build(rows[3], rows[0], rows[1][:-9], rows[2])
    assert shifted["held"] == {"row 3": ["bees"]}
    mended, _ = build(*rows)
    assert (mended["held"], mended["counts"]["documents"]) == ({}, 4)
