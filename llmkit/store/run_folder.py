"""A run is a folder: made, resumed and finished here, so that a crash at any point leaves something that can go on.

::

    config.yaml      the resolved config                outputs.jsonl   one Output a line
    manifest.json    what made the run, and its status  scores.jsonl    one Score a line
    samples.jsonl    the rows that were asked           judgments.jsonl what judges asked and heard
    journal.jsonl    while unfinished: every answer     summary.json    the numbers, the same bytes for the same run
    .lock            while in use                       report.*, ...   ways to show it

Status is ``running``, then ``complete``, ``interrupted``, ``stopped`` (budget) or ``failed``. All but a complete run
can be resumed by one with the same fingerprint.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from llmkit.closing import Closing
from llmkit.errors import UsageError
from llmkit.store.files import DRAFTS, disk_error, sync_folder, write_atomic
from llmkit.store.lock import LOCK_NAME, FolderLock
from llmkit.store.plain_json import plain_json
from llmkit.store.record_files import RecordWriter
from llmkit.store.records import output_to_dict, sample_to_dict, score_to_dict, transcript_to_dict
from llmkit.types import Output, Run, SampleRow, Score, Transcript

Status = Literal["running", "complete", "interrupted", "stopped", "failed"]

CONFIG = "config.yaml"
MANIFEST = "manifest.json"
SAMPLES = "samples.jsonl"
OUTPUTS = "outputs.jsonl"
SCORES = "scores.jsonl"
JUDGMENTS = "judgments.jsonl"
SUMMARY = "summary.json"
JOURNAL = "journal.jsonl"
LATEST = "latest"
FORMAT = 1
"""Version of the folder's layout, in the manifest."""

_OURS = (
    CONFIG,
    SAMPLES,
    "members.jsonl",
    OUTPUTS,
    SCORES,
    JUDGMENTS,
    SUMMARY,
    JOURNAL,
    "report.md",
    "report.html",
    "junit.xml",
)


class RunFolder(Closing):
    """A run folder that this process holds, from `new_or_resumed` or `at` until `finish` or `close`.

    Attributes:
        path: The folder.
        fingerprint: What the run depends on, digested; only a run with the same one may resume it.
        resumed: True where an unfinished run is continued.
        journal_path: Where the journal is; whoever opens it closes it before `finish`.
    """

    def __init__(self, path: Path, fingerprint: str, lock: FolderLock, *, resumed: bool, pointer: Path | None) -> None:
        self.path = path
        self.fingerprint = fingerprint
        self.resumed = resumed
        self.journal_path = path / JOURNAL
        self._lock = lock
        self._pointer = pointer
        self._manifest: dict[str, Any] = {}
        for draft in path.glob(DRAFTS):  # whoever was writing them is dead: we hold the folder
            with contextlib.suppress(OSError):
                draft.unlink()

    def begin(self, manifest: Mapping[str, Any], config_yaml: str) -> None:
        """Write the manifest with status ``running``, and the resolved config."""
        self._manifest = dict(manifest)
        self.mark("running")  # first: from here on the folder is a run
        write_atomic(self.path / CONFIG, config_yaml)

    def mark(self, status: Status, manifest: Mapping[str, Any] | None = None) -> None:
        """Write the manifest anew with another status; ``manifest`` replaces what `begin` was given."""
        if manifest is not None:
            self._manifest = dict(manifest)
        whole = {**self._manifest, "format": FORMAT, "status": status, "fingerprint": self.fingerprint}
        write_atomic(self.path / MANIFEST, plain_json(whole, "manifest"))

    def samples_writer(self) -> RecordWriter[SampleRow]:
        """Return a writer of ``samples.jsonl``, which it starts anew."""
        return RecordWriter(self.path / SAMPLES, sample_to_dict)

    def transcripts_writer(self) -> RecordWriter[Transcript]:
        """Return a writer of ``judgments.jsonl``, which it starts anew."""
        return RecordWriter(self.path / JUDGMENTS, transcript_to_dict)

    def outputs_writer(self) -> RecordWriter[Output]:
        """Return a writer of ``outputs.jsonl``, which it starts anew."""
        return RecordWriter(self.path / OUTPUTS, output_to_dict)

    def scores_writer(self) -> RecordWriter[Score]:
        """Return a writer of ``scores.jsonl``, which it starts anew."""
        return RecordWriter(self.path / SCORES, score_to_dict)

    def finish(self, manifest: Mapping[str, Any], summary: Mapping[str, Any], reports: Mapping[str, str]) -> None:
        """Write summary and reports (file name -> text), mark the run complete, and let the folder go.

        Close the writers first, and the journal too: Windows does not delete an open file. The journal goes last, so
        that every answer is in it until the run is complete on disk; one left behind does no harm.
        """
        write_atomic(self.path / SUMMARY, plain_json(summary, "summary"))
        for name, text in reports.items():
            write_atomic(self.path / name, text)
        self.mark("complete", {**manifest, "reports": sorted(reports)})
        if self._pointer is not None:
            _point(self._pointer, self.path.name)
        with contextlib.suppress(OSError):
            self.journal_path.unlink(missing_ok=True)
        sync_folder(self.path)
        self.close()

    def run(self) -> Run:
        """Return what lies in the folder, finished or not, as a reader sees it."""
        from llmkit.store.open_run import open_run

        return open_run(self.path, allow_unfinished=True)

    def close(self) -> None:
        """Let the folder go as it is; safe to call twice."""
        self._lock.release()


