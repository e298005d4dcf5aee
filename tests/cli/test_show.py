"""``llmkit view`` and ``llmkit report``: a run that is there is shown again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.command import Done, bench, llmkit

QUIET = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": ""}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the finished run ``runs/t``."""
    bench(tmp_path, 6)
    assert llmkit("eval", "c.yaml", "--quiet", folder=tmp_path).code == 0
    return tmp_path


def view(*words: object, folder: Path, **env: str) -> Done:
    return llmkit("view", *words, folder=folder, env={**QUIET, **env})


def test_view_prints_where_the_page_is_by_folder_and_by_name(place: Path) -> None:
    run = (place / "runs" / "t" / "latest").resolve()
    for named in ("t", "runs/t", f"runs/t/{run.name}"):
        done = view(named, folder=place)
        assert (done.code, done.out, done.err) == (0, f"{run / 'report.html'}\n", "")


def test_view_starts_the_browser_unless_told_not_to(place: Path) -> None:
    browser = place / "browser.sh"
    browser.write_text('#!/bin/sh\nprintf "%s" "$1" > opened.txt\n', "utf-8")
    browser.chmod(0o755)
    assert view("t", "--no-open", folder=place, BROWSER=str(browser)).code == 0
    assert not (place / "opened.txt").exists()
    done = view("t", folder=place, BROWSER=str(browser))
    assert (place / "opened.txt").read_text("utf-8") == Path(done.out.strip()).as_uri()


def test_a_browser_that_does_not_start_is_told(place: Path) -> None:
    done = view("t", folder=place, BROWSER=os.devnull)
    assert done.code == 0
    assert "no browser could be started" in done.err


def test_a_run_without_a_page_gets_one_elsewhere_and_stays_as_it_is(place: Path) -> None:
    run = (place / "runs" / "t" / "latest").resolve()
    page = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    path = Path(view("t", folder=place, TMPDIR=str(place)).out.strip())
    assert path.read_bytes() == page
    assert not path.is_relative_to(run)
    assert not (run / "report.html").exists()


def test_what_is_no_run_is_refused(place: Path) -> None:
    done = view("nothing", folder=place)
    assert (done.code, done.out) == (2, "")
    assert "nothing does not exist" in done.err


@pytest.mark.parametrize("form", ["html", "md"])
def test_a_report_printed_again_is_the_file_of_the_run(form: str, place: Path) -> None:
    run = (place / "runs" / "t" / "latest").resolve()
    done = llmkit("report", "t", "--format", form, folder=place)
    assert done.code == 0
    assert done.out == (run / f"report.{form}").read_text("utf-8")


def test_a_report_as_json_is_the_summary_and_as_text_the_table(place: Path) -> None:
    run = place / "runs" / "t" / "latest"
    found = llmkit("report", "t", "--format", "json", folder=place).json
    assert Path(found.pop("run")).resolve() == run.resolve()
    assert found == json.loads((run / "summary.json").read_text("utf-8"))
    assert "exact_match" in llmkit("report", "t", folder=place).out


def test_limitations_are_printed_and_put_into_a_file(place: Path) -> None:
    done = llmkit("report", "t", "--limitations", folder=place)
    assert done.code == 0
    assert "By exact_match, the system fails in 33.3% of cases (6 outputs" in done.out
    assert "By token_f1, the system scores" in done.out
    (place / "README.md").write_text("# Mine\n", "utf-8")
    into = llmkit("report", "t", "--limitations", "--into", "README.md", folder=place)
    assert (into.code, into.out, into.err) == (0, "", "wrote README.md\n")
    assert done.out in (place / "README.md").read_text("utf-8")
    assert llmkit("report", "t", "--limitations", "--format", "json", folder=place).json["stale"] == ""


def test_a_run_older_than_asked_fails_the_gate(place: Path) -> None:
    assert llmkit("report", "t", "--limitations", "--max-age", "1d", folder=place).code == 0
    done = llmkit("report", "t", "--limitations", "--max-age", "0h", folder=place)
    assert done.code == 1
    assert done.err.startswith("stale: These figures are stale")
    assert "**These figures are stale" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--into", "README.md"], "--into belongs to --limitations"),
        (["--max-age", "1d"], "--max-age belongs to --limitations"),
        (["--limitations", "--max-age", "soon"], "'soon' is not an age"),
        (["--limitations", "--format", "html"], "Markdown or JSON"),
        (["--limitations", "--into", "no/such/folder.md"], "cannot be written"),
    ],
)
def test_options_that_do_not_fit_are_refused(words: list[str], said: str, place: Path) -> None:
    done = llmkit("report", "t", *words, folder=place)
    assert done.code == 2
    assert said in done.err
