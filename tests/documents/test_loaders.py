"""Each loader: text, structure, and what the format itself says."""

from __future__ import annotations

import contextlib
import io
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.documents import LoadError, docx, html, markdown, open_source, pdf, plain, rst
from llmkit.documents.decoding import DecodingError, decode
from llmkit.documents.front_matter import split
from llmkit.documents.loaders import SUFFIXES, VERSIONS, parse_bytes
from llmkit.documents.parsed import FormatError, Parsed
from tests.documents import making

MARKDOWN = """---
title: A page
date: 2023-01-31
tags: [one, two]
---
# The *first* [link](http://x) `code` {#anchor}

Some words
over two lines.

Setext
------

```python
# no heading
```

- an item

  goes on
- another

| a | b |
|---|---|
| 1 | 2 |

    indented code

[ref]: http://example.org "Title"

> quoted
"""


def kinds(parsed: Parsed) -> list[tuple[str, str]]:
    return [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_markdown_blocks_stand_where_the_file_has_them(end: str) -> None:
    text = MARKDOWN.replace("\n", end) if end != "\r" else MARKDOWN[MARKDOWN.index("# The") :].replace("\n", end)
    parsed = markdown.parse(text)
    assert parsed.text == text
    found = [kind for kind, _ in kinds(parsed)]
    expected = ["heading", "paragraph", "heading", "code", "list", "table", "code", "paragraph", "paragraph"]
    assert found == expected
    if end != "\r":
        assert parsed.blocks[0].label == "The first link code"
        assert parsed.values["tags"] == ["one", "two"]
        assert [block.level for block in parsed.blocks if block.kind == "heading"] == [1, 2]
    assert kinds(parsed)[-2][1].startswith("[ref]")


def test_indented_code_keeps_its_indentation() -> None:
    parsed = markdown.parse("words\n\n    a\n      b\n")
    assert kinds(parsed)[1] == ("code", "    a\n      b")


def test_markdown_has_no_depth_that_breaks_it() -> None:
    for text in ("> " * 50_000 + "x", "- " * 50_000 + "x", "[" * 100_000, "*" * 100_000, "\n".join("#" * 5000)):
        assert markdown.parse(text).blocks


def test_toml_front_matter() -> None:
    front = split('+++\ntitle = "T"\ndate = 2023-01-31\n+++\ntext')
    assert front.values["title"] == "T"
    assert "+++\ntitle"[front.end :] == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\na: [\n---\nx", "the front matter is not YAML"),
        ("---\na: *b\n---\nx", "the front matter is not YAML"),
        ("---\nd: 2023-99-99\n---\nx", "the front matter is not YAML"),
        ("---\n" + "[" * 3000 + "\n---\nx", "the front matter is not YAML"),
        ("+++\na = \n+++\nx", "the front matter is not TOML"),
    ],
)
def test_front_matter_that_is_broken_is_a_warning_and_no_text(text: str, said: str) -> None:
    front = split(text)
    assert front.warning.startswith(said)
    assert text[front.end :] == "x"


@pytest.mark.parametrize(
    "text", ["---\nA rule, then words.\n---\nx", "--- \nno end", "----\n", "text\n---\na: b\n---\n", ""]
)
def test_a_rule_is_no_front_matter(text: str) -> None:
    assert split(text).end == 0


@given(st.text(max_size=300))
def test_any_text_is_a_document(text: str) -> None:
    for parse in (markdown.parse, rst.parse, plain.parse, html.parse):
        parse("---\n" + text)
        parse(text)


RST = """:date: 2023-01-31
:author: Ann

=====
Guide
=====

Words with ``code``::

   literal text

   goes on

Install
-------

.. code-block:: python

   print(1)

- an item
- another
  goes on

=====  =====
a      b
=====  =====
1      2
=====  =====

+---+---+
| 1 | 2 |
+---+---+

Using :ref:`this <there>`
~~~~~~~~~~~~~~~~~~~~~~~~~

The end.
"""