def new_or_resumed(root: Path, name: str, fingerprint: str, *, now: datetime) -> RunFolder:
    """Return ``root/name/<UTC time>-<fingerprint>``: the newest unfinished one of this fingerprint, or a new one.

    A folder that another process holds is passed over. ``now`` needs a time zone.
    """
    parent = root / _folder_name(name)
    stem = fingerprint[:6]
    for path in sorted(parent.glob(f"*Z-{stem}*"), reverse=True):
        if not _resumable(read_manifest(path), fingerprint):
            continue
        with contextlib.suppress(UsageError):
            lock = FolderLock(path)
            if _resumable(read_manifest(path), fingerprint):  # its holder may have finished just now
                return RunFolder(path, fingerprint, lock, resumed=True, pointer=parent / LATEST)
            lock.release()
    path = _make(parent, f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{stem}")
    return RunFolder(path, fingerprint, FolderLock(path), resumed=False, pointer=parent / LATEST)


def at(path: Path, fingerprint: str, *, overwrite: bool = False) -> RunFolder:
    """Return the run folder that the user named: new where it is empty, resumed where it is this run, unfinished.

    Raises UsageError where it holds anything else, saying what. ``overwrite`` replaces a run, and never other files.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{path} is a file, or lies below one; choose another folder with --out") from error
    except OSError as error:
        raise disk_error(error, path) from error
    lock = FolderLock(path)
    try:
        resumed = _take_over(path, fingerprint, overwrite=overwrite)
    except BaseException:
        lock.release()
        raise
    return RunFolder(path, fingerprint, lock, resumed=resumed, pointer=None)


def read_manifest(path: Path) -> dict[str, Any] | None:
    """Return the manifest of the run in ``path``, or None where there is none that can be read."""
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and "status" in manifest else None


def _take_over(path: Path, fingerprint: str, *, overwrite: bool) -> bool:
    """Return whether the run in a folder we hold is to be resumed, emptying the folder where asked to."""
    names = sorted(item.name for item in path.iterdir() if item.name != LOCK_NAME and not item.match(DRAFTS))
    if not names:
        return False
    manifest = read_manifest(path)
    if manifest is None:
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")  # noqa: PLR2004 - enough to recognise it
        raise UsageError(f"{path} holds files that are not a run ({shown}); choose another folder with --out")
    if overwrite:
        _remove_run(path, manifest)
        return False
    if _resumable(manifest, fingerprint):
        return True
    if manifest["status"] == "complete":
        what = "a complete run"
    else:
        what = "an unfinished run of another configuration or data"
    raise UsageError(
        f"{path} holds {what} ({_describe(manifest)}); "
        "pass --overwrite to replace it, or choose another folder with --out"
    )


def _describe(manifest: Mapping[str, Any]) -> str:
    named = [str(manifest[key]) for key in ("name", "started") if manifest.get(key)]
    return ", ".join([*named, f"status {manifest['status']}", f"fingerprint {str(manifest.get('fingerprint'))[:6]}"])


def _resumable(manifest: Mapping[str, Any] | None, fingerprint: str) -> bool:
    return manifest is not None and manifest["status"] != "complete" and manifest.get("fingerprint") == fingerprint


def _remove_run(path: Path, manifest: Mapping[str, Any]) -> None:
    """Delete a run's own files by name; the manifest goes last, so that the folder stays a run until then."""
    reports = [name for name in manifest.get("reports", ()) if isinstance(name, str) and name == Path(name).name]
    try:
        for name in [*_OURS, *reports, MANIFEST]:
            (path / name).unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, path) from error
    sync_folder(path)


def _make(parent: Path, name: str) -> Path:
    for candidate in _names(name):
        path = parent / candidate
        try:
            parent.mkdir(parents=True, exist_ok=True)
            path.mkdir()
        except (FileExistsError, NotADirectoryError) as error:
            if path.is_dir():
                continue
            raise UsageError(f"{parent} is a file, or lies below one; choose another folder with --out") from error
        except OSError as error:
            raise disk_error(error, path) from error
        sync_folder(parent)
        return path
    raise AssertionError  # the names do not end


def _names(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _folder_name(name: str) -> str:
    """Return a run's name as a folder name: letters of any script, digits, ``.``, ``_`` and ``-``."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "run"


def _point(pointer: Path, target: str) -> None:
    """Let ``latest`` name the folder: a symbolic link, or a text file where links are not allowed."""
    draft = pointer.with_name(f".{LATEST}.{os.getpid()}.tmp")
    try:
        draft.unlink(missing_ok=True)
        draft.symlink_to(target)
        draft.replace(pointer)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        write_atomic(pointer, target + "\n")
