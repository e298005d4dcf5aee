from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmkit.errors import InfrastructureError, UsageError
from llmkit.store import FolderLock

HOLD = """
import sys
from pathlib import Path
from llmkit.store import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        said = rf"another llmkit run \(pid {process.pid}, since \d{{4}}-.*\) is using {re.escape(str(tmp_path))}"
        with pytest.raises(UsageError, match=said) as caught:
            FolderLock(tmp_path)
        assert caught.value.exit_code == 2
        process.kill()
        process.wait()
        FolderLock(tmp_path).release()  # a killed holder holds nothing


def test_one_process_cannot_hold_it_twice(tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(UsageError, match=f"pid {os.getpid()}"):
        FolderLock(tmp_path)
    with FolderLock(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_left_behind_does_not_lock(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text('{"pid": 1, "since": "long ago"}')
    FolderLock(tmp_path).release()


def test_release_may_come_twice_and_takes_nobody_elses_lock(tmp_path: Path) -> None:
    first = FolderLock(tmp_path)
    first.release()
    with FolderLock(tmp_path):
        first.release()
        with pytest.raises(UsageError):
            FolderLock(tmp_path)


def test_a_forked_child_does_not_free_its_parents_folder(tmp_path: Path) -> None:
    with FolderLock(tmp_path) as lock:
        child = os.fork()
        if child == 0:
            lock.release()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        with pytest.raises(UsageError):
            FolderLock(tmp_path)


def test_a_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"cannot write .*\.lock"):
        FolderLock(tmp_path / "gone")
