from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from llmkit.errors import DataError, InfrastructureError, UsageError
from llmkit.store import (
    FolderLock,
    Journal,
    RecordFile,
    RecordWriter,
    RunFolder,
    at,
    git_state,
    new_or_resumed,
    open_run,
    record_files,
)
from llmkit.store.plain_json import plain_json
from llmkit.store.records import score_from_dict, score_to_dict
from llmkit.types import Output, Response, Score
from tests.store.limits import no_file_beyond

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
PRINT = "abcdef0123456789"


def new(root: Path, name: str = "qa", fingerprint: str = PRINT, now: datetime = NOW) -> RunFolder:
    return new_or_resumed(root, name, fingerprint, now=now)


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def fill(folder: RunFolder, count: int = 3) -> None:
    folder.begin({"name": "qa", "started": "today"}, "name: qa\n")
    with Journal(folder.journal_path) as journal, folder.outputs_writer() as outputs, folder.scores_writer() as scores:
        for number in range(count):
            response = Response(f"answer {number}")
            journal.put(str(number), response)
            outputs.write(Output(str(number), response.text, response=response))
            scores.write(Score(str(number), "exact_match", 1.0, stats=(1.0,)))


def finish(folder: RunFolder) -> None:
    folder.finish({"name": "qa", "cost": 1.5}, {"scores": {"b": 0.1, "a": 1 / 3}}, {"report.md": "# qa\n"})


@pytest.fixture
def complete(tmp_path: Path) -> Path:
    with new(tmp_path) as folder:
        fill(folder)
        finish(folder)
    return folder.path


def test_a_run_from_begin_to_reading_it_back(tmp_path: Path) -> None:
    with new(tmp_path) as folder:
        assert folder.path == tmp_path / "qa" / "20260304T050607Z-abcdef"
        assert not folder.resumed
        fill(folder)
        assert json.loads((folder.path / "manifest.json").read_text())["status"] == "running"
        finish(folder)
    assert names(folder.path) == [
        "config.yaml",
        "manifest.json",
        "outputs.jsonl",
        "report.md",
        "scores.jsonl",
        "summary.json",
    ]
    run = open_run(folder.path)
    assert run.manifest == {
        "name": "qa",
        "cost": 1.5,
        "status": "complete",
        "fingerprint": PRINT,
        "format": 1,
        "reports": ["report.md"],
    }
    assert run.summary == {"scores": {"a": 1 / 3, "b": 0.1}}
    for _ in range(2):  # each iteration reads anew
        assert [output.text for output in run.outputs] == ["answer 0", "answer 1", "answer 2"]
        assert [score.value for score in run.scores] == [1.0, 1.0, 1.0]
    assert folder.run().summary == run.summary
    assert open_run(tmp_path / "qa").path == str(folder.path.resolve())


def test_the_same_summary_is_the_same_bytes() -> None:
    one = plain_json({"b": {"y": 0.1 + 0.2, "x": 1}, "a": [1e-9, None, "é"]}, "summary")
    two = plain_json({"b": {"y": 0.30000000000000004, "x": 1}, "a": [1e-9, None, "é"]}, "summary")
    assert one == two
    assert "0.30000000000000004" in one
    assert one.index('"b"') < one.index('"a"')  # scorers stay as the config lists them


def test_numbers_of_numpy_are_numbers_and_nan_is_named() -> None:
    import numpy as np

    shown = plain_json({"a": np.float32(0.5), "b": np.int64(3), "c": np.array([1.0, 2.0])}, "summary")
    assert json.loads(shown) == {"a": 0.5, "b": 3, "c": [1.0, 2.0]}
    with pytest.raises(ValueError, match=r"not a finite number: summary\.scores\.bleu\[1\], summary\.x$"):
        plain_json({"scores": {"bleu": [0.0, float("nan")]}, "x": np.float64("inf")}, "summary")


def test_an_unfinished_run_of_the_same_fingerprint_is_resumed(tmp_path: Path) -> None:
    with new(tmp_path) as first:
        fill(first)
        first.mark("interrupted")
    with new(tmp_path, now=NOW + timedelta(hours=1)) as second:
        assert second.resumed
        assert second.path == first.path
        with Journal(second.journal_path) as journal:
            assert journal.records == 3
        fill(second)
        assert len((second.path / "outputs.jsonl").read_text().splitlines()) == 3  # started anew
        finish(second)
    with new(tmp_path, now=NOW + timedelta(hours=2)) as third:
        assert not third.resumed


@pytest.mark.parametrize("status", ["running", "stopped", "failed", "interrupted"])
def test_the_newest_of_several_unfinished_runs_is_resumed(tmp_path: Path, status: str) -> None:
    for hour in range(3):
        with new(tmp_path, now=NOW + timedelta(hours=hour)) as folder:
            folder.begin({}, "")
            folder.mark("complete")  # so that the next one is new
    for path in (tmp_path / "qa").glob("2*"):
        text = (path / "manifest.json").read_text().replace('"complete"', f'"{status}"')
        (path / "manifest.json").write_text(text)
    with new(tmp_path, now=NOW + timedelta(hours=9)) as folder:
        assert folder.resumed
        assert folder.path.name.startswith("20260304T070607Z")


