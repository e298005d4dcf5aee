"""ROUGE against the experts of SummEval: the published correlations, through the plug-in."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import spearmanr

from llmkit.metrics.rouge import Rouge
from llmkit.types import Output, Sample

QUALITIES = ("coherence", "consistency", "fluency", "relevance")


def scores(metric: Rouge, row: dict[str, Any]) -> list[float]:
    sample = Sample(row["doc_id"], references=tuple(row["references"]))
    found = []
    for system in row["systems"].values():
        value = metric.score(sample, Output(row["doc_id"], system["summary"]))
        assert isinstance(value, float)
        found.append(value)
    return found


def correlations(metric: Rouge, rows: list[dict[str, Any]]) -> list[float]:
    """Return the mean over documents of Spearman's rho over systems; a constant side has none."""
    sums = dict.fromkeys(QUALITIES, 0.0)
    counts = dict.fromkeys(QUALITIES, 0)
    for row in rows:
        mine = scores(metric, row)
        for quality in QUALITIES:
            human = [system["human"][quality] for system in row["systems"].values()]
            if len(set(mine)) > 1 and len(set(human)) > 1:
                sums[quality] += spearmanr(mine, human).statistic
                counts[quality] += 1
    return [sums[quality] / counts[quality] for quality in QUALITIES]


@pytest.mark.parametrize(("variant", "name"), [(1, "rouge1"), (2, "rouge2"), ("L", "rougeL")])
def test_correlations_with_experts(shared_data: Path, variant: Any, name: str) -> None:
    folder = shared_data / "summeval_full"
    figures = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    with gzip.open(folder / "summeval.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    assert len(rows) == 100
    assert tuple(figures["order"]) == QUALITIES
    found = correlations(Rouge(variant, stemmer=True, refs="mean"), rows)
    assert [round(value, 3) for value in found] == figures["recomputed"][name]
    if name == "rouge2":
        assert [round(value, 3) for value in found] == figures["published (UniEval/G-Eval Table 1)"]["ROUGE-2"]
