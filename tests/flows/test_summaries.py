"""What the summary says of repeats, slices, clusters and levels, and of metrics that fail over all rows together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llmkit import Options, run_eval, score
from llmkit.errors import UsageError
from llmkit.metrics import RowsMetric, TotalsMetric, metric
from llmkit.types import Output, Sample, Table


@metric("odds")
@dataclass(frozen=True)
class Odds(TotalsMetric):
    """Right answers for each wrong one: without a wrong one it has no value."""

    def stats(self, sample: Sample, output: Output) -> tuple[float, float]:
        right = float(output.text == "right")
        return right, 1 - right

    def sample_value(self, stats: Sequence[float | str]) -> None:  # type: ignore[override]
        return None

    def value(self, totals: Sequence[float], n: int) -> float:
        return totals[0] / totals[1]


@metric("broken")
@dataclass(frozen=True)
class Broken(RowsMetric):
    """Fails when all rows are in: a mistake."""

    def stats(self, sample: Sample, output: Output) -> tuple[float]:
        return (1.0,)

    def sample_value(self, stats: Sequence[float | str]) -> None:
        return None

    def value_of(self, table: Table) -> float | None:
        raise KeyError("no such thing")


@metric("mixed")
@dataclass(frozen=True)
class Mixed(Odds):
    """Gives a number, then a text, then nothing: a mistake."""

    def stats(self, sample: Sample, output: Output) -> tuple[Any, float]:
        return {"0": 1.0, "1": "one", "2": None}.get(sample.id, 2.0), 1.0


def summary(folder: Path, metrics: str, more: str = "") -> dict[str, Any]:
    rows = [
        {
            "id": str(i),
            "references": ["right"],
            "output": "right" if i % 3 else "wrong",
            "third": str(i % 3),
            "source.url": f"page {i % 7}",
            "tags": ["odd" if i % 2 else "even"],
        }
        for i in range(30)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "eval.yaml"
    path.write_text(f"name: s\ndataset: rows.jsonl\ntarget: recorded\nmetrics: [{metrics}]\n{more}")
    return dict(run_eval(path, options=Options(folder / "out")).summary)


def test_slices_and_clusters_read_fields_as_the_check_of_the_rows_does(tmp_path: Path) -> None:
    found = summary(tmp_path, "exact_match", "slices: [tags.0, source.url]\ncluster: source.url\n")
    assert found["scores"]["exact_match"]["method"] == "t, 7 clusters"
    assert list(found["slices"]["tags.0"]["values"]) == ["even", "odd"]
    assert len(found["slices"]["source.url"]["values"]) == 7


def test_a_slice_counts_rows_and_not_their_repeats(tmp_path: Path) -> None:
    found = summary(tmp_path, "exact_match", "slices: [third]\nrepeats: 3\n")
    part = found["slices"]["third"]["values"]["0"]
    assert (found["rows"], part["rows"], part["scores"]["exact_match"]["n"]) == (30, 10, 30)


def test_a_high_level_takes_the_resamples_that_it_needs(tmp_path: Path) -> None:
    entry = summary(tmp_path, "bleu(tokenize='char'), f1", "level: 0.999\n")["scores"]["bleu(tokenize='char')"]
    assert entry["method"] == "bootstrap, 2000 resamples"
    assert entry["low"] < entry["value"] < entry["high"]


@pytest.mark.parametrize("level", [0, 1, 95, 0.99999])
def test_score_refuses_what_is_no_level(level: float) -> None:
    with pytest.raises(UsageError, match=r"it is a share, above 0 and at most 0\.9999"):
        score(["a"], ["a"], metrics=["bleu"], level=level)


def test_a_value_divided_by_0_is_undefined_there_and_nowhere_else(tmp_path: Path) -> None:
    found = summary(tmp_path, "odds", "slices: [third]\n")
    assert found["scores"]["odds"]["value"] == 2.0
    parts = {name: part["scores"]["odds"] for name, part in found["slices"]["third"]["values"].items()}
    assert (parts["0"]["value"], parts["1"]["value"], parts["1"]["n"]) == (0.0, None, 10)


def test_a_metric_that_fails_over_all_rows_has_scored_none(tmp_path: Path) -> None:
    scores = summary(tmp_path, "broken, exact_match", "slices: [third]\n")["scores"]
    assert scores["exact_match"]["n"] == 30
    broken = scores["broken"]
    assert (broken["value"], broken["n"], broken["errors"], broken["coverage"]) == (None, 0, 30, 0)
    assert broken["reasons"] == {"broken failed: KeyError: 'no such thing'": 30}


def test_statistics_of_the_wrong_kind_are_errors_and_never_numbers(tmp_path: Path) -> None:
    mixed = summary(tmp_path, "mixed")["scores"]["mixed"]
    assert (mixed["n"], mixed["errors"], mixed["value"]) == (28, 2, 55 / 28)
    assert any("gave a text where it gave a number before" in reason for reason in mixed["reasons"])
