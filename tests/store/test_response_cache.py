from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmkit.errors import InfrastructureError
from llmkit.store import ResponseCache, cache_file
from llmkit.types import Response
from tests.store import strategies as some
from tests.store.limits import no_file_beyond


def count(path: Path) -> int:
    with ResponseCache(path) as cache:
        return cache.size().responses


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=5), some.responses, max_size=5))
def test_it_is_a_dict_that_survives_reopening(tmp_path: Path, puts: dict[str, Response]) -> None:
    path = tmp_path / "cache.sqlite"
    with ResponseCache(path) as cache:
        for key, response in puts.items():
            cache.put(key, response)
            assert cache.get(key) == response  # before it is written
        cache.flush()
        assert {key: cache.get(key) for key in puts} == puts
        assert cache.warnings == []
    with ResponseCache(path) as again:
        assert {key: again.get(key) for key in puts} == puts
        assert again.get("never asked") is None
    path.unlink()


def test_a_second_put_replaces_the_first(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "cache.sqlite") as cache:
        cache.put("k", Response("old"))
        cache.flush()
        cache.put("k", Response("new"))
        assert cache.get("k") == Response("new")
        cache.flush()
        assert cache.get("k") == Response("new")
        assert cache.size().responses == 1


def test_another_open_cache_sees_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "cache.sqlite"
    with ResponseCache(path) as one, ResponseCache(path) as two:
        one.put("k", Response("x"))
        assert two.get("k") is None
        one.flush()
        assert two.get("k") == Response("x")


def test_many_rows_are_written_in_batches(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "cache.sqlite") as cache:
        for number in range(3000):
            cache.put(str(number), Response(str(number)))
        cache.flush()
        assert cache.size().responses == 3000
        assert all(cache.get(str(number)) == Response(str(number)) for number in range(0, 3000, 7))


WRITER = """
import sys
from llmkit.store import ResponseCache
from llmkit.types import Response
path, name = sys.argv[1], sys.argv[2]
with ResponseCache(path) as cache:
    for number in range(400):
        cache.put(f"{name}-{number}", Response(name))
        cache.put(f"shared-{number}", Response("same"))
        if number % 50 == 0:
            cache.flush()
    assert cache.warnings == [], cache.warnings
"""


def test_several_processes_make_and_fill_one_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"p{n}"]) for n in range(4)]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    with ResponseCache(path) as cache:
        assert cache.size().responses == 5 * 400
        assert all(cache.get(f"p{n}-399") == Response(f"p{n}") for n in range(4))


def test_a_killed_process_leaves_a_sound_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    code = WRITER.replace("    assert", "    cache.flush(); import os; os.kill(os.getpid(), 9)\n    assert")
    assert subprocess.run([sys.executable, "-c", code, str(path), "p"], check=False).returncode == -9
    assert count(path) == 800


def test_a_forked_child_works_on_its_own(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with ResponseCache(path) as cache:
        cache.put("written", Response("w"))
        cache.flush()
        cache.put("pending", Response("p"))
        child = os.fork()
        if child == 0:
            found = cache.get("written") == Response("w")
            cache.put("child", Response("c"))
            cache.close()
            os._exit(0 if found else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert cache.get("child") == Response("c")
        assert cache.get("pending") == Response("p")
    assert count(path) == 3


def test_a_forked_child_may_close_what_it_never_used(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "cache.sqlite") as cache:
        cache.put("k", Response("x"))
        child = os.fork()
        if child == 0:
            cache.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        cache.flush()
        assert cache.get("k") == Response("x")


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be looked at" * 100, b"SQLite format 3\0" + b"x" * 500]
)
def test_a_damaged_file_is_refused_by_name_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cache.sqlite"
    path.write_bytes(content)
    with pytest.raises(InfrastructureError, match=r"cache\.sqlite is not a response cache, or is damaged .*remove it"):
        ResponseCache(path)
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photos.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE photos (name)")
    connection.close()
    with pytest.raises(InfrastructureError, match="of another program"):
        ResponseCache(path)


def test_a_newer_cache_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    ResponseCache(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {cache_file.SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(InfrastructureError, match="newer llmkit"):
        ResponseCache(path)


def test_a_place_that_cannot_be_written_means_working_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with ResponseCache(tmp_path / "file" / "cache.sqlite") as cache:
        cache.put("k", Response("x"))
        cache.flush()
        assert cache.get("k") is None
        assert cache.size().responses == 0
        assert cache.clear() == 0
        assert len(cache.warnings) == 1
        assert cache.warnings[0].startswith("working without the response cache ")


def test_a_full_disk_means_working_without_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with ResponseCache(path) as cache:
        cache.put("before", Response("b"))
        cache.flush()
        with no_file_beyond(64 * 1024):
            for number in range(600):
                cache.put(str(number), Response("y" * 1000, extra={"n": number}))
            cache.flush()
            cache.put("later", Response("z"))
            cache.flush()
        assert len(cache.warnings) == 1
        assert "cannot write it" in cache.warnings[0]
        assert cache.get("before") is None
    with ResponseCache(path) as cache:
        assert cache.get("before") == Response("b")


def test_damage_met_while_reading_means_working_without(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with ResponseCache(path) as cache:
        for number in range(500):
            cache.put(str(number), Response("y" * 500))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with ResponseCache(path) as cache:
        assert [cache.get(str(number)) for number in range(500)] == [None] * 500
        assert len(cache.warnings) == 1
        assert "cannot read it" in cache.warnings[0]


def test_a_damaged_row_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with ResponseCache(path) as cache:
        cache.put("k", Response("x"))
    connection = sqlite3.connect(path)
    connection.execute("UPDATE responses SET body = '{\"text'")
    connection.commit()
    connection.close()
    with ResponseCache(path) as cache:
        assert cache.get("k") is None


def test_a_response_that_json_cannot_hold_is_left_out_with_a_warning(tmp_path: Path) -> None:
    with ResponseCache(tmp_path / "cache.sqlite") as cache:
        cache.put("bad", Response(latency=float("nan")))
        cache.put("good", Response("x"))
        cache.flush()
        assert cache.get("good") == Response("x")
        assert cache.get("bad") is None
        assert len(cache.warnings) == 1


def test_clear_and_prune_forget_and_shrink(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with ResponseCache(path) as cache:
        for number in range(300):
            cache.put(str(number), Response("y" * 2000))
        assert cache.prune(older_than=3600) == 0
        large = cache.size()
        assert large.responses == 300
        assert cache.prune(older_than=-1) == 300
        assert cache.size().bytes < large.bytes / 4
        cache.put("k", Response("x"))
        assert cache.clear() == 1
        assert cache.get("k") is None


def test_close_may_come_twice_and_nothing_is_kept_after(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "cache.sqlite")
    cache.close()
    cache.close()
    cache.put("k", Response("x"))
    assert cache.get("k") is None
