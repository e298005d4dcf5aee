"""Metrics that score in batches, over repeats, or wrongly: the flow takes each as it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmkit import Options, run_eval, score
from llmkit.errors import MissingExtraError
from llmkit.metrics import MeanMetric, metric
from llmkit.stats import variance_components
from llmkit.types import Output, Sample, Skipped

BOT = """
import itertools
turn = itertools.count()

def answer(sample):
    number = int(sample["id"])
    if number == 3:
        raise ValueError("no idea")
    return "right" if (next(turn) + number) % 2 else "wrong"
"""


@metric("batch_length")
@dataclass(frozen=True)
class BatchLength(MeanMetric):
    """Length of the output, ten at a time."""

    batch = 10

    def score(self, sample: Sample, output: Output) -> float:
        return len(output.text or "")

    def stats_many(self, pairs: Sequence[tuple[Sample, Output]]) -> Sequence[tuple[float] | Skipped]:
        assert len(pairs) <= self.batch
        return [
            Skipped("starts with w") if (output.text or "").startswith("w") else (float(len(output.text or "")),)
            for _, output in pairs
        ]


@metric("share_right")
@dataclass(frozen=True)
class ShareRight(MeanMetric):
    """Share of a sample's repeats that are right."""

    over_repeats = True

    def score(self, sample: Sample, output: Output) -> float:
        raise TypeError("this metric needs all repeats")

    def stats_over(self, sample: Sample, outputs: Sequence[Output]) -> tuple[float] | Skipped:
        if len(outputs) < 2:
            return Skipped("only one repeat")
        return (sum(output.text == "right" for output in outputs) / len(outputs),)


@metric("ragged")
@dataclass(frozen=True)
class Ragged(MeanMetric):
    """Gives one statistic, then two: a mistake."""

    def score(self, sample: Sample, output: Output) -> float:
        return 1.0

    def stats(self, sample: Sample, output: Output) -> tuple[float, ...]:  # type: ignore[override]
        return (1.0,) if sample.id == "0" else (1.0, 2.0)


@metric("needs_extra")
@dataclass(frozen=True)
class NeedsExtra(MeanMetric):
    """Cannot work here."""

    def score(self, sample: Sample, output: Output) -> float:
        raise MissingExtraError("the metric needs_extra", "nothing")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"id": str(i), "input": f"question {i}", "references": ["right"], "kind": "ab"[i % 2]} for i in range(25)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "bot.py").write_text(BOT)
    return tmp_path


def config(folder: Path, metrics: str, *, repeats: int = 1, more: str = "") -> Path:
    path = folder / "eval.yaml"
    path.write_text(
        f"name: kinds\ndataset: rows.jsonl\ntarget: {{python: 'bot.py:answer'}}\nmetrics: [{metrics}]\n"
        f"repeats: {repeats}\nengine: {{max_concurrency: 1}}\ngate: {{coverage: {{min: 0}}}}\n{more}"
    )
    return path


def test_a_batched_metric_scores_every_output_once_and_in_order(folder: Path) -> None:
    run = run_eval(
        config(folder, "batch_length, exact_match", more="slices: [kind]\n"), options=Options(folder / "out")
    )
    entry = run.summary["scores"]["batch_length"]
    rows = [row for row in run.scores if row.scorer == "batch_length"]
    assert [row.sample_id for row in rows] == [str(i) for i in range(25)]
    assert entry["n"] + entry["skipped"] + entry["errors"] == 25
    assert entry["errors"] == 1
    assert entry["value"] == 5.0
    assert entry["n"] == run.summary["scores"]["exact_match"]["value"] * 24
    by_kind = run.summary["slices"]["kind"]["values"]
    assert sum(part["scores"]["batch_length"]["n"] for part in by_kind.values()) == entry["n"]


def test_a_metric_over_repeats_has_one_score_a_sample(folder: Path) -> None:
    run = run_eval(
        config(folder, "share_right, exact_match", repeats=4, more="slices: [kind]\n"), options=Options(folder / "out")
    )
    rows = [row for row in run.scores if row.scorer == "share_right"]
    assert len(rows) == 25
    assert [row.status for row in rows].count("error") == 1
    entry = run.summary["scores"]["share_right"]
    assert entry["n"] == 24
    assert entry["value"] == run.summary["scores"]["exact_match"]["value"]
    by_kind = run.summary["slices"]["kind"]["values"]
    assert by_kind["a"]["scores"]["share_right"]["n"] == 13
    assert by_kind["b"]["scores"]["share_right"]["n"] == 11  # row 3 has no answer


