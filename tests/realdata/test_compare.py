"""Systems of SummEval and of WMT17 compared end to end: eval sets, runs, verdicts."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest

from llmkit import Options, compare_runs, run_eval
from llmkit.types import Run


def made(folder: Path, name: str, rows: list[dict[str, Any]], metrics: list[Any]) -> Run:
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = {"name": "t", "dataset": f"{name}.jsonl", "target": "recorded", "metrics": metrics}
    (folder / f"{name}.yaml").write_text(json.dumps(config))
    return run_eval(folder / f"{name}.yaml", options=Options(out=folder / name))


def test_two_of_summevals_systems(shared_data: Path, tmp_path: Path) -> None:
    with gzip.open(shared_data / "summeval_full" / "summeval.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    systems = list(rows[0]["systems"])
    runs = {}
    for name in (systems[0], systems[-1]):
        eval_set = [
            {
                "id": str(row["doc_id"]),
                "input": str(row["doc_id"]),
                "references": row["references"],
                "output": row["systems"][name]["summary"],
                "human": row["systems"][name]["human"]["coherence"],
            }
            for row in rows
        ]
        for one in eval_set:
            del one["human"]  # the experts' word differs by system, so it is no part of the row
        runs[name] = made(tmp_path, name.replace("/", "-"), eval_set, ["rouge(variant=1, refs='mean')", "chrf"])
    first, last = runs.values()
    found, back = compare_runs(first, last), compare_runs(last, first)
    assert found.samples == 100
    for name, entry in found.metrics.items():
        before, after = (run.summary["scores"][name]["value"] for run in (first, last))
        assert entry["difference"]["value"] == pytest.approx(after - before, abs=1e-9)
        assert back.metrics[name]["difference"]["value"] == pytest.approx(before - after, abs=1e-9)
        assert back.metrics[name]["difference"]["p"] == pytest.approx(entry["difference"]["p"], abs=0.02)
        assert entry["better"] + entry["worse"] <= 100
    opposite = {"improved": "regressed", "regressed": "improved", "inconclusive": "inconclusive"}
    assert {name: opposite[entry["verdict"]] for name, entry in found.metrics.items()} == {
        name: entry["verdict"] for name, entry in back.metrics.items()
    }
    assert {found.exit_code, back.exit_code} <= {0, 1}


@pytest.mark.slow
def test_bleu_of_wmt17s_systems_has_the_published_p(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "mt_metrics"
    figures = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    with gzip.open(folder / "wmt17_en_de_systems.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    multeval = figures["multeval approximate randomisation p-values [BLEU, TER]"]
    baseline = figures["baseline system (first of the file)"].removeprefix("newstest2017.")

    def run_of(name: str) -> Run:
        eval_set = [
            {"id": str(row["i"]), "input": str(row["i"]), "references": [row["ref"]], "output": row[name]}
            for row in rows
        ]
        return made(tmp_path, name, eval_set, ["bleu(tokenize='none')"])

    base = run_of(baseline)
    for system, (of_bleu, _) in list(multeval.items())[:3]:
        found = compare_runs(base, run_of(system.removeprefix("newstest2017.")))
        (entry,) = found.metrics.values()
        mine = entry["difference"]["p"]
        chance = 4 * math.sqrt(2 * max(mine * (1 - mine), 1e-4) / 6000)
        assert mine == pytest.approx(of_bleu, abs=chance), system