def test_restructured_text() -> None:
    parsed = rst.parse(RST)
    assert parsed.values == {"date": "2023-01-31", "author": "Ann", "title": "Guide"}
    headings = [(block.level, block.label) for block in parsed.blocks if block.kind == "heading"]
    assert headings == [(1, "Guide"), (2, "Install"), (3, "Using this")]
    others = [kind for kind, _ in kinds(parsed) if kind != "heading"]
    assert others == ["code", "code", "list", "table", "table", "paragraph"]
    assert kinds(parsed)[1][1].endswith("goes on")


HTML = """<!doctype html><html lang="de"><head><title>A &amp; B</title><meta name="keywords" content="x, y">
<meta property="article:published_time" content="2023-01-31T10:00:00Z"><style>p { color: red }</style>
<script>if (a < b) { document.write("<p>no</p>") }</script></head><body>
<nav><ul><li>Home</li></ul></nav><header><h1>Top  of
it</h1></header><p>First &eacute; <b>bold</b> words<p>Second<br>line
<ul><li>one</li><li>two<ol><li>deep</li></ol></li></ul>
<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td><p>2</p></td></tr></table>
<pre><code>def f():
    return 1
</code></pre><div hidden>secret</div><footer>legal</footer></body></html>"""


def test_html_gives_what_a_reader_sees() -> None:
    parsed = html.parse(HTML)
    assert parsed.values == {"lang": "de", "title": "A & B", "tags": "x, y", "date": "2023-01-31T10:00:00Z"}
    assert kinds(parsed) == [
        ("heading", "Top of it"),
        ("paragraph", "First é bold words"),
        ("paragraph", "Second\nline"),
        ("list", "- one\n- two\n  1. deep"),
        ("table", "a | b\n1 |\n2"),
        ("code", "def f():\n    return 1"),
    ]


def test_html_of_100_000_nested_tags() -> None:
    parsed = html.parse("<div>" * 100_000 + "deep" + "</div>" * 100_000 + "<ul><li>" * 20_000 + "x")
    assert "deep" in parsed.text


@pytest.mark.parametrize("mark", ["<!--", "<a ", "<a x=", "</", "<?", '<a href="', "<!", "# <a"])
@pytest.mark.parametrize("end", ["", ">", "-->"])
def test_html_tags_that_never_end_are_text(mark: str, end: str) -> None:
    assert len(html.parse("<p>words</p>" + mark * 200_000 + end).text) >= len("words")


def test_pdf_pages_and_properties() -> None:
    pytest.importorskip("pypdfium2", reason="the extra 'docs' is not installed")
    parsed = pdf.parse(making.pdf(["First page.", "", "Third page."]))
    assert parsed.text == "First page.\n\nThird page."
    assert parsed.pages == (0, 11, 13)
    assert parsed.values == {"title": "The paper", "author": "Bo", "date": "D:20210203040506Z", "pages": 3}


def test_without_pdfium_a_pdf_is_a_failure_that_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    (tmp_path / "a.pdf").write_bytes(making.pdf(["x"]))
    source = open_source({"source": {"root": "."}}, tmp_path)
    (found,) = source.scan()
    with pytest.raises(LoadError, match=r"pip install 'llmkit\[docs\]'"):
        source.load(found)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (making.pdf(["secret"], locked=True), "it is encrypted and needs a password"),
        (making.pdf([""]), "none of its 1 pages holds text"),
        (b"%PDF-1.4 nothing", "it is no PDF that can be read"),
        (b"words", "it is no PDF that can be read"),
    ],
)
def test_pdfs_that_cannot_be_read(data: bytes, said: str) -> None:
    pytest.importorskip("pypdfium2", reason="the extra 'docs' is not installed")
    with pytest.raises(FormatError, match=said):
        pdf.parse(data)