def test_repeats_show_the_variance_within_and_between_samples(folder: Path) -> None:
    run = run_eval(config(folder, "exact_match, share_right", repeats=4), options=Options(folder / "out"))
    entry = run.summary["scores"]["exact_match"]
    scores = [row for row in run.scores if row.scorer == "exact_match" and row.value is not None]
    codes = [int(row.sample_id) for row in scores]
    expected = variance_components([row.value for row in scores if row.value is not None], codes)
    assert expected is not None
    assert entry["variance"] == {
        "within": expected.within,
        "between": expected.between,
        "repeats": expected.repeats,
        "reliability": expected.reliability,
    }
    assert "variance" not in run.summary["scores"]["share_right"]
    report = (Path(run.path) / "report.md").read_text(encoding="utf-8")
    assert "| `exact_match` |" in report.partition("## Repeats")[2]
    alone = run_eval(config(folder, "exact_match"), options=Options(folder / "alone"))
    assert "variance" not in alone.summary["scores"]["exact_match"]


def test_a_metric_over_repeats_says_what_is_missing_without_them(folder: Path) -> None:
    run = run_eval(config(folder, "share_right"), options=Options(folder / "out"))
    assert run.summary["scores"]["share_right"]["reasons"] == {"only one repeat": 24, "no output: exception": 1}
    assert run.summary["scores"]["share_right"]["value"] is None


def test_a_metric_with_a_mistake_costs_only_its_own_scores(folder: Path) -> None:
    run = run_eval(config(folder, "ragged, exact_match"), options=Options(folder / "out"))
    entry = run.summary["scores"]["ragged"]
    assert (entry["n"], entry["errors"]) == (1, 24)
    assert "ragged gave 2 statistics where it gave 1 before" in entry["reasons"]
    assert run.summary["scores"]["exact_match"]["n"] == 24


def test_a_missing_package_stops_the_run_with_the_pip_command(folder: Path) -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'llmkit\[nothing\]'"):
        run_eval(config(folder, "needs_extra"), options=Options(folder / "out"))


def test_score_takes_every_kind() -> None:
    found = score(["right", "wrong"] * 8, ["right"] * 16, metrics=["batch_length", "exact_match"])
    assert found["batch_length"].estimate is not None
    assert found["batch_length"].estimate.n == 8
    assert [one.status for one in found["batch_length"].scores] == ["ok", "skipped"] * 8


@metric("best_length")
@dataclass(frozen=True)
class BestLength(MeanMetric):
    """Length of the longest answer of a sample's repeats, ten outputs at a time."""

    over_repeats = True
    batch = 10

    def score(self, sample: Sample, output: Output) -> float:
        raise TypeError("this metric needs all repeats")

    def stats_over_many(self, groups: Sequence[tuple[Sample, Sequence[Output]]]) -> Sequence[tuple[float] | Skipped]:
        assert sum(len(outputs) for _, outputs in groups) <= self.batch
        assert all(output.sample_id == sample.id for sample, outputs in groups for output in outputs)
        if any(sample.id == "24" for sample, _ in groups):
            raise ValueError("not this one")
        return [
            Skipped("one repeat") if len(outputs) < 2 else (float(max(len(output.text or "") for output in outputs)),)
            for _, outputs in groups
        ]


def test_a_metric_over_repeats_may_score_in_batches(folder: Path) -> None:
    run = run_eval(config(folder, "best_length, share_right", repeats=4), options=Options(folder / "out"))
    rows = [row for row in run.scores if row.scorer == "best_length"]
    assert [row.sample_id for row in rows] == [str(i) for i in range(25)]
    assert [row.status for row in rows] == ["error" if i in {3, 24} else "ok" for i in range(25)]
    assert rows[3].reason == "no output: exception"
    assert "not this one" in rows[24].reason
    entry = run.summary["scores"]["best_length"]
    assert (entry["n"], entry["errors"], entry["value"]) == (23, 2, 5.0)


def test_single_outputs_of_a_batched_metric_over_repeats_are_repeats_of_their_own() -> None:
    found = score(["x"] * 12, ["x"] * 12, metrics=["best_length"])
    assert [one.reason for one in found["best_length"].scores] == ["one repeat"] * 12
