"""From files of every format to passages that say where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import llmkit
from tests.documents import making


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A config over a folder with a file of each format, and some that cannot be read."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "w.docx").write_bytes(
        making.docx(making.paragraph("Drinks", "berschrift1") + making.paragraph("Of cocoa."))
    )
    (folder / "h.html").write_text("<title>Milk</title><p>Of milk.<script>var hidden</script>", encoding="utf-8")
    (folder / "r.rst").write_text("Juice\n=====\n\nOf juice.\n", encoding="utf-8")
    (folder / "m.md").write_text("---\ndate: 01/02/2023\n---\n# Sugar\n\nOf sugar.\n", encoding="utf-8")
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    (folder / "empty.md").touch()
    (folder / "loop").symlink_to(".")
    config = (
        "source: {root: shelf, follow_symlinks: true}\nmetadata: {fields: {date: date}}\nsafety: {max_failures: 0.9}\n"
    )
    (tmp_path / "shelf.yaml").write_text(config, encoding="utf-8")
    return tmp_path


def test_every_format_is_found_and_every_fault_is_told(shelf: Path) -> None:
    built = llmkit("index", "build", "shelf.yaml", folder=shelf)
    assert built.code == 0, built.err
    for said in (
        "m.md: date: expected a date",
        "latin.txt: byte 0xE9",
        "empty.md: the file is empty",
        "loop/: the link leads",
    ):
        assert said in built.err
    for word, path in (("cocoa", "w.docx"), ("milk", "h.html"), ("juice", "r.rst"), ("sugar", "m.md")):
        found = llmkit("search", ".llmkit/shelf", word, "--format", "json", folder=shelf).json
        assert [hit["path"] for hit in found["hits"]] == [path]
        assert found["hits"][0]["page"] is None


def test_a_passage_of_a_pdf_says_its_page(shelf: Path) -> None:
    pytest.importorskip("pypdfium2", reason="the extra 'docs' is not installed")
    (shelf / "shelf" / "p.pdf").write_bytes(making.pdf(["All about tea.", "All about coffee."]))
    assert llmkit("index", "build", "shelf.yaml", folder=shelf).code == 0
    (hit,) = llmkit("search", ".llmkit/shelf", "coffee", "--format", "json", folder=shelf).json["hits"]
    assert (hit["text"], hit["page"]) == ("All about coffee.", 2)
    assert "p.pdf:16-33, page 2" in llmkit("search", ".llmkit/shelf", "coffee", folder=shelf).out
