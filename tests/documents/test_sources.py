"""Folders and tables as sources, and what is odd in them."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.document import Document
from llmkit.documents import FIELD_TYPES, LoadError, Source, open_source
from llmkit.documents.fields import path_pattern, typed
from llmkit.documents.globs import matcher
from llmkit.documents.opening import size_in_bytes
from llmkit.errors import ConfigError, DataError, InfrastructureError
from tests.documents import making


def source(base: Path, metadata: Mapping[str, Any] | None = None, **settings: Any) -> Source:
    opened = open_source({"source": settings or {"root": "."}, "metadata": metadata or {}}, base)
    copied: Source = pickle.loads(pickle.dumps(opened))
    return copied


def write(base: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return base


def read(opened: Source) -> dict[str, Document | str]:
    made: dict[str, Document | str] = {}
    for found in opened.scan():
        assert found.path not in made
        try:
            made[found.path] = opened.load(found)
        except LoadError as error:
            made[found.path] = error.reason
    return made


def test_a_folder_in_order_with_patterns(tmp_path: Path) -> None:
    names = ["b.md", "a/z.md", "a/b/c.rst", "a.txt", "drafts/d.md", ".hidden/e.md", ".f.md", "g.py", "A.MD"]
    write(tmp_path, {name: f"text of {name}" for name in names})
    assert [found.path for found in source(tmp_path).scan()] == ["a/b/c.rst", "a/z.md", "a.txt", "b.md", "drafts/d.md"]
    opened = source(tmp_path, root=".", include=["**/*.md", "*.py"], exclude=["drafts/**"])
    assert [found.path for found in opened.scan()] == ["a/z.md", "b.md", "g.py"]
    assert read(opened)["g.py"].text == "text of g.py"  # type: ignore[union-attr]
    opened = source(tmp_path, root=".", hidden=True, include=".*.md")
    assert [found.path for found in opened.scan()] == [".f.md"]


def test_what_cannot_be_read_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "good.md": "# Good\n\nwords",
            "empty.md": b"",
            "blank.txt": " \n\n ",
            "latin.txt": b"caf\xe9",
            "binary.txt": b"a\0b",
            "bomb.docx": making.docx(making.paragraph("a" * 100))[:-30],
            "large.txt": "x" * 2000,
            "only_front.md": "---\na: b\n---\n",
        },
    )
    opened = source(tmp_path, root=".", max_bytes="1KB")
    made = read(opened)
    good = made.pop("good.md")
    assert isinstance(good, Document)
    assert good.title == "Good"
    assert made["empty.md"] == "the file is empty"
    assert made["blank.txt"] == made["only_front.md"] == "there is no text in it"
    assert "not UTF-8" in str(made["latin.txt"])
    assert "NUL" in str(made["binary.txt"])
    assert "no docx" in str(made["bomb.docx"])
    assert "2,000 bytes, more than the 1,000 of source: max_bytes" in str(made["large.txt"])
    assert all(isinstance(reason, str) for reason in made.values())


def test_a_file_that_went_away_grew_or_may_not_be_read(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "words", "b.md": "words"})
    opened = source(tmp_path, root=".", max_bytes=10)
    first, second = opened.scan()
    (tmp_path / "a.md").unlink()
    with pytest.raises(LoadError, match="went away"):
        opened.load(first)
    (tmp_path / "b.md").write_text("words and more words")
    with pytest.raises(LoadError, match="grew beyond the 10 bytes"):
        opened.digest(second)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    (found,) = source(tmp_path).scan()
    with pytest.raises(LoadError, match="209,715,200 bytes, more than the 20,000,000"):
        source(tmp_path).load(found)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may look into every folder")
def test_a_folder_that_may_not_be_looked_into(tmp_path: Path) -> None:
    write(tmp_path, {"closed/a.md": "x"}).joinpath("closed").chmod(0)
    (found,) = source(tmp_path).scan()
    (tmp_path / "closed").chmod(0o700)
    assert (found.path, found.problem) == ("closed/", "the folder cannot be looked into: permission denied")


def test_links(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "words", "other/b.md": "more"})
    (tmp_path / "docs/loop").symlink_to("..")
    (tmp_path / "docs/self.md").symlink_to("self.md")
    (tmp_path / "docs/gone.md").symlink_to("nowhere.md")
    (tmp_path / "docs/to").symlink_to("../other")
    (tmp_path / "docs/file.md").symlink_to("a.md")
    assert [found.path for found in source(tmp_path, root="docs").scan()] == ["a.md"]
    made = read(source(tmp_path, root="docs", follow_symlinks=True))
    assert {path for path, one in made.items() if isinstance(one, Document)} == {
        "a.md", "file.md", "to/b.md", "loop/other/b.md",
    } - {"to/b.md"}  # fmt: skip
    assert made["loop/docs/"] == "the link leads back to a folder that it stands in"
    assert made["self.md"] == "the link leads in a circle"
    assert made["gone.md"] == "the link leads nowhere"


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert read(source(tmp_path)) == {"caf\\xe9.md": "the file's name is not UTF-8; rename it"}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="is not there; is its disk mounted"):
        list(source(tmp_path, root="gone").scan())
    (tmp_path / "file").touch()
    with pytest.raises(InfrastructureError, match="is not a folder"):
        list(source(tmp_path, root="file").scan())


def test_digests_tell_content(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "one", "b.md": "two", "c.md": "one"})
    opened = source(tmp_path)
    a, b, c = (opened.digest(found) for found in opened.scan())
    assert a == c != b


def test_the_fingerprint_is_of_how_files_are_read(tmp_path: Path) -> None:
    plain = source(tmp_path).fingerprint
    assert source(tmp_path, root="elsewhere", include="*.md", max_bytes=1).fingerprint == plain
    assert source(tmp_path, root=".", encoding="latin-1").fingerprint != plain
    assert source(tmp_path, {"fields": {"date": "date"}}).fingerprint != plain


def test_metadata_of_front_matter_and_path(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "en/2023/a.md": "---\ndate: 2023-01-31\ntags: one, two\nlang: de\ndraft: yes\nodd: {a: 1}\npages: many\n---\ntext",
            "de/b/b.md": "# Titel\n\ntext",
        },
    )
    fields = {"date": "date", "tags": "list[str]", "year": "int", "pages": "int"}
    opened = source(tmp_path, {"from": ["front_matter", "path"], "path": "{lang}/{year}/...", "fields": fields})
    made = read(opened)
    first, second = made["en/2023/a.md"], made["de/b/b.md"]
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert first.meta == {"date": "2023-01-31", "tags": ["one", "two"], "lang": "de", "draft": True, "year": 2023}
    assert first.warnings == ("pages: expected a whole number, got 'many'; the value is left out",)
    assert first.title == "a"
    assert (second.title, second.meta) == ("Titel", {"lang": "de"})
    assert second.warnings == ("year: expected a whole number, got 'b'; the value is left out",)
    opened = source(tmp_path, {"from": "path"})
    assert read(opened)["en/2023/a.md"].meta == {"folders": ["en", "2023"]}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("date", "2023-01-31", "2023-01-31"),
        ("date", "2023-01-31T23:59:59Z", "2023-01-31"),
        ("date", "31 January 2023", "2023-01-31"),
        ("date", "Jan 31, 2023", "2023-01-31"),
        ("date", 20230131, "2023-01-31"),
        ("date", "D:20230131120000", "2023-01-31"),
        ("date", "01/02/2023", None),
        ("date", "2023", None),
        ("date", "2023-02-30", None),
        ("date", 3.5, None),
        ("date", ["2023-01-31"], None),
        ("int", "12", 12),
        ("int", 2.0, 2),
        ("int", 2.5, None),
        ("int", True, None),
        ("int", "9" * 30, None),
        ("float", "1e3", 1000.0),
        ("float", "nan", None),
        ("bool", "no", False),
        ("bool", 2, None),
        ("str", 5, "5"),
        ("str", {"a": 1}, None),
        ("list[str]", "a, b,,", ["a", "b"]),
        ("list[str]", [1, "b"], ["1", "b"]),
        ("list[str]", [[1]], None),
    ],
)
def test_types_of_fields(kind: str, value: Any, made: Any) -> None:
    values, warnings = typed({"x": value}, {"x": kind})
    assert values == ({} if made is None else {"x": made})
    assert len(warnings) == (made is None)


@given(
    st.sampled_from(list(FIELD_TYPES)), st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.lists(st.text()))
)
def test_any_value_is_typed_or_a_warning(kind: str, value: Any) -> None:
    values, warnings = typed({"x": value}, {"x": kind})
    assert len(values) + len(warnings) == (value is not None and value != "")
    json.dumps(values, allow_nan=False)


@pytest.mark.parametrize(
    ("pattern", "path", "yes"),
    [
        ("*.md", "a.md", True),
        ("*.md", "x/y/a.md", True),
        ("*.md", "a.mdx", False),
        ("docs/*.md", "docs/a.md", True),
        ("docs/*.md", "docs/x/a.md", False),
        ("docs/**", "docs/x/a.md", True),
        ("docs/", "docs/x/a.md", True),
        ("**/a.md", "a.md", True),
        ("docs/**/a.md", "docs/a.md", True),
        ("docs/**/a.md", "docs/x/y/a.md", True),
        ("*.{md,rst}", "x/a.rst", True),
        ("[ab].md", "b.md", True),
        ("[!ab].md", "b.md", False),
        ("a?.md", "ab.md", True),
        ("a?.md", "a/.md", False),
        ("a.md", "axmd", False),
        ("x[[]y", "x[y", True),
    ],
)
def test_patterns(pattern: str, path: str, yes: bool) -> None:
    assert matcher([pattern])(path) is yes


@given(st.text(alphabet="a*?[]{},!^-/.\\|", max_size=12))
def test_any_pattern_is_understood_or_refused(pattern: str) -> None:
    with contextlib.suppress(ValueError):
        assert matcher([pattern])("a/b.md") in (True, False)


def test_path_patterns() -> None:
    found = path_pattern("blog/{year}-{slug}.md").fullmatch("blog/2023-a-b.md")
    assert found
    assert found.groupdict() == {"year": "2023", "slug": "a-b"}
    assert path_pattern("{lang}/**").fullmatch("en/x/y.md")
    assert path_pattern("{lang}/{year}").fullmatch("en/2023/y.md")
    assert not path_pattern("{lang}/...").fullmatch("readme.md")


ROWS = [
    {"id": "a", "text": "First text.", "title": "One", "date": "2023-01-31", "n": 1},
    {"id": "b", "text": "Second text.", "title": "", "date": "soon", "n": 2},
    {"id": "c", "text": "Third text.", "title": "Three", "date": "2023-02-01", "n": 3},
]


def table(base: Path, kind: str) -> Source:
    path = base / f"rows.{kind}"
    if kind == "jsonl":
        path.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in ROWS).encode()))
    elif kind in ("csv", "tsv"):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(ROWS[0]), delimiter="\t" if kind == "tsv" else ",")
            writer.writeheader()
            writer.writerows(ROWS)
    elif kind == "parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        import datasets

        path = base / "saved"
        datasets.Dataset.from_list(ROWS).save_to_disk(str(path))
    return source(base, {"fields": {"date": "date", "n": "int"}}, **{kind: path.name})


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "parquet", "hf"])
def test_rows_of_a_table_are_documents(tmp_path: Path, kind: str) -> None:
    opened = table(tmp_path, kind)
    made = read(opened)
    a, b = made["a"], made["b"]
    assert isinstance(a, Document)
    assert isinstance(b, Document)
    assert (a.text, a.title, a.meta) == ("First text.", "One", {"date": "2023-01-31", "n": 1})
    assert b.meta == {"n": 2}
    assert b.title == "b"
    assert b.warnings
    found = list(opened.scan())
    assert [opened.load(one).path for one in reversed(found)] == ["c", "b", "a"]
    assert len({opened.digest(one) for one in found}) == 3


def test_rows_that_are_wrong(tmp_path: Path) -> None:
    lines = [
        '{"id": "a", "text": "x"}',
        "{broken",
        '{"id": "a", "text": "y"}',
        "[1]",
        '{"id": "d"}',
        '{"id": "e", "text": ""}',
    ]
    write(tmp_path, {"rows.jsonl": "\n".join(lines)})
    made = read(source(tmp_path, jsonl="rows.jsonl"))
    assert isinstance(made.pop("a"), Document)
    assert "not JSON" in str(made["row 2"])
    assert made["a (row 3)"] == "the id 'a' is given twice; row 3 has it again"
    assert made["row 4"] == "line 4 is no JSON object"
    assert str(made["d"]).startswith("'text' is missing")
    assert str(made["e"]).startswith("'text' is empty")


def test_a_table_that_changed_between_looks(tmp_path: Path) -> None:
    write(tmp_path, {"rows.jsonl": '{"text": "x"}\n{"text": "y"}\n'})
    opened = source(tmp_path, jsonl="rows.jsonl")
    first, second = opened.scan()
    write(tmp_path, {"rows.jsonl": '{"text": "other"}\n'})
    for found in (first, second):
        with pytest.raises(LoadError, match=f"row {found.number} of the table changed"):
            opened.load(found)


def test_columns_that_a_config_names(tmp_path: Path) -> None:
    write(tmp_path, {"rows.csv": "key,head,body,tail,more\n1,H,B,T,m\n2,,,,\n3,x\n"})
    opened = source(
        tmp_path, csv="rows.csv", id="key", title="head", text=["body", "tail"], columns=["more"], markup="markdown"
    )
    made = read(opened)
    first = made["1"]
    assert isinstance(first, Document)
    assert (first.text, first.title, first.meta) == ("B\n\nT", "H", {"more": "m"})
    assert made["row 3"] == "row 3 has 2 cells where the header has 5"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.csv", b'a,b\n"x', "the table cannot be read past row 0"),
        ("rows.csv", b"a,a\n1,2\n", "given twice"),
        ("rows.csv", b"a,b\n\xff,2\n", "not UTF-8"),
        ("rows.parquet", b"PAR1 no", "not a Parquet file"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    write(tmp_path, {name: content})
    with pytest.raises(DataError, match=said):
        list(source(tmp_path, None, **{name.split(".")[1]: name}).scan())


@pytest.mark.parametrize(
    ("settings", "metadata", "said"),
    [
        ({}, {}, "give root"),
        ({"root": "a", "csv": "b"}, {}, "not several"),
        ({"root": "a", "includ": "b"}, {}, "did you mean 'include'"),
        ({"root": "a", "include": "[a"}, {}, r"a '\[' is not closed"),
        ({"root": "a", "exclude": 5}, {}, "expected a list of texts"),
        ({"root": "a", "follow_symlinks": "yes"}, {}, "expected true or false"),
        ({"root": "a", "max_bytes": "many"}, {}, "expected a size such as 20MB"),
        ({"root": "a", "encoding": "klingon"}, {}, "unknown encoding"),
        ({"csv": "a", "markup": "tex"}, {}, "unknown markup"),
        ({"csv": "a", "split": "train"}, {}, "only a source hf has it"),
        ({"root": "a"}, {"from": "sky"}, "unknown origin"),
        ({"root": "a"}, {"fields": {"d": "day"}}, "unknown type 'day'"),
        ({"root": "a"}, {"fields": 5}, "expected a mapping"),
        ({"root": "a"}, {"path": "lang/year"}, "it names no field"),
        ({"root": "a"}, {"path": "{a}/{a}"}, "is given twice"),
        ({"root": "a"}, {"path": "{a b}"}, "is no name of a field"),
    ],
)
def test_options_that_are_wrong(tmp_path: Path, settings: Any, metadata: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_source({"source": settings, "metadata": metadata}, tmp_path)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        open_source({"source": {"root": 5, "hidden": 1}, "metadata": {"x": 1, "fields": {"a": "b"}}}, tmp_path)
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize(("text", "size"), [("20MB", 20_000_000), ("1.5 kb", 1500), (7, 7), ("2g", 2_000_000_000)])
def test_sizes(text: Any, size: int) -> None:
    assert size_in_bytes(text) == size
