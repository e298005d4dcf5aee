"""Approximate indexes of a plug-in: made anew whenever they are gone, also by `llmkit index gc`."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cli.command import llmkit
from tests.cli.test_index import PLUGIN

CONFIG = "source: {root: texts}\nstore: store\nplugins: [mine.py]\nembed: hashes\nvector: noted\n"
NOTED = '''
from llmkit.vectors import Searched, vector_index


@vector_index("noted")
@dataclass(frozen=True)
class Noted(Searched):
    """Searches every vector, and leaves a note as an approximate index leaves its graph."""

    def load(self, folder, vectors, rows):
        self.build(vectors, rows)

    def save(self, folder):
        (folder / "note").write_text("here")
'''


def test_an_approximate_index_that_is_gone_is_made_again(tmp_path: Path) -> None:
    def run(*words: str) -> str:
        done = llmkit("index", *words, folder=tmp_path)
        assert done.code == 0, done.err
        return done.out

    def notes() -> list[str]:
        return [path.parent.name.rpartition("-")[0] for path in (tmp_path / "store").glob("ann-*/note")]

    (tmp_path / "texts").mkdir()
    for number in range(4):
        (tmp_path / "texts" / f"{number}.md").write_text(f"The text of number {number}.")
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "mine.py").write_text(PLUGIN + NOTED)
    run("build", "c.yaml")
    assert notes() == ["ann-1-1"]
    for folder in (tmp_path / "store").glob("ann-*"):
        shutil.rmtree(folder)
    assert "nothing changed" in run("build", "c.yaml")
    assert notes() == ["ann-1-1"]
    (tmp_path / "texts" / "0.md").write_text("Something else.")
    run("build", "c.yaml")
    assert run("gc", "store") == "1 vectors without a chunk removed\n"
    assert notes() == ["ann-2-2"]
    (tmp_path / "texts" / "1.md").write_text("Something else again.")
    run("build", "c.yaml")
    (tmp_path / "mine.py").unlink()
    refused = llmkit("index", "gc", "store", folder=tmp_path)
    assert refused.code == 2
    assert "no such plug-in file" in refused.err
    assert notes() == ["ann-3-2"]
