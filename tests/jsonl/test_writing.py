from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmkit import jsonl
from llmkit.errors import InfrastructureError


def test_one_line_text_kept() -> None:
    assert jsonl.dumps({"b": "é\n日", "a": (1, None)}) == '{"b":"é\\n日","a":[1,null]}'


def test_a_lone_surrogate_survives(tmp_path: Path) -> None:
    text = jsonl.dumps({"a": "é\ud800"})
    assert text == '{"a":"é\\ud800"}'
    jsonl.write_atomic(tmp_path / "a.jsonl", text)
    assert list(jsonl.read_rows(tmp_path / "a.jsonl")) == [(1, {"a": "é\ud800"})]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_nan_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        jsonl.dumps([number])


def test_a_value_without_a_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="a set is not a JSON value"):
        jsonl.dumps({1, 2})


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    jsonl.write_lines(path, [1])

    def values() -> Iterator[int]:
        yield 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jsonl.write_lines(path, values())
    assert path.read_text() == "1\n"
    assert [item.name for item in tmp_path.iterdir()] == ["rows.jsonl"]


def test_folders_are_made_and_a_link_is_followed(tmp_path: Path) -> None:
    real = tmp_path / "a b" / "real.json"
    jsonl.write_atomic(real, "1")
    link = tmp_path / "link.json"
    link.symlink_to(real)
    jsonl.write_atomic(link, "2")
    assert link.is_symlink()
    assert real.read_text() == "2"


def test_the_file_has_the_usual_permissions(tmp_path: Path) -> None:
    jsonl.write_atomic(tmp_path / "a", "1")
    (tmp_path / "b").write_text("1")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "rows.jsonl"
    with pytest.raises(InfrastructureError) as caught:
        jsonl.write_atomic(path, "x")
    assert str(caught.value) == f"cannot write '{path}': a part of the path is a file, not a folder"


def test_a_folder_of_that_name_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(InfrastructureError) as caught:
        jsonl.write_atomic(tmp_path / "out", "x")
    assert str(caught.value) == f"cannot write '{tmp_path / 'out'}': there is a folder of that name"
    assert [item.name for item in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_missing_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InfrastructureError, match="permission is missing"):
            jsonl.write_atomic(tmp_path / "x", "1")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_named() -> None:
    with pytest.raises(OSError, match="No space left") as caught, Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")
    assert jsonl.os_reason(caught.value) == "the disk is full"