def test_docx_headings_lists_tables() -> None:
    row = "<w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr>"
    body = (
        making.paragraph("The Title", "Titel")
        + making.paragraph("One", "berschrift1")
        + making.paragraph("Words &amp; words ")
        + making.paragraph("Two", "Eigen")
        + making.paragraph("a", item=True)
        + making.paragraph("b", item=True)
        + f"<w:tbl>{row.format(making.paragraph('x'), making.paragraph('y'))}{row.format(making.paragraph('1'), making.paragraph('2'))}</w:tbl>"
        + "<w:p><w:r><w:delText>gone</w:delText><w:instrText>PAGE</w:instrText></w:r></w:p>"
    )
    parsed = docx.parse(making.docx(body))
    assert parsed.text == "The Title\n\nOne\n\nWords & words\n\nTwo\n\n- a\n- b\n\nx | y\n1 | 2"
    assert [(b.kind, b.level) for b in parsed.blocks] == [
        ("heading", 1), ("heading", 1), ("paragraph", 0), ("heading", 2), ("list", 0), ("table", 0),
    ]  # fmt: skip
    assert parsed.values == {"title": "The Title", "author": "Ann", "date": "2023-05-06T07:08:09Z"}


def lying() -> bytes:
    """A docx whose directory says that it is small."""
    data = bytearray(making.docx(making.paragraph("a" * 5_000_000)))
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        said = file.getinfo("word/document.xml").file_size
    return bytes(data.replace(said.to_bytes(4, "little"), (1000).to_bytes(4, "little")))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (making.docx(making.paragraph("a" * 3_000_000)), "it unpacks to 3,000,.* bytes, more than the 1,000,000"),
        (lying(), "it is no docx that can be read|it unpacks to more"),
        (making.docx("", document='<!DOCTYPE x [<!ENTITY a "b">]><w:document/>'), "a document type"),
        (making.docx("<w:p>"), "word/document.xml in it is broken"),
        (making.docx(""), "there is no text in it"),
        (b"PK\x05\x06" + b"\0" * 18, "word/document.xml is missing"),
        (b"\xd0\xcf\x11\xe0rest", "encrypted with a password"),
        (b"words", "it is no docx that can be read"),
        (making.docx("x")[:-60], "it is no docx that can be read"),
    ],
)
def test_docx_files_that_cannot_be_read(data: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        docx.parse(data, most=1_000_000)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_or_refused_in_a_sentence(data: bytes) -> None:
    for loader in VERSIONS:
        if loader == "pdf":
            continue
        with contextlib.suppress(FormatError, DecodingError):
            assert parse_bytes(data, loader).blocks


@pytest.mark.parametrize(
    ("data", "html", "text"),
    [
        ("é".encode(), False, "é"),
        ("é".encode("utf-8-sig"), False, "é"),
        ("é".encode("utf-16"), False, "é"),
        ("é".encode("utf-32"), False, "é"),
        (b'<meta charset="iso-8859-1">\xe9\x80', True, '<meta charset="iso-8859-1">é€'),
        (b'<?xml version="1.0" encoding="latin-1"?>\xe9', True, '<?xml version="1.0" encoding="latin-1"?>é'),
        (b"# -*- coding: latin-1 -*-\n\xe9", False, "# -*- coding: latin-1 -*-\né"),
        (b'<meta charset="utf-16">x', True, '<meta charset="utf-16">x'),
        (b'<meta charset="nonsense">x', True, '<meta charset="nonsense">x'),
        (b'<meta charset="base64">x', True, '<meta charset="base64">x'),
    ],
)
def test_declared_encodings(data: bytes, html: bool, text: str) -> None:
    assert decode(data, html=html) == text


@pytest.mark.parametrize(
    ("data", "encoding", "said"),
    [
        (b"ab\xe9", None, r"byte 0xE9 at offset 2 is not UTF-8; save the file as UTF-8, or say"),
        (b"\xef\xbb\xbf\xff", None, "are not utf-8, as its byte order mark says"),
        (b"a\0b", None, "NUL bytes"),
        (b"\xe9", "ascii", "are not ascii, as the config says"),
    ],
)
def test_bytes_that_are_no_text(data: bytes, encoding: str | None, said: str) -> None:
    with pytest.raises(DecodingError, match=said):
        decode(data, encoding=encoding)


def test_an_encoding_of_the_config_is_for_what_is_not_utf_8() -> None:
    assert decode(b"\xe9", encoding="latin-1") == "é"
    assert decode("é".encode(), encoding="latin-1") == "é"


def test_every_loader_has_a_version() -> None:
    folder = Path(markdown.__file__).parent
    assert VERSIONS.keys() <= {path.stem for path in folder.glob("*.py")}
    assert VERSIONS.keys() == set(SUFFIXES.values())