def test_a_folder_that_is_in_use_is_passed_over(tmp_path: Path) -> None:
    with new(tmp_path) as first:
        first.begin({}, "")
        with new(tmp_path) as second:  # within the same second
            assert not second.resumed
            assert second.path.name == first.path.name + "-2"


def test_another_fingerprint_with_the_same_start_is_not_resumed(tmp_path: Path) -> None:
    with new(tmp_path) as first:
        first.begin({}, "")
    with new(tmp_path, fingerprint=PRINT[:6] + "ffff") as second:
        assert not second.resumed
        assert second.path != first.path


def test_time_is_utc_and_the_name_is_made_fit_for_a_folder(tmp_path: Path) -> None:
    zone = timezone(timedelta(hours=5))
    with new(tmp_path, name="../Köln: q/a v2", now=NOW.astimezone(zone)) as folder:
        assert folder.path == tmp_path / "Köln-q-a-v2" / "20260304T050607Z-abcdef"


def test_latest_follows_and_survives_without_links(complete: Path, tmp_path: Path) -> None:
    with new(tmp_path, now=NOW + timedelta(days=1)) as folder:
        fill(folder)
        assert open_run(tmp_path / "qa").path == str(complete.resolve())  # until the new one is complete
        finish(folder)
    assert open_run(tmp_path / "qa").path == str(folder.path.resolve())
    (tmp_path / "qa" / "latest").unlink()
    (tmp_path / "qa" / "latest").write_text(complete.name + "\n")  # as where links are not allowed
    assert open_run(tmp_path / "qa").path == str(complete.resolve())


def test_a_named_folder_that_is_absent_or_empty_is_new(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "a b" / "out", tmp_path / "empty"):
        with at(path, PRINT) as folder:
            assert (folder.path, folder.resumed) == (path, False)


def test_a_named_folder_is_resumed_by_its_own_run_only(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with at(out, PRINT) as folder:
        fill(folder)
    with at(out, PRINT) as folder:
        assert folder.resumed
    with pytest.raises(
        UsageError, match=r"holds an unfinished run of another .*\(qa, today, status running, fing.* abc"
    ):
        at(out, "other")
    with at(out, PRINT) as folder:  # the refusal let it go
        fill(folder)
        finish(folder)
    with pytest.raises(UsageError, match=r"holds a complete run .*--overwrite .*--out"):
        at(out, PRINT)


def test_overwrite_replaces_a_run_and_only_its_own_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with at(out, PRINT) as folder:
        fill(folder)
        folder.finish({"name": "qa"}, {}, {"extra.txt": "x"})
    (out / "notes.md").write_text("mine")
    with at(out, "other", overwrite=True) as folder:
        assert not folder.resumed
        assert names(out) == [".lock", "notes.md"]


def test_overwrite_does_not_touch_a_folder_that_is_not_a_run(tmp_path: Path) -> None:
    for name in ("thesis.tex", "a", "b", "c"):
        (tmp_path / name).write_text("years of work")
    with pytest.raises(UsageError, match=r"files that are not a run \(a, b, c, \.\.\.\)"):
        at(tmp_path, PRINT, overwrite=True)
    assert names(tmp_path) == ["a", "b", "c", "thesis.tex"]


def test_a_named_folder_that_is_a_file_or_in_use(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="is a file"):
            at(path, PRINT)
    with pytest.raises(UsageError, match="is a file"):
        new(tmp_path / "file")
    (tmp_path / "out").mkdir()
    with FolderLock(tmp_path / "out"), pytest.raises(UsageError, match="another llmkit run"):
        at(tmp_path / "out", PRINT)


def crash_points(folder: RunFolder) -> Iterator[str]:
    """Leave the folder as a crash after each step of finishing would."""
    (folder.path / "summary.json").write_text("{}")
    yield "summary"
    (folder.path / "report.md").write_text("")
    yield "report"
    (folder.path / ".manifest.json.1.tmp").write_text('{"status": "compl')
    yield "draft of the manifest"


def test_a_crash_before_it_is_complete_can_always_be_resumed(tmp_path: Path) -> None:
    with new(tmp_path) as folder:
        fill(folder)
    for step in crash_points(folder):
        with new(tmp_path) as again:
            assert again.resumed, step
            assert again.journal_path.exists(), step
    with new(tmp_path) as again:
        fill(again)
        finish(again)
    assert open_run(again.path).manifest["status"] == "complete"


def test_outputs_on_disk_are_whole_lines_while_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_files, "FLUSH_ROWS", 2)
    with new(tmp_path) as folder:
        folder.begin({}, "")
        writer = folder.scores_writer()
        for number in range(5):
            writer.write(Score(str(number), "bleu", None))
        assert (folder.path / "scores.jsonl").read_bytes().count(b"\n") == 4
        assert len(list(folder.run().scores)) == 4
        writer.close()
        writer.close()
        assert len(list(folder.run().scores)) == writer.rows == 5


