"""A start prepares only the command that is called, and a build that finds nothing to do loads next to nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from llmkit.cli._app import app, called
from tests.cli.command import llmkit

NOT_NEEDED = (
    "numpy", "markdown_it", "html.parser", "llmkit.types", "llmkit.protocols", "llmkit.text.sentences",
    "llmkit.retrieval.index", "llmkit.documents.markdown", "llmkit.documents.pdf", "multiprocessing",
)  # fmt: skip


def names(group: typer.Typer) -> list[str]:
    return [str(info.name) for info in group.registered_commands] + [str(info.name) for info in group.registered_groups]


@pytest.mark.parametrize("words", [[], ["--help"], ["idnex"], ["--version", "index"]])
def test_words_that_call_nothing_leave_every_command(words: list[str]) -> None:
    every = names(app)
    with called(words):
        assert names(app) == every


def test_a_command_is_left_alone_and_all_are_there_again() -> None:
    every = names(app)
    (index,) = [info.typer_instance for info in app.registered_groups if info.name == "index"]
    assert index is not None
    below = names(index)
    with called(["index", "verify", "x"]):
        assert (names(app), names(index)) == (["index"], ["verify"])
    assert (names(app), names(index)) == (every, below)
    with called(["eval", "index"]):
        assert names(app) == ["eval"]
    assert names(app) == every


def test_a_command_of_a_group_that_is_misspelt_is_suggested(tmp_path: Path) -> None:
    done = llmkit("index", "bild", folder=tmp_path)
    assert (done.code, "Did you mean 'build'" in done.err) == (2, True)
    assert "build" in llmkit("index", "--help", folder=tmp_path).out


def test_a_build_that_finds_nothing_to_do_loads_next_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\nText.\n")
    (tmp_path / "c.yaml").write_text("source: docs\n")
    assert llmkit("index", "build", "c.yaml", "-q", folder=tmp_path).code == 0
    code = (
        "import sys; sys.argv = ['llmkit', 'index', 'build', 'c.yaml']\n"
        "from llmkit.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        f"print([name for name in {NOT_NEEDED!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "nothing changed" in done.stdout
    assert done.stderr.strip().splitlines()[-1] == "[]"
