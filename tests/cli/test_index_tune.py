"""`llmkit index tune` from the shell: an index of word vectors, its table, its drawing, its choice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import llmkit, write_rows

WORDS = [f"word{letter}{number}" for letter in "abcdef" for number in "xyz"]


@pytest.mark.slow
def test_an_index_is_built_tuned_and_searched(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for number, word in enumerate(WORDS * 3):
        other = WORDS[(number * 5 + 1) % len(WORDS)]
        (tmp_path / "docs" / f"d{number:02}.md").write_text(f"# {word}\n\nAbout {word} and {other}, {number} times.\n")
    vectors = [f"{word} {at % 3} {at % 4} {at % 5} {at % 7}" for at, word in enumerate(WORDS, 1)]
    (tmp_path / "w.vec").write_text("\n".join(vectors))
    (tmp_path / "docs.yaml").write_text("source: docs\nembed: {fasttext: {path: w.vec}}\n")
    questions = [{"id": f"q{at}", "input": f"what is {word} like?"} for at, word in enumerate(WORDS * 2)]
    write_rows(tmp_path / "q.jsonl", questions)

    assert llmkit("index", "build", "docs.yaml", "-q", folder=tmp_path).code == 0
    done = llmkit(
        "index", "tune", "docs.yaml", "--queries", "q.jsonl", "--svg", "curve.svg", "--format", "json", folder=tmp_path
    )
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["choice"], report["count"], report["questions"]) == ("exact", 36, "real")
    tried = {point["spec"].partition("(")[0] for point in report["points"]}
    assert "exact" in tried
    assert tried | {spec.partition("(")[0] for spec in report["left_out"]} == {
        *("exact", "faiss", "usearch", "hnswlib", "scann")
    }
    assert (tmp_path / "curve.svg").read_text().startswith("<svg")

    shown = llmkit("index", "tune", "docs.yaml", folder=tmp_path)
    assert "choice: exact" in shown.out
    assert "vectors of the index stand for them" in shown.err

    write_rows(tmp_path / "few.jsonl", questions[:3])
    few = llmkit("index", "tune", "docs.yaml", "--queries", "few.jsonl", folder=tmp_path)
    assert few.code == 2
    assert "3 questions are too few" in few.err
