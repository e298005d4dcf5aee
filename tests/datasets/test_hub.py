from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmkit.datasets import census, open_dataset
from llmkit.errors import DataError

ROWS = [{"question": f"q{number}", "answers": {"text": [f"a{number}"]}, "n": number} for number in range(5)]
FIELDS = {"input": "question", "references": "answers.text"}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    return pytest.importorskip("datasets")


@pytest.mark.slow
def test_a_set_saved_to_disk_and_one_split_of_several(tmp_path: Path, hub: Any) -> None:
    one = hub.Dataset.from_list(ROWS)
    one.save_to_disk(str(tmp_path / "one"))
    hub.DatasetDict({"train": one, "test": hub.Dataset.from_list(ROWS[:2])}).save_to_disk(str(tmp_path / "two"))
    dataset = open_dataset({"hf": "one", "fields": FIELDS}, base=tmp_path)
    assert [(s.input, s.references, s.meta["n"]) for s in dataset] == [(f"q{n}", (f"a{n}",), n) for n in range(5)]
    assert census(dataset).rows == 5
    test = open_dataset({"hf": "two", "split": "test", "fields": FIELDS}, base=tmp_path)
    assert len(list(test)) == len(list(test)) == 2
    for split, sentence in (
        (None, "two: the set has several splits (its splits: test, train)"),
        ("dev", "two: the set has no split 'dev' (its splits: test, train)"),
    ):
        with pytest.raises(DataError) as caught:
            list(open_dataset({"hf": "two", "split": split, "fields": FIELDS}, base=tmp_path))
        assert str(caught.value) == sentence


@pytest.mark.slow
def test_a_folder_of_files(tmp_path: Path, hub: Any) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    dataset = open_dataset({"hf": "folder", "split": "train", "fields": FIELDS, "limit": 3}, base=tmp_path)
    assert [sample.input for sample in dataset] == ["q0", "q1", "q2"]
    assert [sample.input for sample in dataset] == ["q0", "q1", "q2"]


@pytest.mark.slow
def test_a_folder_whose_files_are_wrong_is_told_in_a_sentence(tmp_path: Path, hub: Any) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "train.jsonl").write_text('{"input": "a"}\n{"input": bad}\n')
    found = census(open_dataset({"hf": "folder", "split": "train"}, base=tmp_path))
    assert found.problem_count == 1
    assert found.report().startswith("folder: ")
