from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmkit.errors import InfrastructureError
from llmkit.store import Journal
from llmkit.store.files import disk_error
from llmkit.types import Response
from tests.store import strategies as some
from tests.store.limits import no_file_beyond


def filled(path: Path, count: int) -> list[bytes]:
    with Journal(path) as journal:
        for number in range(count):
            journal.put(f"key{number}", Response(f"answer {number}"))
    return path.read_bytes().splitlines(keepends=True)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(some.text, some.responses), max_size=8), st.integers(0, 8))
def test_it_is_a_dict_that_survives_reopening(tmp_path: Path, puts: list[tuple[str, Response]], reopen: int) -> None:
    path = tmp_path / "journal.jsonl"
    path.unlink(missing_ok=True)
    expected: dict[str, Response] = {}
    journal = Journal(path)
    for place, (key, response) in enumerate(puts):
        if place == reopen:
            journal.close()
            journal = Journal(path)
        journal.put(key, response)
        expected[key] = response
        assert journal.get(key) == response
    journal.close()
    with Journal(path) as again:
        assert {key: again.get(key) for key in expected} == expected
        assert sorted(again.keys()) == sorted(expected)
        assert (again.records, again.torn, again.corrupt) == (len(expected), 0, 0)
        assert again.get("never asked") is None


def test_a_file_cut_at_any_byte_keeps_every_whole_record_and_takes_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    lines = filled(path, 3)
    whole = b"".join(lines)
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        with Journal(path) as journal:
            # a record that lacks only its line end is whole
            kept = sum(size >= len(b"".join(lines[: n + 1])) - 1 for n in range(3))
            assert journal.records == kept
            assert journal.corrupt == 0
            assert [journal.get(f"key{n}") for n in range(kept)] == [Response(f"answer {n}") for n in range(kept)]
            journal.put("new", Response("more"))
        with Journal(path) as journal:
            assert (journal.records, journal.torn, journal.corrupt) == (kept + 1, 0, 0)
            assert journal.get("new") == Response("more")


@pytest.mark.parametrize("damage", [b"\0", b"X", b"\xff"])
def test_a_damaged_line_is_skipped_and_counted(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    lines = filled(path, 3)
    for place in range(len(lines[1]) - 1):
        if lines[1][place : place + 1] == damage:
            continue
        hurt = lines[1][:place] + damage + lines[1][place + 1 :]
        path.write_bytes(lines[0] + hurt + lines[2])
        with Journal(path) as journal:
            assert (journal.records, journal.corrupt, journal.torn) == (2, 1, 0)
            assert journal.get("key1") is None
            assert journal.get("key2") == Response("answer 2")


def test_a_tail_of_zeros_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    lines = filled(path, 2)
    path.write_bytes(b"".join(lines) + b"\0" * 5000)
    with Journal(path) as journal:
        assert (journal.records, journal.torn) == (2, 1)
    assert path.read_bytes() == b"".join(lines)


@pytest.mark.parametrize("text", ["a letter\n", "a letter without a line end", '{"id": 1}\n{"id": 2}\n', "id,text\n1,"])
def test_a_file_of_someone_else_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(text)
    with pytest.raises(InfrastructureError, match="is not a journal"):
        Journal(path)
    assert path.read_text() == text


def test_a_record_of_a_megabyte(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    large = Response("x" * 1_000_000)
    with Journal(path) as journal:
        journal.put("small", Response("s"))
        journal.put("large", large)
        journal.put("after", Response("a"))
        assert journal.get("large") == large
    with Journal(path) as journal:
        assert journal.get("large") == large
        assert journal.get("after") == Response("a")


PUT_AND_DIE = """
import os, signal, sys
from llmkit.store import Journal
from llmkit.types import Response
journal = Journal(sys.argv[1])
for number in range(500):
    journal.put(str(number), Response(f"answer {number}"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    done = subprocess.run([sys.executable, "-c", PUT_AND_DIE, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    with Journal(path) as journal:
        assert journal.records == 500
        assert journal.torn == 0
        assert journal.get("499") == Response("answer 499")


def test_a_full_disk_is_a_sentence_and_leaves_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.put("a", Response("first"))
        journal.flush()
        size = path.stat().st_size
        with no_file_beyond(size + 40):
            with pytest.raises(InfrastructureError, match=r"cannot write .*journal\.jsonl: the disk is full"):
                journal.put("b", Response("y" * 200))
            assert path.stat().st_size == size
        assert journal.get("b") is None
        journal.put("c", Response("after space was made"))
    with Journal(path) as journal:
        assert (journal.records, journal.torn, journal.corrupt) == (2, 0, 0)
        assert journal.get("c") == Response("after space was made")


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"cannot write .*no such file"):
        Journal(tmp_path / "gone" / "journal.jsonl")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_forbidden_folder_is_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InfrastructureError, match="no permission"):
        Journal(tmp_path / "journal.jsonl")


@pytest.mark.parametrize(
    ("number", "says"),
    [("ENOSPC", "disk is full"), ("EDQUOT", "disk is full"), ("EACCES", "no permission"), ("EROFS", "no permission")],
)
def test_each_refusal_has_its_sentence(number: str, says: str) -> None:
    import errno

    code = getattr(errno, number)
    assert says in str(disk_error(OSError(code, os.strerror(code)), "runs/x/journal.jsonl"))


def test_a_nan_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        with pytest.raises(ValueError, match="cannot write the record of 'k'"):
            journal.put("k", Response(latency=float("nan")))
        assert path.stat().st_size == 0


def test_close_and_flush_may_come_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.put("a", Response("x"))
    journal.flush()
    journal.flush()
    journal.close()
    journal.close()


MILLION = """
import sys
from llmkit.store import Journal
from llmkit.types import Response
answer = Response("An answer of a usual length, which says something about the question.", 120, 30, model="gpt-4o-mini")
writing = Journal(sys.argv[1])
for number in range(1_000_000):
    writing.put(f"{number:032x}", answer)
writing.close()
del writing
reading = Journal(sys.argv[1])
assert reading.records == 1_000_000
assert reading.get(f"{123456:032x}") == answer
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)  # getrusage would count what the parent held when it started us
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_a_million_records_take_less_than_200_mb_of_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MILLION, str(tmp_path / "journal.jsonl")], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) < 200
