"""`llmkit index tune`: what is tried, how it is chosen, what is kept, what is shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from llmkit.errors import UsageError
from llmkit.flows.index import derive, tune
from llmkit.flows.index.derive import collect_dead
from llmkit.flows.index.queries import read_queries
from llmkit.flows.index.sweep import TRIALS, Ground, Point, sweep
from llmkit.flows.index.tune import choose, tune_index
from llmkit.registry import vector_index
from llmkit.report.tuning import curve_svg, frontier, table_lines
from llmkit.retrieval.index import Index
from llmkit.retrieval.store import IndexStore
from llmkit.vectors._base import Searched
from tests.cli.command import write_rows
from tests.retrieval.made_index import HashEmbedder, make_index
from tests.vectors.backends import made

WORDS = ["cats", "dogs", "birds", "eat", "sleep", "fish", "bones", "seeds", "run", "fly", "swim", "jump"]
TEXTS = {f"{a}-{b}.md": f"{a} {b} all day" for a in WORDS for b in WORDS if a < b}
ROWS = [{"id": name, "query": text.replace("all ", ""), "qrels": [name]} for name, text in list(TEXTS.items())[:30]]


def index_of(folder: Path) -> Path:
    make_index(folder / "ix", TEXTS, embedder=HashEmbedder()).close()
    return folder / "ix"


def report_of(folder: Path, **keys: Any) -> dict[str, Any]:
    rows = read_queries(write_rows(folder / "q.jsonl", ROWS), judged=False)
    return tune_index(index_of(folder), rows, embedder=HashEmbedder(), trials=[("exact", {})], **keys)


def test_a_small_index_keeps_exact_search_and_says_why(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    assert (report["choice"], report["questions"], report["count"]) == ("exact", "real", 30)
    assert "below 200,000 vectors it is kept" in report["why"]
    [point] = report["points"]
    assert point["recall"] == point["chosen_recall"] == 1
    assert point["filtered"] == {"1%": 1, "10%": 1, "50%": 1}
    assert 0.5 < point["ndcg"] <= 1
    with Index.open(tmp_path / "ix") as index:
        assert index.meta.tuned is not None
        assert index.meta.tuned["choice"] == "exact"
        assert len(index.chunks([int(index.numbers()[0])])) == 1


def test_without_questions_the_index_s_own_vectors_stand_for_them(tmp_path: Path) -> None:
    report = tune_index(index_of(tmp_path), None, embedder=HashEmbedder(), trials=[("exact", {})])
    assert report["questions"] == "vectors of the index"
    assert report["points"][0]["ndcg"] is None


def test_too_few_questions_are_refused(tmp_path: Path) -> None:
    rows = read_queries(write_rows(tmp_path / "q.jsonl", ROWS[:3]))
    with pytest.raises(UsageError, match="3 questions are too few"):
        tune_index(index_of(tmp_path), rows, embedder=HashEmbedder())


def test_an_index_without_vectors_is_refused(tmp_path: Path) -> None:
    make_index(tmp_path / "ix", TEXTS).close()
    with pytest.raises(UsageError):
        tune_index(tmp_path / "ix", None)


def point(spec: str, recall: float, p50: float) -> Point:
    return Point(spec, recall, recall, p50, p50 * 2, 1.0, 10, None, {"1%": 1.0, "10%": 1.0, "50%": 1.0})


def test_the_quickest_that_finds_enough_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [point("exact", 1, 9.0), point("a", 0.99, 2.0), point("b", 0.96, 1.0), point("c", 0.5, 0.1)]
    assert choose(points, 0.95, 300_000)[0] == "b"
    assert choose(points, 0.98, 300_000)[0] == "a"
    assert choose(points[3:], 0.98, 300_000) == ("exact", "no back-end finds 98% of what is nearest")
    assert choose(points, 0.5, 1000)[0] == "exact"
    monkeypatch.setattr(tune, "EXACT_BELOW", 10)
    assert choose(points, 0.4, 1000)[0] == "c"


def test_what_is_shown() -> None:
    points = [point("exact", 1, 9.0), point("slow", 0.9, 10.0), point("<quick>", 0.8, 0.5)]
    report = json.loads(json.dumps({
        "points": [{name: getattr(one, name) for name in Point.__slots__} for one in points],
        "choice": "<quick>", "count": 30, "vectors": 1000,
    }))  # fmt: skip
    assert [one["spec"] for one in frontier(report["points"])] == ["<quick>", "exact"]
    lines = table_lines(report)
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| <quick> *", "| exact *", "| slow"]
    drawing = ET.fromstring(curve_svg(report))
    assert len(drawing.findall("{http://www.w3.org/2000/svg}circle")) == 3


@vector_index("counted")
@dataclass(frozen=True)
class Counted(Searched):
    """Searches every vector, and writes how it was set, as an approximate index writes its graph."""

    effort: int = 1

    def load(self, folder: Path, vectors: Any, rows: Any) -> None:
        self.build(vectors, rows)

    def save(self, folder: Path) -> None:
        (folder / "effort").write_text(str(self.effort))

    def _near(self, queries: Any, count: int) -> Any:
        return np.argsort(-(queries @ self._held.vectors.T), axis=1, kind="stable")[:, :count]


def test_the_last_choice_replaces_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derive, "EXACT_BELOW", 10)
    monkeypatch.setattr(tune, "EXACT_BELOW", 10)
    folder = index_of(tmp_path)

    def derived() -> list[str]:
        with Index.open(folder) as index:
            known = index.derived()
            assert (known is None) == (not list(folder.glob("ann-*")))
            return [] if known is None else [known.spec, (known.folder / "effort").read_text()]

    for effort in (1, 2, 2, 1):
        tune_index(folder, None, embedder=HashEmbedder(), trials=[("counted", {"effort": [effort]})])
        with IndexStore(folder) as store:
            store.epoch = 1
            derive.derive(store, "auto")
        assert derived() == [f"counted(effort={effort})" if effort > 1 else "counted", str(effort)]
        assert len(list(folder.glob("ann-*"))) == 1
    tune_index(folder, None, embedder=HashEmbedder(), trials=[("counted", {"effort": [3]})])
    assert collect_dead(folder) == 0
    assert derived() == ["counted(effort=3)", "3"]
    tune_index(folder, None, embedder=HashEmbedder(), trials=[("exact", {})])
    assert collect_dead(folder) == 0
    assert derived() == []


@pytest.mark.slow
def test_every_back_end_is_tried_on_the_same_vectors() -> None:
    pytest.importorskip("faiss", reason="needs the package faiss-cpu")
    every = made(3040, 32)
    ground = Ground(every[:3000], np.arange(3000), every[3000:])
    points, left_out = sweep(ground, [trial for trial in TRIALS if trial[0] != "scann"])
    assert set(left_out) <= {"usearch", "hnswlib"}, "both have wheels for some systems alone"
    by_spec = {point.spec: point for point in points}
    assert by_spec["exact"].recall == 1
    assert by_spec["faiss"].recall > 0.9
    assert by_spec["faiss(effort=256)"].recall >= by_spec["faiss(effort=32)"].recall
    assert all(point.filtered["1%"] == point.filtered["10%"] == 1 for point in points)
    assert by_spec["faiss"].size > 0
    assert by_spec["faiss"].adding is not None
