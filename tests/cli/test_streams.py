"""stdout is data, stderr is talk: pipes, closed and full streams, narrow terminals, no colour where none belongs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.command import bench, environment, finish, llmkit, read_rows, start

ANSI = "\x1b["


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config over six rows, and its run in ``run``."""
    made = tmp_path_factory.mktemp("streams")
    bench(made, slices=["cat"])
    assert llmkit("eval", "c.yaml", "--out", "run", folder=made).code == 0
    return made


def test_json_is_all_that_stands_on_stdout(folder: Path) -> None:
    done = llmkit("eval", "c.yaml", "--format", "json", folder=folder)
    assert done.code == 0
    assert done.out.endswith("}\n")
    assert set(done.json["scores"]) == {"exact_match", "token_f1"}
    run = Path(folder, done.json["run"])
    assert json.loads((run / "summary.json").read_text())["scores"] == done.json["scores"]
    assert done.err.startswith("\nreport  ")


def test_markdown_is_the_report(folder: Path) -> None:
    done = llmkit("eval", "c.yaml", "--format", "md", "-q", folder=folder)
    [run] = sorted((folder / "runs" / "t").glob("2*"))[-1:]
    assert done.out == (run / "report.md").read_text()


def test_quiet_is_silent_on_stderr(folder: Path) -> None:
    done = llmkit("eval", "c.yaml", "--quiet", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert "exact_match" in done.out


def test_hints_name_files_that_are_there_and_a_command_that_works(folder: Path) -> None:
    done = llmkit("eval", "c.yaml", folder=folder)
    said = dict(line.split(maxsplit=1) for line in done.err.splitlines() if line)
    assert (folder / said["report"]).is_file()
    assert (folder / said["rows"]).is_file()
    command = said["next"].partition(": ")[2]
    again = subprocess.run(
        command.replace("llmkit", f"{sys.executable} -m llmkit", 1),
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert "nothing was asked" in again.stdout


@pytest.mark.parametrize("words", [["eval", "c.yaml"], ["list", "metrics"], ["schema"]], ids=lambda words: words[0])
def test_a_reader_that_leaves_early_is_no_error(folder: Path, words: list[str]) -> None:
    process = start(words, folder)
    process.stdout.close()
    process.stdout = None
    assert finish(process).code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full device")
@pytest.mark.parametrize("words", [["eval", "c.yaml"], ["list", "metrics"], ["schema"], ["--help"]])
def test_a_full_stdout_is_a_sentence(folder: Path, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = llmkit(*words, folder=folder, stdout=full)
    assert done.code == 3
    assert done.err.splitlines()[-1] == "error: standard output: cannot be written or read: no space left on device"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full device")
def test_a_full_or_closed_stderr_does_not_lose_a_run(folder: Path) -> None:
    with Path("/dev/full").open("w") as full:
        assert llmkit("eval", "c.yaml", folder=folder, stderr=full).code == 0
    process = start(["eval", "c.yaml"], folder)
    process.stderr.close()
    process.stderr = None
    assert finish(process).code == 0


@pytest.mark.skipif(os.name != "posix", reason="descriptors")
def test_closed_streams_are_no_error(folder: Path) -> None:
    shell = f"exec {sys.executable} -m llmkit eval"
    for command, code in (("c.yaml >&-", 0), ("c.yaml >&- 2>&-", 0), ("c.yaml 2>&-", 0), ("no.yaml >&- 2>&-", 2)):
        done = subprocess.run(
            ["sh", "-c", f"{shell} {command}"], cwd=folder, capture_output=True, env=environment(), check=False
        )
        assert done.returncode == code, (command, done)
        assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("form", ["text", "md", "json"])
def test_a_pipe_gets_utf8_whatever_the_locale(folder: Path, form: str) -> None:
    words = ["eval", "c.yaml", "--set", "name=t", "--set", "slices=[cat]", "--format", form, "-q"]
    usual = llmkit(*words, folder=folder)
    odd = llmkit(*words, folder=folder, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (usual.code, odd.code) == (0, 0)
    assert usual.out.splitlines()[0] == odd.out.splitlines()[0]
    wrong = llmkit("eval", "kein_é.yaml", folder=folder, env={"PYTHONIOENCODING": "ascii"})
    assert wrong.err.startswith("error: kein_é.yaml: no such config")


def on_terminal(words: list[str], folder: Path, columns: int, env: Mapping[str, str]) -> str:
    """Run a command on a terminal of that width and return all that it shows."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = start(words, folder, {"TERM": "xterm-256color", **env}, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other side is closed
        while block := os.read(ours, 65536):
            shown += block
    os.close(ours)
    assert process.wait(60) == 0, shown
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.skipif(sys.platform != "linux", reason="pseudo-terminals")
def test_a_terminal_gets_colour_unless_it_is_not_wanted(folder: Path) -> None:
    assert ANSI in on_terminal(["eval", "c.yaml", "-q"], folder, 100, {})
    plain = on_terminal(["eval", "c.yaml", "-q"], folder, 100, {"NO_COLOR": "1"})
    assert not [code for code in range(30, 50) if f"{ANSI}{code}m" in plain]
    assert ANSI not in llmkit("eval", "c.yaml", folder=folder).out
    assert ANSI not in llmkit("eval", "c.yaml", folder=folder).err


@pytest.mark.skipif(sys.platform != "linux", reason="pseudo-terminals")
def test_a_terminal_of_few_characters_shows_what_it_can(folder: Path) -> None:
    assert "exact_match" in on_terminal(["eval", "c.yaml", "-q"], folder, 100, {"PYTHONIOENCODING": "ascii"})


@pytest.mark.skipif(sys.platform != "linux", reason="pseudo-terminals")
def test_a_narrow_terminal_shows_every_number_whole(folder: Path) -> None:
    shown = on_terminal(["eval", "c.yaml", "-q"], folder, 40, {"NO_COLOR": "1"})
    shown = re.sub(r"\x1b\[\d+m", "", shown)
    summary = json.loads((folder / "run" / "summary.json").read_text())
    found = summary["scores"]["token_f1"]
    for number in (found["value"], found["low"], found["high"]):
        assert f"{number:.3f}" in shown
    assert "token_f1" in shown
    assert "…" not in shown
    tables = shown.partition("exact_match|")[0]
    assert max(len(line) for line in tables.splitlines()) <= 40


def test_a_pipe_gets_lines_as_long_as_they_need(folder: Path) -> None:
    changed = "metrics=[\"rouge(variant='Lsum')\", exact_match, token_f1, bleu, chrf]"
    done = llmkit("eval", "c.yaml", "--set", changed, folder=folder, env={"COLUMNS": "40"})
    assert done.code == 0
    assert "…" not in done.out


def test_init_writes_once_and_what_it_writes_runs(tmp_path: Path) -> None:
    done = llmkit("init", "new eval", folder=tmp_path)
    assert (done.code, done.out) == (0, "")
    assert "next  cd 'new eval' && llmkit eval" in done.err
    before = {path: path.read_bytes() for path in (tmp_path / "new eval").iterdir()}
    again = llmkit("init", "new eval", folder=tmp_path)
    assert again.code == 2
    [line] = again.err.splitlines()
    assert line == "error: new eval/llmkit.yaml is there already; nothing was written. Choose another folder"
    assert {path: path.read_bytes() for path in (tmp_path / "new eval").iterdir()} == before
    assert llmkit("eval", folder=tmp_path / "new eval").code == 0


def test_list_and_schema_are_data(folder: Path) -> None:
    listed = llmkit("list", "metrics", folder=folder)
    assert (listed.code, listed.err) == (0, "")
    assert {"exact_match", "rouge", "bleu"} <= {line.split()[0] for line in listed.out.splitlines()}
    assert all(len(line.split(maxsplit=1)) == 2 for line in listed.out.splitlines())
    assert {"openai", "recorded"} <= {row["name"] for row in llmkit("list", "providers", "--json", folder=folder).json}
    explained = llmkit("list", "metrics", "rouge", folder=folder)
    assert "variant: " in explained.out
    assert llmkit("schema", "eval", folder=folder).json["type"] == "object"


def test_an_option_can_come_from_the_environment(folder: Path) -> None:
    done = llmkit("eval", "c.yaml", "--format", "json", folder=folder, env={"LLMKIT_EVAL_LIMIT": "2"})
    assert done.json["rows"] == 2
    done = llmkit("eval", "c.yaml", folder=folder, env={"LLMKIT_EVAL_FORMAT": "json", "LLMKIT_EVAL_QUIET": "1"})
    assert (done.json["rows"], done.err) == (6, "")
    assert len(read_rows(folder / "run" / "outputs.jsonl")) == 6