def test_lines_are_flushed_when_a_second_has_passed(tmp_path: Path) -> None:
    now = 0.0
    with RecordWriter(tmp_path / "scores.jsonl", score_to_dict, clock=lambda: now) as writer:
        writer.write(Score("a", "bleu", None))
        assert writer.path.read_bytes() == b""
        now = 1.5
        writer.write(Score("b", "bleu", None))
        assert writer.path.read_bytes().count(b"\n") == 2


def test_what_a_kill_left_of_a_beginning_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".manifest.json.123.tmp").write_text('{"stat')
    with at(tmp_path, PRINT) as folder:
        assert not folder.resumed
        folder.begin({}, "")
    (tmp_path / "config.yaml").unlink()  # killed between manifest and config
    with at(tmp_path, PRINT) as folder:
        assert folder.resumed
        folder.begin({}, "name: qa\n")
    assert names(tmp_path) == ["config.yaml", "manifest.json"]


def test_a_torn_last_line_is_passed_over_and_a_damaged_one_is_named(complete: Path) -> None:
    scores = complete / "scores.jsonl"
    whole = scores.read_bytes()
    scores.write_bytes(whole[:-5])
    assert len(list(open_run(complete).scores)) == 2
    lines = whole.splitlines(keepends=True)
    for bad in (b"{]\n", b"[]\n", b"{}\n", b"\xff\n"):
        scores.write_bytes(lines[0] + bad + lines[2])
        with pytest.raises(DataError, match=r"scores\.jsonl:2: this (record lacks 'sample_id'|is not a record)"):
            list(open_run(complete).scores)


def test_a_missing_record_file_has_no_records(tmp_path: Path) -> None:
    assert list(RecordFile(tmp_path / "none.jsonl", score_from_dict)) == []


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda run: run / "nowhere", "does not exist"),
        (lambda run: run / "summary.json", "is a file, not a run folder"),
        (lambda run: run.parent.parent, "is not a run folder and holds none"),
    ],
)
def test_what_is_not_a_run_is_said_so(complete: Path, make: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        open_run(make(complete))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("manifest.json", "{", "manifest.json is missing or damaged"),
        ("manifest.json", "[1]", "manifest.json is missing or damaged"),
        ("manifest.json", '{"status": "complete", "format": 99}', "newer llmkit"),
        ("summary.json", "{", "summary.json cannot be read"),
        ("summary.json", "3", "summary.json is not an object"),
        ("summary.json", None, "summary.json is missing"),
    ],
)
def test_a_damaged_run_is_said_so(complete: Path, name: str, text: str | None, says: str) -> None:
    if text is None:
        (complete / name).unlink()
    else:
        (complete / name).write_text(text)
    with pytest.raises(UsageError, match=says):
        open_run(complete)


def test_an_unfinished_run_is_read_only_when_asked_for(tmp_path: Path) -> None:
    with new(tmp_path) as folder:
        fill(folder)
        folder.mark("stopped")
    for path, says in ((folder.path, r"not finished \(status stopped\)"), (tmp_path / "qa", "no complete run yet")):
        with pytest.raises(UsageError, match=says):
            open_run(path)
        run = open_run(path, allow_unfinished=True)
        assert run.summary == {}
        assert len(list(run.outputs)) == 3


def test_a_full_disk_is_a_sentence_wherever_it_strikes(tmp_path: Path) -> None:
    with at(tmp_path, PRINT) as folder:
        fill(folder)
        with no_file_beyond(10):
            with pytest.raises(InfrastructureError, match=r"cannot write .*summary\.json: the disk is full"):
                folder.finish({}, {"a": "long enough"}, {})
            writer = folder.outputs_writer()
            writer.write(Output("a", "long enough"))
            with pytest.raises(InfrastructureError, match=r"cannot write .*outputs\.jsonl: the disk is full"):
                writer.flush()
            writer.close()
        assert folder.journal_path.exists()
        assert not list(tmp_path.glob(".*.tmp"))
    with at(tmp_path, PRINT) as folder:
        assert folder.resumed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_device_that_is_always_full_is_a_sentence(tmp_path: Path) -> None:
    with at(tmp_path, PRINT) as folder:
        (tmp_path / "scores.jsonl").symlink_to("/dev/full")
        with pytest.raises(InfrastructureError, match="the disk is full"), folder.scores_writer() as writer:
            writer.write(Score("a", "bleu", 1.0))


def test_git_state_of_a_repository_and_of_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(tmp_path) is None
    (tmp_path / "file").write_text("one")

    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=tmp_path, check=True)

    git("init", "-q")
    assert git_state(tmp_path) is None  # no commit yet
    git("add", ".")
    git("commit", "-q", "-m", "one")
    state = git_state(tmp_path)
    assert state is not None
    assert len(str(state["commit"])) == 40
    assert state["dirty"] is False
    (tmp_path / "file").write_text("two")
    assert git_state(tmp_path) == {**state, "dirty": True}
    monkeypatch.setenv("PATH", "")
    assert git_state(tmp_path) is None
